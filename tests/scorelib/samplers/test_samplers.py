"""Tests of samplers with exact scores.

They check properties of all samplers, the propositions of the paper, moments and shares of classes,
and refused settings.
"""

import itertools
import math

import pytest
import torch

from scorelib.errors import InputError
from scorelib.samplers import (
    Als,
    Cas,
    CasInR,
    ConsistentSampler,
    Langevin,
    PredictorCorrector,
    Sampler,
    start_images,
)
from scorelib.schedules import SCHEDULES, ExplicitSchedule, GeometricSchedule
from scorelib.step_size import cas_beta, epsilon_of_langevin_step, eta
from scorelib.testing import check_gaussian_samples, check_sampler
from tests.components import components

SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=30)
STEP = SCHEDULE.sigma_L**2 * (1 - SCHEDULE.gamma)
N = 40_000
ANNEALED = [
    Als(epsilon=5 * STEP, n_sigma=1),
    Als(epsilon=1 * STEP, n_sigma=4),
    Cas(epsilon=1.5 * STEP, n_sigma=1),
    Cas(epsilon=0.4 * STEP, n_sigma=4),
    CasInR(r=1.5, n_sigma=1),
    CasInR(r=1.6, n_sigma=4),
]
SAMPLERS = [
    *ANNEALED,
    Langevin(sigma=0.7, epsilon=0.1, n_steps=20),
    PredictorCorrector(n_steps=12),
    PredictorCorrector(n_steps=12, snr=0.05, first="predictor"),
]


def noise_source(shape, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=stream, dtype=torch.float64)


def point_mass(x, sigma):
    """Returns exact sigma * score of a point mass at 0.3 smoothed by sigma."""
    return (0.3 - x) / sigma


def walk(sampler, scaled_score, x, seed=1, schedule=SCHEDULE):
    return list(sampler.walk(scaled_score, x, schedule, noise_source(x.shape, seed)))


LEVELS = ExplicitSchedule(sigmas=(5.0, 3.5, 1.0, 0.9, 0.3, 0.1))
VARIED = [family(sigma_1=5.0, sigma_L=0.1, n_levels=12) for family in SCHEDULES.values()]


