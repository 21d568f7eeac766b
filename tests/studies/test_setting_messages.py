"""Tests that each wrong setting of a study is refused by a message of its own."""

import pytest

from scorelib.errors import InputError
from studies.registry import find_study

MOONS, CLASSES, FAMILIES, CHOICE = (
    "moons_score_mismatch", "cifar10_dlsm", "mnist_schedules", "cifar_lambda_nd"
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (MOONS, {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        (MOONS, {"sigma_enters": ()}, "^sigma_enters must name .*, but got no place$"),
        (MOONS, {"sigma": 7.0}, r"^`sampler.sigma == sigma` .*\(sampler.sigma=7.5, sigma=7\)$"),
        (CLASSES, {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        (CLASSES, {"n_images": 11}, "^n_images must be a multiple of 10, .*but got 11$"),
        (FAMILIES, {"families": ()}, "^families must name a family, but got none$"),
        (FAMILIES, {"keep": 0}, "^keep must be at least 1, but got 0$"),
        (FAMILIES, {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        (FAMILIES, {"frames": -1}, "^frames must be at least 0, but got -1$"),
        ("stacked_mnist_modes", {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        ("synthetic_2d", {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        ("mnist_initial_noise", {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        (CHOICE, {"seeds": 0}, "^seeds must be at least 1, but got 0$"),
        (CHOICE, {"keep": (4, 8)}, r"must not increase, but got .*keep=\(4, 8\)\)$"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_own_message(name, changes, message):
    with pytest.raises(InputError, match=message):
        find_study(name).settings("demo").replace(**changes)
