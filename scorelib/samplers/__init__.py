"""Samplers: annealed Langevin (`Als`) and consistent annealed sampling (`Cas`)."""

from scorelib.samplers.als import Als
from scorelib.samplers.base import Sampler, SamplerState, ScaledScore, Start, start_images
from scorelib.samplers.cas import Cas

__all__ = ["Als", "Cas", "Sampler", "SamplerState", "ScaledScore", "Start", "start_images"]
