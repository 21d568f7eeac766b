"""Tests of the group normalisation for GPUs against PyTorch's, on the CPU."""

import pytest
import torch

from scorelib.devices.precision import computing_in
from scorelib.networks import DdpmUNet, NcsnPp, ResNetClassifier
from scorelib.networks.layers import group_norm
from scorelib.networks.layers.group_norm import GroupNorm, fused_group_norm


def on_a_gpu(monkeypatch, on=True):
    """Lets every group normalisation work as on a GPU, or as on a CPU."""
    monkeypatch.setattr(group_norm, "uses_fused", lambda x: on)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_fused_norm_keeps_layout_and_type_and_equals_pytorchs(layout, dtype):
    norm = torch.nn.GroupNorm(3, 6, eps=1e-6).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 3 * torch.randn(4, 6, 5, 7, dtype=torch.float64) + torch.arange(6.0)[:, None, None]
    x = x.to(dtype).contiguous(memory_format=layout)
    expected = norm(x.double()).detach()
    kept = norm if dtype == torch.float64 else norm.float()  # as under autocast
    found = fused_group_norm(x, kept).detach()
    assert found.dtype == dtype and found.is_contiguous(memory_format=layout)
    error = {torch.float32: 2e-6, torch.bfloat16: 2**-8, torch.float64: 1e-14}[dtype]
    largest = error * expected.abs().max().item()
    torch.testing.assert_close(found.double(), expected, rtol=error, atol=largest)


@pytest.mark.parametrize("n_groups", [1, 2, 6])
def test_gradients_of_the_fused_norm(n_groups):
    norm = GroupNorm(n_groups, 6).double()
    x = torch.randn(2, 6, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: fused_group_norm(x, norm), (x,))


@pytest.mark.parametrize(
    "spec", [DdpmUNet(width=8, multipliers=(1, 2), n_blocks=1), NcsnPp(width=8, n_blocks=1)]
)
def test_a_network_with_the_fused_norm_is_the_same_in_its_layout_and_type(spec, monkeypatch):
    network = spec.build((3, 16, 16)).to(memory_format=torch.channels_last).eval()
    for name, parameter in network.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(parameter, 1.0, 0.1)
        elif parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)  # the published start hides the blocks
    x = torch.rand(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    results, kept = [], []
    for fused in (False, True):
        on_a_gpu(monkeypatch, fused)
        results.append(network(x, torch.ones(2)).detach())
    assert 0 < (results[0] - results[1]).norm() < 1e-5 * results[0].norm()

    def note(_module, _inputs, out):
        kept.append((out.dtype, out.is_contiguous(memory_format=torch.channels_last)))

    for module in network.modules():
        if isinstance(module, GroupNorm):
            module.register_forward_hook(note)
    with computing_in("bf16", "cpu"), torch.inference_mode():
        network(x, torch.ones(2))
    assert len(kept) > 5 and {contiguous for _, contiguous in kept} == {True}
    assert torch.bfloat16 in {dtype for dtype, _ in kept}


def test_every_group_normalisation_of_the_networks_is_this_one():
    for network in (
        DdpmUNet(width=8, multipliers=(1, 2), n_blocks=1).build((3, 16, 16)),
        NcsnPp(width=8, n_blocks=1).build((3, 16, 16)),
        ResNetClassifier(width=8).build((3, 16, 16), 10),
    ):
        plain = [m for m in network.modules() if isinstance(m, torch.nn.GroupNorm)]
        assert plain and all(isinstance(module, GroupNorm) for module in plain)
