"""The parts of a user's study under one import: ``from studies import kit``.

`spec` makes a class a frozen, keyword-only dataclass, as every component has to be.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

from scorelib.data import DataSpec, own_data
from scorelib.losses import Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Extractor
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import DdpmUNet, Ncsnv2, NetworkSpec, ResidualMlp, ScoreNetwork
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Cas, Sampler
from scorelib.schedules import ExplicitSchedule, GeometricSchedule, Schedule, SpacedSchedule
from scorelib.spec import Spec
from studies.common.execution_settings import StudySettings
from tuning.cells import Cell, Search
from tuning.jobs import Job, Outcome, Progress, Stage, Work
from tuning.spaces import ParameterSpace
from tuning.stages import (
    Baseline,
    FidProtocol,
    Protocol,
    Reference,
    SampleSpec,
    Score,
    Snapshot,
    TrainSpec,
)
from tuning.stages.protocols.base import Images, Measurement
from tuning.study import Curve, Study

_T = TypeVar("_T")

__all__ = [
    "AdamSpec",
    "Adversarial",
    "Als",
    "Baseline",
    "Cas",
    "Cell",
    "ClassifierFeatures",
    "ClassifierSpec",
    "Curve",
    "DataSpec",
    "DdpmUNet",
    "Dsm",
    "ExplicitSchedule",
    "Extractor",
    "FidProtocol",
    "GeometricSchedule",
    "Images",
    "InceptionFeatures",
    "Job",
    "Measurement",
    "Ncsnv2",
    "NetworkSpec",
    "Outcome",
    "ParameterSpace",
    "Progress",
    "Protocol",
    "Reference",
    "ResidualMlp",
    "SampleSpec",
    "Sampler",
    "Schedule",
    "Score",
    "ScoreNetwork",
    "Search",
    "Snapshot",
    "SpacedSchedule",
    "Spec",
    "Stage",
    "Study",
    "StudySettings",
    "TrainSpec",
    "Work",
    "own_data",
    "spec",
]


@dataclass_transform(kw_only_default=True, frozen_default=True)
def spec(cls: type[_T]) -> type[_T]:
    """Makes a class a frozen, keyword-only dataclass; every component is declared so."""
    return dataclass(frozen=True, kw_only=True)(cls)
