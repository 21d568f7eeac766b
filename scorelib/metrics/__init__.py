"""Metrics: feature extractors, and measures of their features and class probabilities."""

from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Coordinates, Extractor, Pixels, extract, quantize
from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.metrics.inception import InceptionFeatures
from scorelib.metrics.random_conv import RandomConvFeatures
from scorelib.metrics.stacked import StackedClassifierFeatures

__all__ = [
    "ClassifierFeatures",
    "ClassifierSpec",
    "Coordinates",
    "Extractor",
    "InceptionFeatures",
    "Moments",
    "Pixels",
    "RandomConvFeatures",
    "StackedClassifierFeatures",
    "extract",
    "frechet_distance",
    "moments",
    "quantize",
]