@pytest.mark.parametrize("schedule", [*VARIED, LEVELS], ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("n_sigma", [1, 3])
@pytest.mark.parametrize("kind", [Cas, CasInR])
def test_cas_keeps_the_noise_exactly_on_any_schedule(kind, n_sigma, schedule):
    # Proposition 2: the std is sigma_i before update i, and |1 - eta| sigma_L after the last.
    low, high = kind.of(1.5, n_sigma).interval(schedule)
    sampler = kind.of(low + 0.6 * (high - low), n_sigma)
    x = 0.3 + schedule.sigma_1 * noise_source((N,))()
    states = walk(sampler, point_mass, x, schedule=schedule)
    dilated = schedule.dilated(n_sigma)
    gammas = [after / before for before, after in itertools.pairwise(dilated.sigmas)]
    last = eta(sampler.epsilon, 0.1) if kind is Cas else sampler.r * (1 - gammas[-1])
    found = [(state.x - 0.3).std().item() for state in states]
    assert found[:-1] == pytest.approx(dilated.sigmas[1:], rel=0.03)
    assert found[-1] == pytest.approx(abs(1 - last) * 0.1, rel=0.03, abs=1e-12)


@pytest.mark.parametrize("n_sigma", [1, 4])
def test_both_forms_of_cas_are_one_on_geometric_schedules(n_sigma):
    gamma = SCHEDULE.dilated(n_sigma).gamma
    x = 5 * noise_source((50,))()
    in_r = walk(CasInR(r=1.4, n_sigma=n_sigma), point_mass, x)
    other = walk(Cas(epsilon=1.4 * 0.1**2 * (1 - gamma), n_sigma=n_sigma), point_mass, x)
    for state, wanted in zip(in_r, other, strict=True):
        assert torch.allclose(state.x, wanted.x, rtol=1e-9, atol=1e-9)
    low, high = CasInR(r=1.4, n_sigma=n_sigma).interval(SCHEDULE)
    of_epsilon = Cas(epsilon=1, n_sigma=n_sigma).interval(SCHEDULE)
    assert of_epsilon == pytest.approx([r * 0.1**2 * (1 - gamma) for r in (low, high)], rel=1e-9)


@pytest.mark.parametrize("kind", [Cas, CasInR])
@pytest.mark.parametrize("n_sigma", [1, 2])
@pytest.mark.parametrize("schedule", [*VARIED, LEVELS], ids=lambda schedule: schedule.name)
def test_the_interval_of_cas_is_where_every_beta_is_real(schedule, n_sigma, kind):
    low, high = kind.of(1.5, n_sigma).interval(schedule)

    def least(step_size):
        dilated = schedule.dilated(n_sigma)
        etas = kind.of(step_size, n_sigma).etas(dilated)
        steps = zip(etas[:-1], itertools.pairwise(dilated.sigmas), strict=True)
        return min(1 - ((1 - share) * a / b) ** 2 for share, (a, b) in steps)  # beta^2

    width = 1e-6 * (high - low)
    assert least(low + width) > 0 and least(high - width) > 0
    assert least(high + width) < 0
    assert kind is CasInR or least(low - width) < 0
    with pytest.raises(InputError, match=f"{kind.STEP_SIZE} must be"):
        kind.of(high + width, n_sigma).require_admissible(schedule)
    with pytest.raises(InputError, match=f"{kind.STEP_SIZE} must be"):
        kind.of(low - width, n_sigma).require_admissible(schedule)


def test_r_of_a_step_that_follows_the_schedule_is_one_at_every_level():
    etas = CasInR(r=1 + 1e-12).etas(LEVELS)
    ratios = [b / a for a, b in itertools.pairwise(LEVELS.sigmas)]
    assert etas == pytest.approx([1 - gamma for gamma in (*ratios, ratios[-1])])
    assert CasInR(r=1.3, n_sigma=2).extrapolated(LEVELS, 5) == 1.3
    assert CasInR(r=1.3).relative_step(LEVELS) == 1.3


def test_als_noise_follows_its_recursion_and_stays_above_the_schedule():
    # Proposition 1: v^2 <- v^2 (1 - eta)^2 + 2 eta sigma^2 > sigma^2.
    for sampler in (s for s in ANNEALED if isinstance(s, Als)):
        x = 0.3 + SCHEDULE.sigma_1 * noise_source((N,))()
        states = walk(sampler, point_mass, x)
        share, variance = eta(sampler.epsilon, SCHEDULE.sigma_L), SCHEDULE.sigma_1**2
        for state in states:
            variance = variance * (1 - share) ** 2 + 2 * share * state.sigma**2
            assert (state.x - 0.3).std().item() == pytest.approx(math.sqrt(variance), rel=0.03)
            assert variance > state.sigma**2


@pytest.mark.parametrize("sampler", [*SAMPLERS, Als(epsilon=STEP, extra_call=True)], ids=str)
def test_contract(sampler):
    check_sampler(sampler, SCHEDULE)


def test_every_sampler_is_checked_and_all_have_keys_of_their_own():
    assert {type(sampler) for sampler in SAMPLERS} >= components(Sampler)
    assert len({sampler.key for sampler in SAMPLERS}) == len(SAMPLERS)


def test_a_gaussians_moments_come_out():
    slow = GeometricSchedule(sigma_1=20.0, sigma_L=0.05, n_levels=400)
    for sampler in (
        Cas(epsilon=1.5 * slow.sigma_L**2 * (1 - slow.gamma)),
        CasInR(r=1.5),
        Als(epsilon=0.04 * slow.sigma_L**2, n_sigma=5),
        Langevin(sigma=0.7, epsilon=0.05, n_steps=100),
        PredictorCorrector(n_steps=300, snr=0.05),
    ):
        check_gaussian_samples(sampler, slow)


def _epsilon(sampler):
    """Returns epsilon, which for CAS in r follows from the ratio of the geometric schedule."""
    if isinstance(sampler, CasInR):
        gamma = SCHEDULE.dilated(sampler.n_sigma).gamma
        return sampler.r * SCHEDULE.sigma_L**2 * (1 - gamma)
    return sampler.epsilon


def test_proposition_3_the_interpolation_form_gives_the_same_iterates():
    target = torch.tensor([0.3, -1.0], dtype=torch.float64)

    def score(x, sigma):
        return sigma * torch.tanh(target - x) / (1 + sigma)

    for sampler in ANNEALED:
        epsilon = _epsilon(sampler)
        share = eta(epsilon, SCHEDULE.sigma_L)
        draw = noise_source((2,), seed=5)
        x = 5 * noise_source((2,), seed=4)()
        start = x.clone()
        if isinstance(sampler, Als):
            levels = [s for s in SCHEDULE.sigmas for _ in range(sampler.n_sigma)]
            added = [math.sqrt(2 * share) * s for s in levels]
        else:
            dilated = SCHEDULE.dilated(sampler.n_sigma)
            levels = dilated.sigmas
            beta = cas_beta(epsilon, SCHEDULE.sigma_L, dilated.gamma)
            added = [beta * s for s in (*levels[1:], 0.0)]
        states = walk(sampler, score, start, seed=5)
        for state, sigma, spread in zip(states, levels, added, strict=True):
            denoised = x + sigma * score(x, sigma)
            noise = spread * draw() if spread else 0.0
            x = (1 - share) * x + share * denoised + noise
            assert torch.allclose(state.x, x, rtol=1e-10)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_the_network_is_called_once_per_step_at_decreasing_levels(sampler):
    levels = []

    def counting(x, sigma):
        levels.append(sigma)
        return point_mass(x, sigma)

    states = walk(sampler, counting, torch.zeros(2, dtype=torch.float64))
    assert len(states) == len(levels) == sampler.n_evaluations(SCHEDULE)
    match sampler:
        case Als(n_sigma=n):
            expected = 30 * n
        case ConsistentSampler(n_sigma=n):
            expected = 29 * n + 1
        case Langevin(n_steps=n):
            expected = n
        case PredictorCorrector(n_steps=n, first=first):
            expected = {"corrector": 2 * n, "predictor": 2 * n - 1}[first]
    assert len(levels) == expected
    assert levels == sorted(levels, reverse=True) == [state.sigma for state in states]


def test_the_extra_call_denoises_the_final_state():
    sampler = Als(epsilon=5 * STEP, extra_call=True)
    assert sampler.n_evaluations(SCHEDULE) == 31

    def score(x, sigma):
        return -sigma * x / (1 + sigma**2)

    *_, last = walk(sampler, score, torch.ones(4, dtype=torch.float64))
    assert torch.allclose(last.denoised, last.x + 0.1 * score(last.x, 0.1))


WEIGHTS, CENTRES, STD = (
    torch.tensor(values, dtype=torch.float64) for values in ([0.2, 0.8], [-3.2, 0.8], 0.3)
)
"""Two classes on a line with common mean 0, 13 standard deviations apart."""


def two_classes(x, sigma):
    """Returns exact sigma * score of the two classes smoothed by sigma."""
    variance = STD**2 + sigma**2
    offsets = CENTRES - x[:, None]
    weights = (WEIGHTS.log() - offsets**2 / (2 * variance)).softmax(dim=1)
    return sigma * (weights * offsets).sum(dim=1) / variance


@pytest.mark.parametrize("family", SCHEDULES)
def test_als_gives_each_class_its_share_on_any_schedule(family):
    schedule = SCHEDULES[family](sigma_1=8.0, sigma_L=0.05, n_levels=150)
    sampler = Als(epsilon=0.3 * schedule.sigma_L**2, n_sigma=8)
    # Within a class x is normal. If the last levels are far apart, this much noise remains:
    variance = 8.0**2
    for sigma in schedule.sigmas:
        shrink = 0.3 * sigma**2 / (0.3**2 + sigma**2)
        for _ in range(8):
            before, variance = variance, (1 - shrink) ** 2 * variance + 2 * 0.3 * sigma**2
    width = math.sqrt(before) * 0.3**2 / (0.3**2 + 0.05**2)
    assert_right_shares(sampler, schedule, width, within=0.03)


@pytest.mark.parametrize(
    "sampler",
    [
        Cas(epsilon=0.04 * 0.05**2),
        PredictorCorrector(n_steps=300),
        PredictorCorrector(n_steps=300, first="predictor"),
    ],
    ids=str,
)
def test_each_class_has_its_share(sampler):
    schedule = GeometricSchedule(sigma_1=20.0, sigma_L=0.05, n_levels=300)
    assert_right_shares(sampler, schedule, width=0.3, within=0.02)


def assert_right_shares(sampler, schedule, width, within):
    """Asserts the shares of the denoised samples, and the centre and the width of each class."""
    draw = noise_source((8000,), seed=8)
    *_, last = sampler.walk(two_classes, schedule.sigma_1 * draw(), schedule, draw)
    in_first = last.denoised < -1
    assert in_first.double().mean().item() == pytest.approx(0.2, abs=within)
    for mine, centre in ((in_first, -3.2), (~in_first, 0.8)):
        assert last.denoised[mine].mean().item() == pytest.approx(centre, abs=0.03)
        assert last.denoised[mine].std().item() == pytest.approx(width, rel=0.05)


def test_als_is_song_and_ermons_algorithm_at_half_their_step():
    # Algorithm 1 of the 2019 paper as printed: its epsilon and T, and the alpha of a level.
    epsilon, n_per_level = 2e-5, 3
    for family in SCHEDULES.values():
        schedule = family(sigma_1=1.0, sigma_L=0.01, n_levels=10)
        sampler = Als(epsilon=epsilon_of_langevin_step(epsilon), n_sigma=n_per_level)
        start = noise_source((50,), seed=6)()
        draw, x = noise_source((50,), seed=7), start.clone()
        for sigma in schedule.sigmas:
            alpha = epsilon * sigma**2 / schedule.sigma_L**2
            for _ in range(n_per_level):
                x = x + alpha / 2 * two_classes(x, sigma) / sigma + math.sqrt(alpha) * draw()
        *_, last = sampler.walk(two_classes, start, schedule, noise_source((50,), seed=7))
        assert torch.allclose(last.x, x, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"geometric"}))
