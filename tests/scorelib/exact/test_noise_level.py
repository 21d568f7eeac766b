"""Tests of noise levels with a perfect score: samplers, recursion, closed forms, Figure 1."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from scorelib.errors import InputError
from scorelib.exact.noise_level import closed_form, noise_at, noise_by_level, noise_levels
from scorelib.samplers import Als, Cas, CasInR
from scorelib.schedules import SCHEDULES, GeometricSchedule
from scorelib.step_size import eta

SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=30)
STEP = SCHEDULE.sigma_L**2 * (1 - SCHEDULE.gamma)
SAMPLERS = [
    Als(epsilon=0.5 * STEP),
    Als(epsilon=5 * STEP, extra_call=True),
    Als(epsilon=1.6 * SCHEDULE.sigma_L**2, n_sigma=2),
    Als(epsilon=1 * STEP, n_sigma=4),
    Cas(epsilon=1.5 * STEP),
    Cas(epsilon=1.7 * SCHEDULE.sigma_L**2),
    Cas(epsilon=0.4 * STEP, n_sigma=4),
    CasInR(r=1.7),
    CasInR(r=1.2, n_sigma=3),
]

FIGURE_1 = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232)
KNOWN = {
    Als(epsilon=2e-6, n_sigma=1): "22.38 7.189 2.239 .694",
    Als(epsilon=2e-6, n_sigma=2): "12.77 1.856 .242 .0303",
    Als(epsilon=2e-6, n_sigma=5): "7.572 .892 .105 .0124",
    Als(epsilon=2e-6, n_sigma=20): "6.342 .747 .0880 .0104",
    Cas(epsilon=2e-5, n_sigma=100): "5.946 .7071 .0841 .0100",
}
"""Values of the authors' figure after a quarter, a half, three quarters and all of the steps."""


