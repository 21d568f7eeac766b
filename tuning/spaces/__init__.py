"""What a search varies: the step size of a sampler, or any fields of what is scored.

A space turns *values* (a number or a word for each of its parameters) into the score to be made,
and earlier results into the next values to try. Both are pure functions: a search's outcome rests
on its specs, its ledger and the store alone.
"""

from tuning.spaces.base import Rung, SearchSpace
from tuning.spaces.parameter_space import MultiObjectiveSpace, ParameterSpace
from tuning.spaces.parameters import EPSILON, LogUniform, OneOf
from tuning.spaces.step_size import StepSizeSpace

__all__ = [
    "EPSILON",
    "LogUniform",
    "MultiObjectiveSpace",
    "OneOf",
    "ParameterSpace",
    "Rung",
    "SearchSpace",
    "StepSizeSpace",
]
