"""The stages: train, sample, score, and the small ones they rest on.

Importing this package registers every job, so that specs can be read back from JSON.
"""

from tuning.stages.frames import Frames
from tuning.stages.noise import NoiseLevel
from tuning.stages.protocols import (
    DistanceProtocol,
    FidProtocol,
    InceptionScoreProtocol,
    ModesProtocol,
    Protocol,
)
from tuning.stages.reference import Reference, TrainClassifier, Yardstick
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.score import OBJECTIVES, Objective, Score
from tuning.stages.shares import DataShares, GeneratedShares
from tuning.stages.train import Snapshot, TrainSpec

__all__ = [
    "OBJECTIVES",
    "Chunk",
    "DataShares",
    "DistanceProtocol",
    "FidProtocol",
    "Frames",
    "GeneratedShares",
    "InceptionScoreProtocol",
    "ModesProtocol",
    "NoiseLevel",
    "Objective",
    "Protocol",
    "Reference",
    "SampleSpec",
    "Score",
    "Snapshot",
    "TrainClassifier",
    "TrainSpec",
    "Yardstick",
]
