"""Tests of the figure of noise during sampling: its curves and their panels."""

import numpy as np
import pytest

from dashboards.figures.noise_levels import noise_figure
from scorelib.exact.noise_level import noise_at, noise_by_level
from scorelib.samplers import Als, Cas
from scorelib.schedules import GeometricSchedule

SCHEDULE = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232)
CAS = noise_by_level(Cas(epsilon=2e-5, n_sigma=100), SCHEDULE).tolist()
ALS = {n: noise_by_level(Als(epsilon=2e-6, n_sigma=n), SCHEDULE).tolist() for n in (1, 20)}


def shown(curves):
    """Returns the lines of the left and the right panel of the figure."""
    left, right = noise_figure(curves, SCHEDULE.sigmas).panels
    assert left.y.is_log and right.y.is_log
    return left.marks, right.marks


def test_consistent_sampling_lies_on_the_schedule_and_has_no_gap_to_show():
    (schedule, curve), gaps = shown({"CAS": CAS})
    assert (schedule.label, curve.label) == ("schedule", "CAS") and not gaps
    assert curve.style == "dash" and tuple(schedule.y) == tuple(SCHEDULE.sigmas)


@pytest.mark.parametrize("n_sigma", [1, 20])
def test_langevin_sampling_is_above_the_schedule_in_both_panels(n_sigma):
    (_, cas, als), (gap,) = shown({"CAS": CAS, "ALS": ALS[n_sigma]})
    assert als.style == "solid" and als.colour == gap.colour != cas.colour
    assert gap.label == "ALS" and min(gap.y) > 0 and len(gap.x) > 0.9 * len(als.x)


def test_every_value_is_where_the_axes_say():
    (schedule, curve), (gap,) = shown({"ALS": ALS[1]})
    assert list(schedule.x) == list(range(1, SCHEDULE.n_levels + 1))
    assert curve.y == ALS[1] and (curve.x[0], curve.x[-1]) == (1, SCHEDULE.n_levels)
    for at in (20, 100, 220):
        share = (gap.x[at] - 1) / (SCHEDULE.n_levels - 1)
        above = noise_at(ALS[1], share) - noise_at(SCHEDULE.sigmas, share)
        assert gap.y[at] == pytest.approx(above, rel=1e-3)
    assert np.all(np.diff(curve.x) > 0)
