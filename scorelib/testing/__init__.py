"""Contracts of components: functions that pass, or raise AssertionError with one clear line.

The contracts hold for the components of this distribution, and its tests run them. Your own
components are tested by the same functions, from any test runner or script; see
``docs/own_components.md``. The contracts of protocols and jobs are in `tuning.testing`.
"""

from scorelib.testing.data_sets import check_data_set
from scorelib.testing.extractors import check_extractor
from scorelib.testing.networks import check_noise_classifier, check_score_network
from scorelib.testing.sampling import check_gaussian_samples, check_sampler, check_schedule
from scorelib.testing.specs import check_spec
from scorelib.testing.training import check_loss, check_training

__all__ = [
    "check_data_set",
    "check_extractor",
    "check_gaussian_samples",
    "check_loss",
    "check_noise_classifier",
    "check_sampler",
    "check_schedule",
    "check_score_network",
    "check_spec",
    "check_training",
]
