"""Protocols: what is measured of generated images, and how.

A number without its protocol is not comparable. A protocol says which features, of which data, how
many images there were and whether the seed had a part in choosing epsilon; each kind adds what else
its number depends on. Differences and verdicts exist only between equal protocols, and never
between different kinds.

One protocol measures one number. A table of two (modes and KL, say) has two protocols, whose scores
share their chunks of images.
"""

from tuning.stages.protocols.base import Images, Measurement, Protocol
from tuning.stages.protocols.distance import DistanceProtocol
from tuning.stages.protocols.frechet import FidProtocol
from tuning.stages.protocols.inception_score import InceptionScoreProtocol
from tuning.stages.protocols.modes import ModesProtocol
from tuning.stages.protocols.neighbours import NeighboursProtocol

__all__ = [
    "DistanceProtocol",
    "FidProtocol",
    "Images",
    "InceptionScoreProtocol",
    "Measurement",
    "ModesProtocol",
    "NeighboursProtocol",
    "Protocol",
]
