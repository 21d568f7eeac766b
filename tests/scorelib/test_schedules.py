"""Tests of noise schedules: numbers of the papers and the report, and exact probabilities."""

import contextlib
import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi

from scorelib.errors import InputError
from scorelib.samplers import Als
from scorelib.schedules import (
    SCHEDULES,
    CosineSchedule,
    ExplicitSchedule,
    GeometricSchedule,
    LinearSchedule,
    Schedule,
    SigmoidSchedule,
    SpacedSchedule,
    SquaredCosineSchedule,
    as_geometric,
    coverage,
    n_levels_for_coverage,
)
from scorelib.spec import from_json, kinds_below
from scorelib.testing import check_schedule

CIFAR = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=232)


@pytest.mark.parametrize("n_sigma", [2, 5])
@pytest.mark.parametrize("family", SCHEDULES.values())
def test_dilation_keeps_every_trained_level_of_every_family(family, n_sigma):
    schedule = family(sigma_1=5.0, sigma_L=0.1, n_levels=8)
    listed = ExplicitSchedule(sigmas=schedule.sigmas)
    for dilated in (schedule.dilated(n_sigma), listed.dilated(n_sigma)):
        assert dilated.n_levels == 7 * n_sigma + 1 and dilated.sigma_L == 0.1
        assert dilated.sigmas[::n_sigma] == pytest.approx(schedule.sigmas, rel=1e-12)
    assert type(schedule.dilated(n_sigma)) is family and listed.dilated(1) is listed
    # Geometric progressions join listed levels: all ratios of a step are its n-th root.
    ratios = listed.dilated(n_sigma).ratios
    wanted = [gamma ** (1 / n_sigma) for gamma in schedule.ratios for _ in range(n_sigma)]
    assert ratios == pytest.approx(wanted) and min(schedule.ratios) == pytest.approx(
        schedule.gamma_min
    )


@pytest.mark.parametrize("n_sigma", [1, 2, 5, 100])
@pytest.mark.parametrize("schedule", [CIFAR, GeometricSchedule(sigma_1=2, sigma_L=1, n_levels=2)])
def test_dilation_keeps_the_ends_and_every_trained_level(schedule, n_sigma):
    dilated = schedule.dilated(n_sigma)
    assert dilated.n_levels == (schedule.n_levels - 1) * n_sigma + 1
    assert dilated.sigmas[0] == schedule.sigma_1 and dilated.sigmas[-1] == schedule.sigma_L
    assert dilated.sigmas[::n_sigma] == pytest.approx(schedule.sigmas, rel=1e-12)
    assert dilated.gamma == pytest.approx(schedule.gamma ** (1 / n_sigma), rel=1e-14)


def test_levels_strictly_decrease_by_gamma():
    ratios = [b / a for a, b in itertools.pairwise(CIFAR.sigmas)]
    assert ratios == pytest.approx([CIFAR.gamma] * 231, rel=1e-12)
    assert CIFAR.gamma < 1


@pytest.mark.parametrize("family", SCHEDULES.values())
@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_1": 0.01, "sigma_L": 0.01, "n_levels": 5},
        {"sigma_1": 0.01, "sigma_L": 1.0, "n_levels": 5},
        {"sigma_1": 1.0, "sigma_L": 0.0, "n_levels": 5},
        {"sigma_1": 1.0, "sigma_L": 0.1, "n_levels": 1},
    ],
)
def test_schedules_that_do_not_decrease_are_refused(family, wrong):
    with pytest.raises(InputError, match=r"sigmas must strictly decrease|n_levels must be"):
        family(**wrong)


def test_no_dilation_below_one():
    with pytest.raises(InputError, match="n_sigma must be at least 1; got 0"):
        CIFAR.dilated(0)


def test_coverage_gives_the_known_numbers_of_levels():
    # C = 0.5 requires 219 levels on CIFAR-10; the paper's 232 levels have C = 0.567.
    assert n_levels_for_coverage(50, 0.01, 3072) == 219
    assert coverage(CIFAR.gamma, 3072) == pytest.approx(0.567, abs=5e-4)