def test_what_needs_one_ratio_of_levels_refuses_other_schedules(name):
    schedule = SCHEDULES[name](sigma_1=5.0, sigma_L=0.1, n_levels=30)
    cas, als = Cas(epsilon=0.01), Als(epsilon=5 * STEP)
    why = rf"needs a geometric schedule \(one ratio gamma .*\); got one of the family {name!r}"
    with pytest.raises(InputError, match=f"^the extrapolation of cas {why}$"):
        cas.extrapolated(schedule, 5)
    assert als.relative_step(schedule) is None and cas.relative_step(schedule) is None
    assert als.interval(schedule) == als.interval(SCHEDULE) and als.n_evaluations(schedule) == 30
    assert als.extrapolated(schedule, 5) == als.epsilon / 5
    als.require_admissible(schedule)


@pytest.mark.parametrize(
    "sampler",
    [Als(epsilon=2.1 * 0.01), Cas(epsilon=0.9 * STEP), Cas(epsilon=STEP), CasInR(r=1e3)],
    ids=str,
)
def test_inadmissible_step_sizes_are_refused_with_the_interval(sampler):
    with pytest.raises(InputError, match=r"(epsilon|r) must be in \(.*\) for (als|cas)"):
        walk(sampler, point_mass, torch.zeros(1, dtype=torch.float64))


