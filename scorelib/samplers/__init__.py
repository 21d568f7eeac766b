"""Samplers: algorithms that generate data from noise with a score network.

`Als` (annealed Langevin sampling) and `Cas` (consistent annealed sampling) follow a decreasing
noise schedule. `Langevin` samples at one noise level. `PredictorCorrector` integrates the
variance-exploding diffusion (VE-SDE) backwards in time.
"""

from scorelib.samplers.als import Als
from scorelib.samplers.base import (
    AnnealedSampler,
    Interpolation,
    Sampler,
    SamplerState,
    ScaledScore,
    Start,
    Update,
    start_images,
)
from scorelib.samplers.cas import Cas
from scorelib.samplers.langevin import Langevin
from scorelib.samplers.predictor_corrector import PredictorCorrector

__all__ = [
    "Als",
    "AnnealedSampler",
    "Cas",
    "Interpolation",
    "Langevin",
    "PredictorCorrector",
    "Sampler",
    "SamplerState",
    "ScaledScore",
    "Start",
    "Update",
    "start_images",
]