@pytest.mark.parametrize("n_dimensions", [16, 64, 12288])
def test_the_chosen_number_of_levels_is_the_nearest_to_the_target(n_dimensions):
    n_levels = n_levels_for_coverage(50, 0.01, n_dimensions)

    def miss(n):
        gamma = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=n).gamma
        return abs(coverage(gamma, n_dimensions) - 0.5)

    assert all(miss(n_levels) <= 1.02 * miss(n) for n in (n_levels - 1, n_levels + 1) if n > 1)


def test_two_levels_are_enough_in_two_dimensions():
    assert n_levels_for_coverage(50, 0.01, 2) == 2
    assert coverage(0.01 / 50, 2) > 0.5


@pytest.mark.parametrize("family", SCHEDULES.values())
def test_any_family_may_have_a_single_level(family):
    single = family(sigma_1=0.1, sigma_L=0.1, n_levels=1)
    check_schedule(single)
    assert single.sigmas == (0.1,) and single.coverages(3) == ()
    if isinstance(single, CosineSchedule):
        with pytest.raises(InputError, match="at least 2 to define alpha"):
            _ = single.alpha


def test_a_schedule_may_have_a_single_level():
    single = GeometricSchedule(sigma_1=0.1, sigma_L=0.1, n_levels=1)
    levels = ExplicitSchedule(sigmas=(0.1,))
    assert levels.dilated(5) == levels and Als(epsilon=2e-3).relative_step(single) is None
    assert single.sigmas == (0.1,) and single.dilated(5) == single
    still = torch.zeros(3, 2)
    walk = Als(epsilon=2e-3, n_sigma=10).walk(lambda x, _: -x, still, single, lambda: still)
    assert [state.sigma for state in walk] == [0.1] * 10
    for ask in (lambda: single.gamma, lambda: single.gamma_min, lambda: levels.gamma_min):
        with pytest.raises(InputError, match="ratio of levels"):
            ask()
    for wrong in ({"sigma_1": 0.2}, {"n_levels": 2}, {"n_levels": 0}):
        with pytest.raises(InputError):
            single.replace(**wrong)


REPORTS = {"sigma_1": 1.0, "sigma_L": 0.01, "n_levels": 10}
"""The levels of the report; its L - 1 is 9."""


def test_the_report_s_families_have_its_numbers():
    assert list(SCHEDULES)[:5] == ["geometric", "linear", "cosine", "squared_cosine", "sigmoid"]
    assert CosineSchedule(**REPORTS).alpha == pytest.approx(1.0064, abs=5e-5)
    assert SquaredCosineSchedule(**REPORTS).alpha == pytest.approx(1.068, abs=5e-4)
    k = np.arange(10)
    # The printed digits of alpha leave this uncertainty of the last level.
    for family, alpha, power, slack in ((CosineSchedule, 1.0064, 1, 1e-4),
                                        (SquaredCosineSchedule, 1.068, 2, 2e-4)):  # fmt: skip
        printed = np.cos(k / (alpha * 9) * np.pi / 2) ** power
        np.testing.assert_allclose(family(**REPORTS).sigmas, printed, atol=slack)
    np.testing.assert_allclose(LinearSchedule(**REPORTS).sigmas, 1 - 0.11 * k, atol=1e-15)
    np.testing.assert_allclose(GeometricSchedule(**REPORTS).sigmas, 0.01 ** (k / 9), rtol=1e-12)


def test_the_sigmoid_is_the_report_s_curve_mapped_onto_its_own_ends():
    k = np.arange(10)
    printed = -1 / (1 + np.exp(-k + 2.5)) + 1.009  # with the sign that gives a fall from about 1
    assert printed[[0, -1]] == pytest.approx([0.933, 0.0105], abs=5e-4)
    mapped = 0.01 + 0.99 * (printed - printed[-1]) / (printed[0] - printed[-1])
    np.testing.assert_allclose(SigmoidSchedule(**REPORTS).sigmas, mapped, rtol=1e-12)
    # Another number of levels gives the same curve: every tenth of 91 levels is one of the ten.
    finer = SigmoidSchedule(**REPORTS | {"n_levels": 91})
    np.testing.assert_allclose(finer.sigmas[::10], SigmoidSchedule(**REPORTS).sigmas, rtol=1e-12)


