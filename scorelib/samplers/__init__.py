"""Samplers: algorithms that generate data from noise with a score network.

`Als` (annealed Langevin sampling), `Cas` and `CasInR` (consistent annealed sampling with one
epsilon or one r) follow a decreasing noise schedule. `Langevin` samples at one noise level.
`PredictorCorrector` integrates the variance-exploding diffusion (VE-SDE) backwards in time.
"""

from scorelib.samplers.als import Als
from scorelib.samplers.base import (
    AnnealedSampler,
    EpsilonSampler,
    Interpolation,
    Sampler,
    SamplerState,
    ScaledScore,
    Start,
    Update,
    start_images,
)
from scorelib.samplers.cas import Cas, CasInR, ConsistentSampler
from scorelib.samplers.langevin import Langevin
from scorelib.samplers.predictor_corrector import PredictorCorrector

__all__ = [
    "Als",
    "AnnealedSampler",
    "Cas",
    "CasInR",
    "ConsistentSampler",
    "EpsilonSampler",
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
