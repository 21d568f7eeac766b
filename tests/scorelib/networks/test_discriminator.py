"""Tests of the discriminator: published counts, a plain version, spectral norm, gradients."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from scorelib.errors import InputError
from scorelib.networks import BigGanDiscriminator, multiply_adds, n_parameters
from scorelib.spec import from_json

SMALL = BigGanDiscriminator(width=2)


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("size", "parameters"), [(28, 4_204_801), (32, 4_204_801), (64, 19_542_721)]
)
def test_published_parameter_counts(size, parameters):
    with torch.device("meta"):
        discriminator = BigGanDiscriminator().build((3, size, size))
    assert n_parameters(discriminator) == parameters


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (8, [4, 2, 2, 2]),
        (28, [14, 7, 7, 7]),
        (32, [16, 8, 8, 8]),
        (64, [32, 16, 8, 4, 4]),
    ],
)
def test_the_first_blocks_halve_the_image(size, expected):
    discriminator = SMALL.build((1, size, size))
    sizes = []
    for block in discriminator.blocks:
        block.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
    assert discriminator(torch.rand(3, 1, size, size)).shape == (3,)
    assert sizes == expected


def weights_of(discriminator):
    return {
        name: (module.weight.detach(), module.bias.detach())
        for name, module in discriminator.named_modules()
        if hasattr(module, "bias")
    }


@pytest.mark.parametrize(("size", "n_halvings"), [(16, 2), (64, 4)])
def test_against_a_plain_transcription(size, n_halvings):
    discriminator = SMALL.build((3, size, size)).double()
    for module in discriminator.modules():
        if hasattr(module, "bias"):
            torch.nn.init.normal_(module.bias)
    w = weights_of(discriminator)
    x = h = torch.randn(2, 3, size, size, dtype=torch.float64)  # denoised images can be negative
    for i in range(len(discriminator.blocks)):
        out = h if i == 0 else F.relu(h)
        out = F.conv2d(out, *w[f"blocks.{i}.conv1"], padding=1)
        out = F.conv2d(F.relu(out), *w[f"blocks.{i}.conv2"], padding=1)
        shortcut = F.conv2d(h, *w[f"blocks.{i}.shortcut"]) if f"blocks.{i}.shortcut" in w else h
        h = out + shortcut
        if i < n_halvings:
            h = F.avg_pool2d(out, 2) + F.avg_pool2d(shortcut, 2)
    expected = F.linear(F.relu(h).sum((2, 3)), *w["last"])[:, 0]
    torch.testing.assert_close(discriminator(x), expected)


def test_the_last_equal_blocks_of_the_smaller_one_have_no_shortcut_layer():
    kinds = [type(block.shortcut).__name__ for block in SMALL.build((3, 32, 32)).blocks]
    assert kinds == ["ParametrizedConv2d", "ParametrizedConv2d", "Identity", "Identity"]


def test_every_layer_has_norm_one():
    discriminator = BigGanDiscriminator(width=4).build((3, 16, 16)).double()
    for _ in range(200):
        discriminator.refresh_norms()
    for weight, _ in weights_of(discriminator).values():
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def vectors_of(discriminator):
    return {k: v.clone() for k, v in discriminator.state_dict().items() if k[-2:] in ("_u", "_v")}


def test_a_refresh_is_one_power_iteration_and_a_pass_is_none():
    discriminator = SMALL.build((3, 16, 16))
    x = torch.rand(4, 3, 16, 16)
    before = vectors_of(discriminator)
    assert torch.equal(discriminator(x), discriminator(x))
    assert all(torch.equal(before[k], v) for k, v in vectors_of(discriminator).items())
    discriminator.refresh_norms()
    after = vectors_of(discriminator)
    assert len(after) == 2 * (2 * 4 + 2 + 1)
    for name, weight in discriminator.state_dict().items():
        if name.endswith("original"):
            stem = name.removesuffix("original")
            matrix = weight.flatten(1)
            u = F.normalize(matrix @ before[f"{stem}0._v"], dim=0)
            v = F.normalize(matrix.T @ u, dim=0)
            torch.testing.assert_close(after[f"{stem}0._u"], u)
            torch.testing.assert_close(after[f"{stem}0._v"], v)


def test_each_answer_is_of_its_own_image():
    discriminator = SMALL.build((1, 8, 8)).double()
    x = torch.rand(5, 1, 8, 8, dtype=torch.float64)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(discriminator(x[order]), discriminator(x)[order])
    torch.testing.assert_close(discriminator(x[2:3]), discriminator(x)[2:3])


def test_gradients_against_finite_differences():
    discriminator = BigGanDiscriminator(width=1).build((1, 8, 8)).double()
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(discriminator, (x,), fast_mode=True)
    parameters = dict(discriminator.named_parameters())

    def of_parameters(*values):
        state = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(discriminator, state, (x.detach(),))

    assert torch.autograd.gradcheck(of_parameters, tuple(parameters.values()), fast_mode=True)


def test_every_parameter_is_used():
    discriminator = SMALL.build((3, 64, 64))
    discriminator(torch.rand(4, 3, 64, 64)).square().sum().backward()
    dead = [n for n, p in discriminator.named_parameters() if p.grad is None or not p.grad.any()]
    assert not dead


def test_multiply_adds_are_those_that_torch_counts():
    discriminator = SMALL.build((3, 32, 32))
    before = copy.deepcopy(discriminator.state_dict())
    with FlopCounterMode(display=False) as counter:
        discriminator(torch.zeros(1, 3, 32, 32))
    assert multiply_adds(discriminator, (3, 32, 32)) == counter.get_total_flops() // 2 > 0
    assert all(torch.equal(before[k], v) for k, v in discriminator.state_dict().items())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BigGanDiscriminator(width=0), "width must be at least 1, but got 0"),
        (lambda: SMALL.build((3, 7, 32)), r"in \[8, 127\] pixels, but got \(3, 7, 32\)"),
        (lambda: SMALL.build((3, 128, 128)), r"got \(3, 128, 128\)"),
        (lambda: SMALL.build((5,)), r"got \(5,\)"),
    ],
)
def test_errors_say_what_must_hold(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_spec_travels_as_json():
    assert from_json(SMALL.to_json()) == SMALL != BigGanDiscriminator()
