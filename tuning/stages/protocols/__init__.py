"""Protocols: metrics of generated images, with all settings that a value depends on.

Values can be compared only if their protocols are known. A protocol states the features, the data
set, the number of images and whether the step size was chosen on the same seeds; each kind of
protocol adds the other settings that its metric depends on. Differences and verdicts are given only
between values of equal protocols, never between different kinds.

One protocol measures one metric. A table of two metrics, such as modes and KL, has two protocols,
whose scores share their chunks of images.
"""

from tuning.stages.protocols.base import N_GROUPS, Images, Measurement, Protocol
from tuning.stages.protocols.distance import DistanceProtocol
from tuning.stages.protocols.frechet import FidProtocol
from tuning.stages.protocols.inception_score import InceptionScoreProtocol
from tuning.stages.protocols.modes import ModesProtocol
from tuning.stages.protocols.neighbours import NeighboursProtocol

__all__ = [
    "N_GROUPS",
    "DistanceProtocol",
    "FidProtocol",
    "Images",
    "InceptionScoreProtocol",
    "Measurement",
    "ModesProtocol",
    "NeighboursProtocol",
    "Protocol",
]
