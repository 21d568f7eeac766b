"""Tests of the exponential linear unit against PyTorch's, its derivatives, and special values."""

import pytest
import torch
import torch.nn.functional as F

from scorelib.networks.layers.elu import elu

SPECIAL = torch.tensor([float("inf"), -float("inf"), float("nan"), 0.0, 1e-9, -1e-9, 88.8, -104.0])


@pytest.mark.parametrize(
    ("dtype", "most"),
    [(torch.float64, 2e-16), (torch.float32, 6e-8), (torch.bfloat16, 2**-8)],
)
def test_the_function_is_that_of_pytorch_up_to_rounding(dtype, most):
    x = torch.cat([torch.linspace(-120, 120, 100_001), SPECIAL]).to(dtype)
    torch.testing.assert_close(elu(x), F.elu(x), rtol=0, atol=most, equal_nan=True)


def test_derivatives_by_finite_differences():
    x = torch.cat([torch.linspace(-3, 3, 20), torch.tensor([-40.0, 40.0])]).double()
    assert torch.autograd.gradcheck(elu, x.requires_grad_())
    assert torch.autograd.gradgradcheck(elu, x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_layout_and_input_stay(layout):
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=layout)
    before = x.clone()
    assert elu(x).is_contiguous(memory_format=layout) and torch.equal(x, before)
    strided = x[:, :, ::2, 1:]
    torch.testing.assert_close(elu(strided), F.elu(strided), rtol=0, atol=6e-8)


def test_a_compiled_network_has_the_same_gradient():
    compiled = torch.compile(lambda x: 2 * elu(x), backend="aot_eager", fullgraph=True)
    x = torch.linspace(-2, 2, 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(compiled(x).sum(), x)
    torch.testing.assert_close(gradient, 2 * x.exp().clamp_max(1).detach())
