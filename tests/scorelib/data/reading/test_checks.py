"""Tests of the checks of published data sets: noise, blanks and repetitions are told apart."""

from pathlib import Path

import pytest
import torch

from scorelib.data import Photographs
from scorelib.data.reading.checks import require_natural
from scorelib.errors import MissingDataError


@pytest.fixture(scope="module")
def photographs():
    return (Photographs(size=16, n=300).load("train")[0] * 255).round().to(torch.uint8)


def test_photographs_pass_with_their_own_mean_and_fail_with_another(photographs):
    mean = (photographs.double() / 255).mean((0, 2, 3)).tolist()
    require_natural(photographs, "photographs", Path("here"), mean)
    require_natural(photographs, "photographs", Path("here"))
    with pytest.raises(MissingDataError, match="the channels have the means"):
        require_natural(photographs, "photographs", Path("here"), [m + 0.1 for m in mean])


def test_small_photographs_are_no_repetitions():
    pixels = (Photographs(size=4, n=2000).load("train")[0] * 255).round().to(torch.uint8)
    require_natural(pixels, "photographs", Path("here"))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("noise", "neighbouring pixels of 100% of the images are uncorrelated"),
        ("half noise", "neighbouring pixels of 5.% of the images are uncorrelated"),
        ("a quarter noise", "neighbouring pixels of 2.% of the images are uncorrelated"),
        ("zeros", "100% of the images are repeated"),
        ("half zeros", "50% of the images are repeated"),
        ("repeated", "50% of the images are repeated"),
    ],
)
def test_what_is_no_set_of_photographs_is_refused(photographs, what, words):
    pixels = photographs.clone()
    half = len(pixels) // 2
    noise = torch.randint(0, 256, pixels.shape, dtype=torch.uint8)
    if "noise" in what:
        step = {"noise": 1, "half noise": 2, "a quarter noise": 4}[what]
        pixels[::step] = noise[::step]
    elif what == "zeros":
        pixels[:] = 0
    elif what == "half zeros":
        pixels[half:] = 0
    else:
        pixels[half:] = pixels[:half]
    with pytest.raises(MissingDataError, match=words) as caught:
        require_natural(pixels, "a set", Path("here"))
    assert "here must hold the images of a set" in str(caught.value)
