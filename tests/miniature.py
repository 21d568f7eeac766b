"""A miniature of the demo study: the real engine on specs that run in seconds."""

from scorelib.spec_paths import replace_paths
from studies.adversarial.step_sizes.cifar_sampling_eps import demo, study
from tuning.spaces import EPSILON, Rung

MINIATURE = {
    "train.data": "Digits", "train.flips": "false", "train.schedule.sigma_1": "4.8",
    "extractor.classifier.data": "Digits", "iterations": "60", "iteration": "60",
    "snapshot_every": "30", "search.n_trials": "3", "search.n_images": "40",
    "search.top_images": "60", "search.keep": "1", "chunk_images": "20", "n_images": "60",
    "seeds": "1", "train.schedule.n_levels": "6", "train.network.width": "16",
    "train.network.depth": "1", "extractor.classifier.iterations": "30",
    "extractor.classifier.width": "4", "extractor.classifier.n_features": "8",
    "columns": '["non-adversarial"]', "selection.n_trials": "2", "selection.n_images": "40",
}  # fmt: skip


OPTIONS = [text for path, value in MINIATURE.items() for text in ("--set", f"{path}={value}")]
"""The same settings as options of the command line."""


def miniature_settings(**changes):
    """Returns the settings of the miniature with further changes by path (dots written as __)."""
    further = {path.replace("__", "."): value for path, value in changes.items()}
    return replace_paths(demo(), MINIATURE | further)


def miniature_study(**changes):
    """Returns a tiny version of the demo study."""
    return study("demo", miniature_settings(**changes))


def first_score(study, search="cas n_sigma=1, non-adversarial", n_images=40):
    """Returns a score of a search of a study, at a step size that leaves noise in raw images."""
    (found,) = [s for s in study.searches if s.name == search]
    return found.space.score({EPSILON: 0.008}, Rung(n_images=n_images, keep=1))
