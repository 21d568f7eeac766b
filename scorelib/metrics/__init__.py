"""Metrics: feature extractors and the distances measured in their feature spaces."""

from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Extractor, extract, quantize
from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.metrics.inception import InceptionFeatures

__all__ = [
    "ClassifierFeatures",
    "ClassifierSpec",
    "Extractor",
    "InceptionFeatures",
    "Moments",
    "extract",
    "frechet_distance",
    "moments",
    "quantize",
]
