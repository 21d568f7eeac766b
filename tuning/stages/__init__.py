"""The stages: train, sample, score, and the small ones they rest on.

Importing this package registers every job, so that specs can be read back from JSON.
"""

from tuning.stages.accuracy import ClassificationAccuracy
from tuning.stages.noise import NoiseLevel
from tuning.stages.protocols import (
    DistanceProtocol,
    FidProtocol,
    InceptionScoreProtocol,
    ModesProtocol,
    NeighboursProtocol,
    Protocol,
)
from tuning.stages.reference import RealFeatures, Reference, TrainClassifier, Yardstick
from tuning.stages.renormalisation import Renormalisation
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.score import OBJECTIVES, Objective, Score
from tuning.stages.train import Snapshot, TrainSpec

__all__ = [
    "OBJECTIVES",
    "Chunk",
    "ClassificationAccuracy",
    "DistanceProtocol",
    "FidProtocol",
    "InceptionScoreProtocol",
    "ModesProtocol",
    "NeighboursProtocol",
    "NoiseLevel",
    "Objective",
    "Protocol",
    "RealFeatures",
    "Reference",
    "Renormalisation",
    "SampleSpec",
    "Score",
    "Snapshot",
    "TrainClassifier",
    "TrainSpec",
    "Yardstick",
]
