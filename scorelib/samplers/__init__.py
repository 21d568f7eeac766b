"""Samplers: from noise to data.

`Als` and `Cas` anneal: annealed Langevin and consistent annealed sampling. `Langevin` stays at one
level; `PredictorCorrector` runs the VE-SDE backwards.
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
