"""The figure of the noise through sampling: what is drawn, where, and that it is reproducible."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from dashboards.figures.noise_figure import noise_figure
from scorelib.exact.noise_level import noise_at, noise_by_level
from scorelib.samplers import Als, Cas
from scorelib.schedules import GeometricSchedule

SCHEDULE = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232)
CAS = noise_by_level(Cas(epsilon=2e-5, n_sigma=100), SCHEDULE)
ALS = {n: noise_by_level(Als(epsilon=2e-6, n_sigma=n), SCHEDULE) for n in (1, 20)}


def drawn(curves):
    """The figure's left and right halves, without warnings, as arrays (height, width, 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = noise_figure(curves, SCHEDULE.sigmas)
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    return np.split(pixels, [pixels.shape[1] // 2], axis=1)


def warm(half):
    """Where the colours of curves off the schedule are."""
    return half[..., 0] - half[..., 2] > 60


def blue(half):
    """Where the colour of curves on the schedule is."""
    return half[..., 2] - half[..., 0] > 60


def row(mask, x):
    """Pixel row of a line at a column, below the legend."""
    return 140 + np.flatnonzero(mask[140:440, x]).mean()


def test_consistent_sampling_lies_on_the_schedule_and_has_no_gap_to_show():
    left, right = drawn({"CAS": CAS})
    assert blue(left).sum() > 300
    assert not warm(left).any() and not warm(right).any() and not blue(right).any()


@pytest.mark.parametrize("n_sigma", [1, 20])
def test_langevin_sampling_is_above_the_schedule_in_both_panels(n_sigma):
    left, right = drawn({"CAS": CAS, f"ALS {n_sigma}": ALS[n_sigma]})
    assert warm(left).sum() > 300 and warm(right).sum() > 300


def test_every_value_is_where_the_axes_say():
    left, _ = drawn({"ALS": ALS[1]})
    black = left.sum(2) < 40
    frame = np.flatnonzero(black[black.sum(1).argmax()])  # its lower or upper edge
    start, width = frame.min(), frame.max() - frame.min()
    # The schedule is a straight line of known slope: it tells the rows of one decade.
    decades_per_column = np.log10(50 / 0.01) / width
    rows_per_decade = (row(black, 700) - row(black, 350)) / 350 / decades_per_column
    for x in (350, 450, 550, 700):
        share = (x - start) / width
        decades = np.log10(noise_at(ALS[1], share) / noise_at(SCHEDULE.sigmas, share))
        gap = row(black, x) - row(warm(left), x)
        assert gap == pytest.approx(rows_per_decade * decades, abs=1.5)


def test_equal_curves_are_equal_files():
    curves = {"CAS": CAS, "ALS": ALS[1]}
    assert noise_figure(curves, SCHEDULE.sigmas) == noise_figure(curves, SCHEDULE.sigmas)