def walked_exactly(sampler, schedule):
    """Computes what our sampler does to the noise exactly, without drawing any noise.

    With a single data point at 0, sampling is linear in its start and its draws. The start is
    therefore one unit vector times sigma_1, and every draw another unit vector: x then holds the
    coefficients of independent normal variables, whose sum has the norm of x as its standard
    deviation.
    """
    units = iter(torch.eye(schedule.n_levels * sampler.n_sigma + 1, dtype=torch.float64))
    start = schedule.sigma_1 * next(units)
    states = sampler.walk(lambda x, sigma: -x / sigma, start, schedule, lambda: next(units))
    return [schedule.sigma_1, *(state.x.norm().item() for state in states)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_the_recursion_is_that_of_our_samplers(sampler):
    walked = walked_exactly(sampler, SCHEDULE)
    np.testing.assert_allclose(noise_levels(sampler, SCHEDULE), walked, rtol=1e-11)


@pytest.mark.parametrize("family", SCHEDULES.values())
def test_the_recursion_of_als_is_that_of_its_walk_on_any_schedule(family):
    schedule = family(sigma_1=5.0, sigma_L=0.1, n_levels=30)
    sampler = Als(epsilon=0.3 * schedule.sigma_L**2, n_sigma=3)
    levels = noise_levels(sampler, schedule)
    np.testing.assert_allclose(levels, walked_exactly(sampler, schedule), rtol=1e-11)
    assert (levels[1:] > np.repeat(schedule.sigmas, 3)).all()
    np.testing.assert_array_equal(noise_by_level(sampler, schedule), levels[::3])


@pytest.mark.parametrize("sampler", [Cas(epsilon=0.0101), CasInR(r=1.01), CasInR(r=1.1, n_sigma=2)])
@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_cas_follows_the_levels_of_any_schedule(name, sampler):
    schedule = SCHEDULES[name](sigma_1=5.0, sigma_L=0.1, n_levels=9)
    levels = noise_levels(sampler, schedule)
    np.testing.assert_allclose(levels[: -1 : sampler.n_sigma], schedule.sigmas, rtol=1e-9)
    np.testing.assert_allclose(levels, closed_form(sampler, schedule), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(noise_by_level(sampler, schedule), schedule.sigmas, rtol=1e-9)


def test_als_has_a_closed_form_on_geometric_schedules_alone():
    other = SCHEDULES["cosine"](sigma_1=5.0, sigma_L=0.1, n_levels=30)
    with pytest.raises(InputError, match="the closed form of als needs a geometric schedule"):
        closed_form(Als(epsilon=1.5 * STEP), other)


@pytest.mark.parametrize("sampler", [s for s in KNOWN if s.n_sigma < 20], ids=str)
def test_the_recursion_is_that_of_our_samplers_in_the_figure(sampler):
    walked = walked_exactly(sampler, FIGURE_1)
    np.testing.assert_allclose(noise_levels(sampler, FIGURE_1), walked, rtol=1e-11)


@pytest.mark.parametrize(
    ("sampler", "schedule", "n"),
    [(sampler, SCHEDULE, 20_000) for sampler in SAMPLERS]
    + [(Cas(epsilon=2e-5, n_sigma=100), FIGURE_1, 1000)],
    ids=str,
)
def test_noise_drawn_at_random_has_the_level_of_the_recursion(sampler, schedule, n):
    stream = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(n, generator=stream, dtype=torch.float64)

    start = 0.3 + schedule.sigma_1 * draw()
    states = sampler.walk(lambda x, sigma: (0.3 - x) / sigma, start, schedule, draw)
    levels = noise_levels(sampler, schedule)[1:]
    # The sum of n squared deviations, in units of the variance, is chi-square with n degrees.
    low, high = chi2.interval(1 - 1e-7, n)
    for state, level in zip(states, levels, strict=True):
        assert low < ((state.x - 0.3) / level).square().sum().item() < high


schedules = st.builds(
    lambda sigma_1, ratio, n_levels: GeometricSchedule(
        sigma_1=sigma_1, sigma_L=sigma_1 * ratio, n_levels=n_levels
    ),
    st.floats(0.1, 300),
    st.floats(1e-5, 0.9),
    st.integers(2, 300),
)


@settings(max_examples=60)
@given(schedules, st.floats(1e-4, 1.999), st.integers(1, 20))
def test_als_has_its_closed_form_and_stays_above_the_schedule(schedule, share, n_sigma):
    sampler = Als(epsilon=share * schedule.sigma_L**2, n_sigma=n_sigma)
    levels = noise_levels(sampler, schedule)
    np.testing.assert_allclose(closed_form(sampler, schedule), levels, rtol=1e-9)
    share = eta(sampler.epsilon, schedule.sigma_L)
    bound = np.sqrt(1 + share**2) * np.repeat(schedule.sigmas, n_sigma)
    assert (levels[1:] >= bound * (1 - 1e-12)).all()


@settings(max_examples=60)
@given(schedules, st.floats(0.001, 0.999), st.integers(1, 20))
def test_cas_has_its_closed_form(schedule, place, n_sigma):
    low, high = Cas(epsilon=1.0, n_sigma=n_sigma).interval(schedule)
    sampler = Cas(epsilon=low + place * (high - low), n_sigma=n_sigma)
    levels = noise_levels(sampler, schedule)
    np.testing.assert_allclose(closed_form(sampler, schedule), levels, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(noise_by_level(sampler, schedule), schedule.sigmas, rtol=1e-9)


@pytest.mark.parametrize("n_sigma", [1, 3])
@pytest.mark.parametrize("excess", [-1e-6, -1e-10, 0.0, 1e-12, 1e-8])
def test_the_closed_form_holds_where_langevin_decays_as_fast_as_the_schedule(n_sigma, excess):
    share = 1 - SCHEDULE.gamma ** ((1 + excess) / n_sigma)
    sampler = Als(epsilon=share * SCHEDULE.sigma_L**2, n_sigma=n_sigma)
    found = closed_form(sampler, SCHEDULE)
    np.testing.assert_allclose(found, noise_levels(sampler, SCHEDULE), rtol=1e-12)


def test_the_closed_form_holds_where_an_update_forgets_all():
    schedule = SCHEDULE.replace(sigma_L=0.5)
    sampler = Als(epsilon=0.25)  # eta = 1 exactly
    wanted = [5.0, *(np.sqrt(2) * np.array(schedule.sigmas))]
    np.testing.assert_allclose(closed_form(sampler, schedule), wanted, rtol=1e-12)
    np.testing.assert_allclose(noise_levels(sampler, schedule), wanted, rtol=1e-12)


def test_als_follows_the_schedule_at_a_distance_if_and_only_if_r_is_above_1():
    long = GeometricSchedule(sigma_1=1e8, sigma_L=1e-8, n_levels=600)
    for n_sigma in (1, 4):
        base = long.sigma_L**2 * (1 - long.gamma ** (1 / n_sigma))
        fast, slow = (Als(epsilon=r * base, n_sigma=n_sigma) for r in (1.5, 0.7))
        q = (1 - eta(fast.epsilon, long.sigma_L)) ** (2 * n_sigma)
        rise = 2 / (2 - eta(fast.epsilon, long.sigma_L))
        factor = np.sqrt(rise * (1 - q) / (1 - q / long.gamma**2))
        ratio = noise_by_level(fast, long)[1:] / np.array(long.sigmas)
        assert ratio[-1] == pytest.approx(factor, rel=1e-4)
        ends = noise_by_level(slow, long)[-2:]
        decay = (1 - eta(slow.epsilon, long.sigma_L)) ** n_sigma
        assert ends[1] / ends[0] == pytest.approx(decay, rel=1e-4) and decay > long.gamma


@pytest.mark.parametrize(("sampler", "known"), KNOWN.items(), ids=str)
def test_the_values_of_figure_1(sampler, known):
    curve = noise_by_level(sampler, FIGURE_1)
    for quarter, digits in enumerate(known.split(), start=1):
        half_a_digit = float(Decimal(5).scaleb(Decimal(digits).as_tuple().exponent - 1))
        # Allows one thousandth more: the printed 12.77 is 12.7649985, rounded by way of 12.765.
        given = pytest.approx(float(digits), abs=1.001 * half_a_digit)
        assert noise_at(curve, quarter / 4) == given


def test_the_quarters_of_the_figure_are_the_ends_of_whole_levels():
    for n_sigma in (1, 2, 5, 20):
        sampler = Als(epsilon=2e-6, n_sigma=n_sigma)
        curve, levels = noise_by_level(sampler, FIGURE_1), noise_levels(sampler, FIGURE_1)
        for quarter, level in enumerate((58, 116, 174, 232), start=1):
            assert noise_at(curve, quarter / 4) == pytest.approx(levels[level * n_sigma], rel=1e-12)


def test_consistent_sampling_is_at_the_same_noise_however_many_its_steps():
    # The authors' figure has 23,201 levels; 232 levels dilated by 100 are 23,101.
    authors = Cas(epsilon=2e-5), FIGURE_1.replace(n_levels=23_201)
    for sampler, schedule in (authors, (Cas(epsilon=2e-5, n_sigma=100), FIGURE_1)):
        curve = noise_by_level(sampler, schedule)
        for quarter in range(5):
            wanted = 50 * (0.01 / 50) ** (quarter / 4)
            assert noise_at(curve, quarter / 4) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("function", [noise_levels, closed_form, noise_by_level])
def test_inadmissible_step_sizes_are_refused(function):
    with pytest.raises(InputError, match=r"epsilon must be in \(.*\) for cas"):
        function(Cas(epsilon=0.9 * STEP), SCHEDULE)
