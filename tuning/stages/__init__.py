"""The stages: train, sample, score, and the small ones they rest on.

Importing this package registers every job, so that specs can be read back from JSON.
"""

from tuning.stages.reference import Reference, TrainClassifier, Yardstick
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.score import OBJECTIVES, FidProtocol, Objective, Score
from tuning.stages.train import Snapshot, TrainSpec

__all__ = [
    "OBJECTIVES",
    "Chunk",
    "FidProtocol",
    "Objective",
    "Reference",
    "SampleSpec",
    "Score",
    "Snapshot",
    "TrainClassifier",
    "TrainSpec",
    "Yardstick",
]