@pytest.mark.parametrize("family", SCHEDULES.values())
@given(sigma_1=st.floats(0.01, 1e4), ratio=st.floats(1e-7, 0.99), n_levels=st.integers(2, 300))
def test_levels_of_all_families_strictly_decrease_between_exact_ends(
    family, sigma_1, ratio, n_levels
):
    check_schedule(family(sigma_1=sigma_1, sigma_L=sigma_1 * ratio, n_levels=n_levels))


def test_only_the_geometric_schedule_has_one_ratio():
    for name, family in SCHEDULES.items():
        schedule = family(**REPORTS)
        ratios = [b / a for a, b in itertools.pairwise(schedule.sigmas)]
        assert (max(ratios) - min(ratios) < 1e-12) == (name == "geometric")
        if name == "geometric":
            assert as_geometric(schedule, "it") is schedule
        else:
            why = f"^it needs a geometric .*; got one of the family {name!r}$"
            with pytest.raises(InputError, match=why):
                as_geometric(schedule, "it")
    with pytest.raises(InputError, match="lacks _inner"):
        SpacedSchedule(**REPORTS)


@pytest.mark.parametrize("family", SCHEDULES.values())
@pytest.mark.parametrize("n_dimensions", [784, 3072])
def test_the_coverage_of_each_level_is_the_share_of_noise_within_reach(family, n_dimensions):
    # Exact values: norms of noise are chi. Song and Ermon's normal approximation is within 1.5%.
    schedule = family(sigma_1=1.0, sigma_L=0.2, n_levels=60)
    sigmas = np.array(schedule.sigmas)
    before, after = sigmas[:-1], sigmas[1:]
    root = math.sqrt(n_dimensions)
    low, high = ((root + s * 3 / math.sqrt(2)) * before / after for s in (-1, 1))
    exact = chi.cdf(high, n_dimensions) - chi.cdf(low, n_dimensions)
    found = schedule.coverages(n_dimensions)
    assert found == pytest.approx(exact, abs=0.015)
    assert max(found) > 0.5


def test_coverages_as_the_report_argues():
    # Ten geometric levels from 1 to .01 have no coverage at 32 x 32 x 3. The linear and the cosine
    # families have their best coverage at the high levels, the sigmoid its worst in between.
    assert max(GeometricSchedule(**REPORTS).coverages(3072)) < 1e-12
    found = {name: np.array(f(**REPORTS).coverages(20)) for name, f in SCHEDULES.items()}
    assert np.ptp(found["geometric"]) < 1e-12
    for name in ("linear", "cosine", "squared_cosine"):
        assert (np.diff(found[name]) < 0).all()
    worst = found["sigmoid"].argmin()
    assert 0 < worst < 8
    assert (np.diff(found["sigmoid"][: worst + 1]) < 0).all()
    assert (np.diff(found["sigmoid"][worst:]) > 0).all()


def test_coverages_of_a_geometric_schedule_are_one_number():
    assert CIFAR.coverages(3072) == pytest.approx([coverage(CIFAR.gamma, 3072)] * 231, rel=1e-9)


def test_keys_of_geometric_schedules_are_those_of_stored_results():
    assert CIFAR.key == "9e0b9efa30482fc795c78d8c5e2b2217"
    assert len({family(**REPORTS).key for family in SCHEDULES.values()}) == len(SCHEDULES)


@dataclass(frozen=True, kw_only=True)
class StepSchedule(SpacedSchedule):
    """A schedule whose inner levels all have one height, which may be an invalid level."""

    name = "step"
    height: float

    def _inner(self, k):
        return self.height


