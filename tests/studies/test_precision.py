"""Tests that every study takes the precision of its trainings and samples from its settings."""

import pytest

from studies.opening.open_study import configured
from studies.registry import STUDIES, find_study
from tuning.stages import SampleSpec
from tuning.stages.training.snapshots import TrainingSpec

WITHOUT = (
    "noise_consistency", "likelihood_renormalisation", "moons_score_mismatch", "synthetic_2d",
    "score_images",
)  # fmt: skip
"""Studies of points, or without trained networks."""


def parts_of(name, precision):
    """Returns the trainings and samples of a demo, and the keys of its jobs."""
    tables = ("cifar.", "church.", "unet.") if name == "uncurated_samples" else ("",)
    paths = [f"{t}{path}" for t in tables for path in ("train.precision", "sampling_precision")]
    changes = [f"{path}={precision}" for path in paths] if precision else []
    study = find_study(name).study("demo", configured(name, "demo", changes))
    jobs = [*study.known_jobs, *(search.space.template for search in study.searches)]
    parts = [part for job in jobs for part in job.parts()]
    return [p for p in parts if isinstance(p, (TrainingSpec, SampleSpec))], {j.key for j in jobs}


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in WITHOUT])
def test_the_settings_of_a_study_reach_every_training_and_every_sample(name):
    plain, coarse, exact = (parts_of(name, to) for to in ("", "bf16", "float32"))
    assert {part.precision for part in plain[0]} == {"float32"} and exact[1] == plain[1]
    assert {part.precision for part in coarse[0]} == {"bf16"}
    assert {type(part) for part in coarse[0]} == {type(part) for part in plain[0]}
    assert not {part.key for part in coarse[0]} & {part.key for part in plain[0]}
