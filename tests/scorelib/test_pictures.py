"""Tests of pictures: pixels of grids; positions of points, and equal files for equal points."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from scorelib.pictures import enlargement, grid_png, scatter_png

SQUARE = torch.tensor([[x, y] for x in (0.0, 4.0) for y in (0.0, 4.0)])
"""Data whose frame is [-1, 5] x [-1, 5]."""


def crosses(samples, data=SQUARE):
    """Returns row and column of every red pixel."""
    image = Image.open(io.BytesIO(scatter_png(data, samples))).convert("RGB")
    assert image.size == (600, 600)
    red, green, blue = np.moveaxis(np.asarray(image).astype(int), 2, 0)
    return set(zip(*np.nonzero((red > 150) & (green < 90) & (blue < 90)), strict=True))


def title(samples):
    """Returns the pixels above the frame."""
    image = Image.open(io.BytesIO(scatter_png(SQUARE, samples))).convert("L")
    return np.asarray(image)[:25].tobytes()


@pytest.mark.parametrize("columns", [1, 3, 8])
@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 4, 4), (7, 1, 3, 5), (8, 3, 70, 66)])
def test_a_grid_is_that_of_torchvision(shape, columns):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    images[0, :, 0, :2] = torch.tensor([0.0, 1.0])
    big = torch.nn.functional.interpolate(images, scale_factor=enlargement(shape[-1]))
    grid = make_grid(big, nrow=columns, padding=4, pad_value=1.0)
    expected = io.BytesIO()
    to_pil_image(grid).save(expected, "PNG")
    assert grid_png(images, columns) == expected.getvalue()


def test_equal_points_are_equal_files_and_leave_no_figure_open():
    points = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    first = scatter_png(SQUARE, points)
    assert scatter_png(SQUARE.clone(), points.clone()) == first
    assert scatter_png(SQUARE, points + 0.5) != first
    assert scatter_png(SQUARE + 0.5, points) != first
    assert plt.get_fignums() == []


def test_a_cross_is_where_its_sample_is():
    legend = crosses(torch.zeros(0, 2))
    centres = []
    for point in ([1.0, 1.0], [3.0, 1.0], [1.0, 3.0]):
        drawn = np.array(sorted(crosses(torch.tensor([point])) - legend))
        assert 10 < len(drawn) < 200
        centres.append(drawn.mean(axis=0))
    corner, right, above = centres
    wide, high = right - corner, above - corner
    assert wide[1] > 100 and abs(wide[0]) < 2, "not to the right"
    assert high[0] < -100 and abs(high[1]) < 2, "not upwards"
    assert wide[1] == pytest.approx(-high[0], abs=2), "a circle must stay round"


def test_samples_beyond_the_frame_are_counted_and_do_not_move_it():
    inside = torch.tensor([[1.0, 2.0], [5.0, -1.0]])
    beyond = torch.tensor([[1.0, 5.1], [-1e30, 2.0], [1e6, 1e6]])
    assert crosses(torch.cat([inside, beyond])) == crosses(inside)
    none, three = torch.cat([inside, inside[:1].repeat(3, 1)]), torch.cat([inside, beyond])
    assert title(three) == title(torch.cat([inside, -beyond])) != title(none)