def test_levels_that_a_family_s_own_fields_spoil_are_refused():
    ends = {"sigma_1": 1.0, "sigma_L": 0.1}
    right = StepSchedule(**ends, n_levels=3, height=0.5)
    assert right.sigmas == (1.0, 0.5, 0.1) and right.title == "step, height = 0.5"
    assert SquaredCosineSchedule(**REPORTS).title == "squared cosine"
    for n_levels, height in ((4, 0.5), (3, 0.1), (3, 1.0), (3, 0.01)):
        with pytest.raises(InputError, match=r"levels must strictly decrease; got .* after "):
            StepSchedule(**ends, n_levels=n_levels, height=height)


@pytest.mark.parametrize("ends", [(50.0, 0.01), (1.0, 1.0 - 1e-9), (1e200, 1e-200), (1.0, 5e-324)])
@pytest.mark.parametrize("n_levels", [2, 3, 232, 100_000])
def test_geometric_levels_are_refused_where_a_look_at_each_would_refuse_them(ends, n_levels):
    sigma_1, sigma_L = ends
    gamma = (sigma_L / sigma_1) ** (1 / (n_levels - 1))
    levels = [sigma_1, *(sigma_1 * gamma**k for k in range(1, n_levels - 1)), sigma_L]
    decrease = all(later < earlier for earlier, later in itertools.pairwise(levels))
    with contextlib.nullcontext() if decrease else pytest.raises(InputError, match="decrease"):
        schedule = GeometricSchedule(sigma_1=sigma_1, sigma_L=sigma_L, n_levels=n_levels)
        assert schedule.sigmas == tuple(levels)


LEVELS = ExplicitSchedule(sigmas=(7.0, 3.0, 1.0, 0.3, 0.05))


def test_a_list_of_levels_is_a_schedule():
    assert (LEVELS.sigma_1, LEVELS.sigma_L, LEVELS.n_levels) == (7.0, 0.05, 5)
    assert LEVELS.coverages(12) == tuple(
        coverage(b / a, 12) for a, b in itertools.pairwise(LEVELS.sigmas)
    )
    assert from_json(LEVELS.to_json()) == LEVELS and ExplicitSchedule in kinds_below(Schedule)
    assert LEVELS.title == "explicit (7, 3, 1, 0.3, 0.05)"
    # ALS passes the listed levels, with the same share of the way at each.
    updates = Als(epsilon=0.05**2 / 10, n_sigma=2).updates(LEVELS)
    assert [u.sigma for u in updates] == [s for s in LEVELS.sigmas for _ in range(2)]
    assert [u.eta for u in updates] == pytest.approx([0.1] * 10)


def test_long_lists_of_levels_have_short_titles_that_differ():
    long = ExplicitSchedule(sigmas=tuple(range(100, 0, -1)))
    other = ExplicitSchedule(sigmas=(100.0, 99.0, 98.0, 1.5, *long.sigmas[-96:][-1:]))
    assert long.title.startswith("explicit (100, 99, 98, ..., 1, list ") and len(long.title) < 50
    near = long.replace(sigmas=(*long.sigmas[:50], 49.5, *long.sigmas[51:]))
    assert near.title != long.title != other.title


@pytest.mark.parametrize(
    ("sigmas", "words"),
    [
        ((), "at least one level"),
        ((1.0, 0.0), "all above 0"),
        ((1.0, -1.0), "all above 0"),
        ((1.0, 1.0), "levels must strictly decrease; got 1 after 1"),
        ((0.1, 1.0), "levels must strictly decrease; got 1 after 0.1"),
    ],
)
def test_a_list_that_is_no_schedule_is_refused(sigmas, words):
    with pytest.raises(InputError, match=words):
        ExplicitSchedule(sigmas=sigmas)


def test_what_needs_a_ratio_refuses_a_list_of_levels():
    evenly = ExplicitSchedule(sigmas=(4.0, 2.0, 1.0))  # also where the ratios happen to be equal
    with pytest.raises(InputError, match=r"geometric .*; got one of the family 'explicit'"):
        as_geometric(evenly, "it")
