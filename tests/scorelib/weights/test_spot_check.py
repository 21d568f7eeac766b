"""The spot check against exact scores of images, used rightly and in every usual wrong way."""

from functools import cache

import pytest
import torch

from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.networks import Ncsnv2
from scorelib.schedules import GeometricSchedule
from scorelib.weights import Used, denoises

SCHEDULE = GeometricSchedule(sigma_1=10.0, sigma_L=0.05, n_levels=60)


@cache
def waves(n, seed):
    """Images, (n, 1, 8, 8) in [0, 1]: plane waves of six directions at all phases."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.arange(8) / 8
    directions = torch.tensor([[0, 1], [1, 0], [1, 1], [1, -1], [2, 0], [0, 2]])
    turns = directions[torch.randint(6, (n,), generator=generator)]
    angles = turns[:, :1, None] * u[:, None] + turns[:, 1:, None] * u
    angles = angles + torch.rand(n, 1, 1, generator=generator)
    return (0.5 + 0.45 * torch.cos(2 * torch.pi * angles))[:, None]


POINTS = waves(300, 0).flatten(1)
PARZEN = Parzen(POINTS)


@pytest.fixture
def images():
    return waves(8, 1)


def exact(x, sigma):
    """sigma * score of the data, told the level."""
    levels = sigma.double().expand(len(x))
    score = PARZEN.prior_score(x.flatten(1), levels)
    return (levels[:, None] * score).reshape(x.shape).to(x)


def blind(x, sigma):
    """sigma * score as a network that ignores the level: the level is guessed from x."""
    rows = x.flatten(1).double()
    level = (torch.cdist(rows, POINTS.double()).amin(1) / rows.shape[1] ** 0.5).clamp(0.02)
    return (level[:, None] * PARZEN.prior_score(rows, level)).reshape(x.shape).to(x)


def checked(score, images, used=None):
    return denoises(score, images, SCHEDULE.sigmas, used=used)


def test_right_use_passes(images):
    for score in (exact, blind):
        check = checked(score, images)
        assert check.passed, check.diagnosis
        assert "\n" not in check.diagnosis and check.sigmas[0] == 10.0 and check.sigmas[-1] == 0.05
        assert check.n_better >= 9 and len(check.errors) == 10


WRONG = {
    "range: the network takes data in [-1, 1]": lambda f: lambda x, s: f((x + 1) / 2, s / 2),
    "scale: the output is the score": lambda f: lambda x, s: f(x, s) / s,
    "scale: the output has one factor": lambda f: lambda x, s: f(x, s) * s,
    "scale: the output is the noise": lambda f: lambda x, s: -f(x, s),
    "schedule: the levels are stored in reverse": (
        lambda f: lambda x, s: f(x, SCHEDULE.sigma_1 * SCHEDULE.sigma_L / s)
    ),
    "schedule: the tables of levels are stored in reverse": (
        lambda f: lambda x, s: (
            f(x, SCHEDULE.sigma_1 * SCHEDULE.sigma_L / s)
            * s**2 / (SCHEDULE.sigma_1 * SCHEDULE.sigma_L)
        )
    ),
    "schedule: the levels are for data in": lambda f: lambda x, s: f(x, s / 2),
}  # fmt: skip


@pytest.mark.parametrize("words", WRONG)
def test_wrong_use_is_found_and_named(words, images):
    check = checked(WRONG[words](exact), images)
    assert not check.passed, check.diagnosis
    assert words in check.diagnosis and "\n" not in check.diagnosis
    assert check.corrections[0].words.startswith(words), check.diagnosis


FACTORS = {
    "scaled score": lambda s: s**0, "score": lambda s: s,
    "noise": lambda s: -(s**0), "residual": lambda s: 1 / s,
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "true"),
    [
        *((said, "scaled score") for said in ("score", "noise", "residual")),
        *(("scaled score", true) for true in ("score", "noise", "residual")),
    ],
)
def test_the_setting_is_told_as_it_is_to_be_given(said, true, images):
    # The network answers sigma * score over the true factor, and is used by the one that is said.
    check = checked(
        lambda x, s: FACTORS[said](s) * exact(x, s) / FACTORS[true](s), images, Used(answer=said)
    )
    assert not check.passed and check.corrections[0].setting == f"answer={true}", check.diagnosis
    assert f"answer={said} " not in check.diagnosis


@pytest.mark.parametrize(
    ("used", "wrong", "setting"),
    [
        (Used(value_range=(-1.0, 1.0)), lambda x, s: exact(2 * x - 1, 2 * s), "value_range=[0, 1]"),
        (Used(centres_input=True), lambda x, s: exact(2 * x - 1, s), "network.centres_input=false"),
        (Used(), lambda x, s: exact((x + 1) / 2, s / 2), "value_range=[-1, 1]"),
    ],
)
def test_a_wrong_range_is_told_as_the_range_to_give(used, wrong, setting, images):
    check = checked(wrong, images, used)
    assert not check.passed and check.corrections[0].setting == setting, check.diagnosis


@pytest.mark.parametrize("words", [word for word in WRONG if not word.startswith("schedule")])
def test_wrong_use_of_a_network_that_ignores_the_level_is_found(words, images):
    check = checked(WRONG[words](blind), images)
    assert not check.passed, check.diagnosis
    assert words in check.diagnosis


def test_networks_that_learnt_nothing_do_not_pass(images):
    torch.manual_seed(0)
    network = Ncsnv2(ngf=4).build((1, 8, 8)).eval()
    assert not denoises(network, images[:4], SCHEDULE.sigmas, most_levels=3).passed
    assert not checked(lambda x, s: torch.full_like(x, torch.nan), images).passed
    assert not checked(lambda x, s: torch.zeros_like(x), images).passed


def test_few_levels_and_no_data(images):
    assert denoises(exact, images, (0.5,)).sigmas == (0.5,)
    assert denoises(exact, images, (1.0, 0.5, 0.2), most_levels=2).sigmas == (1.0, 0.2)
    with pytest.raises(InputError, match="give more"):
        denoises(exact, images[:0], (1.0,))
