"""Tests of Winograd's convolutions against PyTorch's, and of where the networks use them."""

import pytest
import torch
import torch.nn.functional as F

from scorelib.devices.precision import computing_in
from scorelib.networks import DdpmUNet, Ncsnv2
from scorelib.networks.layers import winograd
from scorelib.networks.layers.winograd import FEWEST_CHANNELS, FEWEST_TILES, Conv3x3, convolved
from scorelib.networks.size import multiply_adds


@pytest.fixture
def calls(monkeypatch):
    """The shapes of the inputs of Winograd's convolutions."""
    shapes = []

    def noted(x, weight, bias):
        shapes.append(tuple(x.shape))
        return convolved(x, weight, bias)

    monkeypatch.setattr(winograd, "convolved", noted)
    return shapes


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("together", [1, 2**10, 2**17])
def test_a_convolution_is_that_of_pytorch(layout, biased, together, monkeypatch):
    monkeypatch.setattr(winograd, "MOST_VALUES", together)
    x = torch.randn(7, 5, 8, 12, dtype=torch.float64).contiguous(memory_format=layout)
    weight = torch.randn(7, 5, 3, 3, dtype=torch.float64).contiguous(memory_format=layout)
    bias = torch.randn(7, dtype=torch.float64) if biased else None
    found = convolved(x, weight, bias)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, F.conv2d(x, weight, bias, padding=1))


def test_the_rounding_is_some_times_that_of_pytorch():
    x, weight = torch.randn(2, 96, 16, 16) + 1, torch.randn(64, 96, 3, 3)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    plain, found = F.conv2d(x, weight, padding=1), convolved(x, weight, None)
    assert (found - exact).norm() < 8 * (plain - exact).norm()
    assert (found - exact).norm() < 4e-6 * exact.norm()


@pytest.mark.parametrize("spec", [Ncsnv2(ngf=64), DdpmUNet(width=64, n_blocks=1)])
def test_a_network_moves_by_rounding_only(spec, calls):
    network = spec.build((3, 16, 16))
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=(parameter[0].numel() / 2) ** -0.5)
    x = torch.rand(16, 3, 16, 16)
    plain = network(x, torch.ones(16)).detach()
    assert not calls
    with torch.inference_mode():
        found = network(x, torch.ones(16))
    assert len(calls) > 5 and min(channels for _, channels, *_ in calls) == FEWEST_CHANNELS
    assert 0 < (found - plain).norm() < 1e-5 * plain.norm()


def test_only_passes_in_float32_without_gradients_use_the_algorithm(calls):
    conv, x = Conv3x3(64, 64), torch.randn(FEWEST_TILES, 64, 4, 4)
    conv(x)
    with torch.no_grad():
        conv(x[..., :2])
        conv(x[1:])
        conv.double()(x.double())
        conv.float()
        Conv3x3(64, 64, dilation=2)(x)
        Conv3x3(64, 32)(x)
        with computing_in("bf16", "cpu"):
            conv(x)
        assert not calls
        conv(x)
        assert len(calls) == 1


def test_multiply_adds_are_those_of_the_convolution(calls):
    assert multiply_adds(Conv3x3(64, 64), (64, 4, 4)) == 16 * 64 * 64 * 9
    assert not calls
