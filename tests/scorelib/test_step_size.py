"""Tests of step sizes against the paper's published values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorelib.errors import InputError
from scorelib.schedules import GeometricSchedule
from scorelib.step_size import (
    cas_beta,
    cas_interval,
    epsilon_of_cas_beta,
    extrapolate_als,
    extrapolate_cas,
    relative_step,
    require_inside,
    round_significant,
    schedule_step,
)

CIFAR = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=232)
CHURCH = GeometricSchedule(sigma_1=140, sigma_L=0.01, n_levels=788)


@pytest.mark.parametrize(
    ("schedule", "n_sigma", "low"),
    [(CIFAR, 1, 3.620e-6), (CIFAR, 5, 7.347e-7), (CIFAR, 15, 2.455e-7),
     (CHURCH, 1, 1.206e-6), (CHURCH, 5, 2.423e-7)],
)  # fmt: skip
def test_lower_ends_of_the_admissible_interval(schedule, n_sigma, low):
    found, high = cas_interval(schedule.sigma_L, schedule.dilated(n_sigma).gamma)
    assert found == pytest.approx(low, rel=2e-3)
    assert schedule_step(schedule.sigma_L, schedule.gamma, n_sigma) == pytest.approx(found)
    assert high == pytest.approx(2 * schedule.sigma_L**2, rel=0.02)


def test_upper_end_on_cifar():
    assert cas_interval(0.01, CIFAR.gamma)[1] == pytest.approx(1.96e-4, rel=2e-3)


@pytest.mark.parametrize(
    ("epsilon", "schedule", "n_sigma", "beta"),
    [(5.6e-6, CIFAR, 1, 0.2017), (1.1e-6, CIFAR, 5, 0.0857), (5.45e-6, CIFAR, 1, 0.1939),
     (2.8e-6, CHURCH, 1, 0.1789)],
)  # fmt: skip
def test_known_betas(epsilon, schedule, n_sigma, beta):
    gamma = schedule.dilated(n_sigma).gamma
    assert cas_beta(epsilon, schedule.sigma_L, gamma) == pytest.approx(beta, abs=5e-5)


def test_the_published_extrapolations():
    carried = extrapolate_cas(5.6e-6, 0.01, CIFAR.gamma, n_from=1, n_to=5)
    assert round_significant(carried) == 1.1e-6
    assert round_significant(extrapolate_als(1.8e-5, n_from=1, n_to=5)) == 3.6e-6


@given(share=st.floats(0.02, 0.98), n=st.integers(1, 20), m=st.integers(1, 20))
def test_extrapolating_forth_and_back_is_the_identity(share, n, m):
    n, m = min(n, m), max(n, m)  # with n > m, beta could exceed 1
    low, high = cas_interval(0.01, CIFAR.gamma ** (1 / n))
    epsilon = low * (high / low) ** share
    there = extrapolate_cas(epsilon, 0.01, CIFAR.gamma, n_from=n, n_to=m)
    back = extrapolate_cas(there, 0.01, CIFAR.gamma, n_from=m, n_to=n)
    assert back == pytest.approx(epsilon, rel=1e-6)
    forth = extrapolate_als(epsilon, n_from=n, n_to=m)
    assert extrapolate_als(forth, n_from=m, n_to=n) == pytest.approx(epsilon)


@given(beta=st.floats(0.01, 0.99), beyond=st.booleans())
def test_beta_and_epsilon_invert_one_another(beta, beyond):
    epsilon = epsilon_of_cas_beta(beta, 0.01, 0.96, beyond_eta_1=beyond)
    assert cas_beta(epsilon, 0.01, 0.96) == pytest.approx(beta, rel=1e-9)
    assert (epsilon > 1e-4) == beyond


def test_carrying_a_step_size_keeps_r_within_two_percent():
    for epsilon in (4.5e-6, 5.6e-6, 7e-6):
        before = relative_step(epsilon, 0.01, CIFAR.gamma, 1)
        for n_to in (5, 15):
            carried = extrapolate_cas(epsilon, 0.01, CIFAR.gamma, n_from=1, n_to=n_to)
            assert relative_step(carried, 0.01, CIFAR.gamma, n_to) == pytest.approx(
                before, rel=0.02
            )


@pytest.mark.parametrize("epsilon", [3.6e-6, 1.97e-4, 0.0, -1.0])
def test_outside_the_interval_is_refused_with_the_interval(epsilon):
    with pytest.raises(InputError, match=r"epsilon must be in \(3.62e-06, 0.0001964\)"):
        cas_beta(epsilon, 0.01, CIFAR.gamma)


def test_a_beta_that_cannot_be_is_refused():
    # A beta of .5 at n_sigma 5 would become 1.118 at n_sigma 1.
    epsilon = epsilon_of_cas_beta(0.5, 0.01, CIFAR.gamma ** (1 / 5))
    with pytest.raises(InputError, match=r"beta must be in \(0, 1\)"):
        extrapolate_cas(epsilon, 0.01, CIFAR.gamma, n_from=5, n_to=1)


@given(value=st.floats(1e-12, 1e3))
def test_rounding_keeps_two_digits(value):
    rounded = round_significant(value)
    assert rounded == pytest.approx(value, rel=0.051)
    mantissa = rounded / 10 ** math.floor(math.log10(rounded) + 1e-9)
    assert mantissa * 10 == pytest.approx(round(mantissa * 10), abs=1e-6)


def test_an_interval_is_told_with_digits_that_tell_its_ends_apart():
    with pytest.raises(InputError, match=r"in \(0\.0099999, 0\.0100001\) for it; got 0\.0100002$"):
        require_inside(0.0100002, (0.0099999, 0.0100001), "it")
    with pytest.raises(InputError, match=r"in \(0\.0099999, 0\.01\) for it; got 0\.02$"):
        require_inside(0.02, (0.0099999, 0.0100001), "it")
    with pytest.raises(InputError, match=r"has none for it$"):
        require_inside(0.01, (0.01, 0.01), "it")