def test_n_sigma_below_one_is_refused():
    with pytest.raises(InputError, match="n_sigma must be at least 1, but got 0"):
        Cas(epsilon=1e-3, n_sigma=0)


@pytest.mark.parametrize("start", ["noise", "uniform", "data"])
def test_starts(start):
    data = torch.full((10, 1, 8, 8), 0.5)
    stream = torch.Generator().manual_seed(0)
    x = start_images(start, (500, 1, 8, 8), 5.0, stream, data)
    assert x.shape == (500, 1, 8, 8)
    mean, std = {"noise": (0, 5), "uniform": (0.5, 12**-0.5), "data": (0.5, 5)}[start]
    assert x.mean().item() == pytest.approx(mean, abs=0.1)
    assert x.std().item() == pytest.approx(std, rel=0.02)


def test_points_in_the_plane_start_from_a_square_around_the_data():
    x = start_images("uniform", (20_000, 2), 0.1, torch.Generator().manual_seed(0), None)
    assert -3 <= x.min() < -2.99 and 2.99 < x.max() <= 3
    assert x.mean(0).abs().max() < 0.05 and x.std(0).numpy() == pytest.approx(12**0.5 / 2, rel=0.02)


def test_the_data_start_needs_data():
    with pytest.raises(InputError, match="needs images"):
        start_images("data", (2, 1), 1.0, torch.Generator(), None)
