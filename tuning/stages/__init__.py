"""The stages of a study: training, sampling, scoring, and the smaller stages they depend on.

Importing this package registers every job, so that specs can be read back from JSON.
"""

from tuning.stages.accuracy import ClassificationAccuracy
from tuning.stages.baseline import Baseline
from tuning.stages.features.extractors import TrainClassifier
from tuning.stages.features.pictures import (
    PictureChunk,
    PicturesReference,
    StatisticsReference,
)
from tuning.stages.features.reference import RealFeatures, Reference
from tuning.stages.frames import Frames
from tuning.stages.guided_sample import GuidedSampleSpec
from tuning.stages.models.imported import ImportedWeights
from tuning.stages.models.score_model import ScoreModel
from tuning.stages.models.weights_file import WeightsFile
from tuning.stages.nearest import Nearest
from tuning.stages.noise import NoiseLevel
from tuning.stages.protocols import (
    N_GROUPS,
    DistanceProtocol,
    FidProtocol,
    InceptionScoreProtocol,
    ModesProtocol,
    NeighboursProtocol,
    Protocol,
)
from tuning.stages.renormalisation import Renormalisation
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.sample_size import SampleSize
from tuning.stages.score import (
    OUTPUTS,
    Output,
    PicturesScore,
    RealScore,
    Score,
    without_group,
)
from tuning.stages.score_errors import OracleErrors, ScoreErrors
from tuning.stages.shares import DataShares, GeneratedShares
from tuning.stages.training.noise_classifier import (
    NoiseClassifierSnapshot,
    NoiseClassifierTrainSpec,
)
from tuning.stages.training.score_network import Snapshot, TrainSpec
from tuning.stages.training.snapshots import TrainedWeights, TrainingSpec

__all__ = [
    "N_GROUPS",
    "OUTPUTS",
    "Baseline",
    "Chunk",
    "ClassificationAccuracy",
    "DataShares",
    "DistanceProtocol",
    "FidProtocol",
    "Frames",
    "GeneratedShares",
    "GuidedSampleSpec",
    "ImportedWeights",
    "InceptionScoreProtocol",
    "ModesProtocol",
    "Nearest",
    "NeighboursProtocol",
    "NoiseClassifierSnapshot",
    "NoiseClassifierTrainSpec",
    "NoiseLevel",
    "OracleErrors",
    "Output",
    "PictureChunk",
    "PicturesReference",
    "PicturesScore",
    "Protocol",
    "RealFeatures",
    "RealScore",
    "Reference",
    "Renormalisation",
    "SampleSize",
    "SampleSpec",
    "Score",
    "ScoreErrors",
    "ScoreModel",
    "Snapshot",
    "StatisticsReference",
    "TrainClassifier",
    "TrainSpec",
    "TrainedWeights",
    "TrainingSpec",
    "WeightsFile",
    "without_group",
]
