"""Search spaces: the step size of a sampler, or any fields of a score or of another job.

A space maps *values* (a number or a word for each of its parameters) to the job to run,
and finished trials to the next values to try. Both maps are pure functions, so the outcome of a
search depends only on its specs, its ledger and the store.
"""

from tuning.spaces.base import Rung, SearchSpace
from tuning.spaces.parameter_space import MultiObjectiveSpace, ParameterSpace
from tuning.spaces.parameters import EPSILON, LogUniform, OneOf, Range
from tuning.spaces.step_size import StepSizeSpace
from tuning.spaces.sweep_space import Objective, SweepSpace

__all__ = [
    "EPSILON",
    "LogUniform",
    "MultiObjectiveSpace",
    "Objective",
    "OneOf",
    "ParameterSpace",
    "Range",
    "Rung",
    "SearchSpace",
    "StepSizeSpace",
    "SweepSpace",
]
