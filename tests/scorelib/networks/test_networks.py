"""Tests of networks: published counts, a plain reimplementation, gradients, layout, sigma."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from scorelib.devices.precision import computing_in
from scorelib.errors import InputError
from scorelib.networks import (
    Adapted,
    DdpmUNet,
    DiffusersUnet,
    Ncsn,
    NcsnPp,
    Ncsnv2,
    NetworkSpec,
    PlaneMlp,
    ResidualMlp,
    multiply_adds,
    n_parameters,
)
from scorelib.networks.layers import instance_norm
from scorelib.networks.layers.instance_norm import InstanceNormPlus, normalised
from scorelib.networks.unet import Attention, ResidualBlock, UNet
from scorelib.schedules import SCHEDULES, GeometricSchedule, LinearSchedule
from scorelib.testing import check_score_network
from tests.components import components
from tests.scorelib.networks.plain_networks import refinenet

DEEPER = (1, 2, 2, 4, 4)
NCSNV2S = [Ncsnv2(ngf=4), Ncsnv2(ngf=4, multipliers=DEEPER)]
LEVELS = LinearSchedule(sigma_1=2.0, sigma_L=0.1, n_levels=6)
NCSNS = [Ncsn(ngf=4), Ncsn(ngf=4, multipliers=DEEPER, schedule=LEVELS)]
UNETS = [
    DdpmUNet(width=8, multipliers=(1, 2, 2), n_blocks=1),
    DdpmUNet(width=4, multipliers=(2, 1), attention_levels=(0, 1), centres_input=False),
]
PERCEPTRONS = [
    ResidualMlp(width=16, depth=2),
    ResidualMlp(width=16, depth=2, conditional=True),
]
SPECS = NCSNV2S + NCSNS + UNETS + PERCEPTRONS


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def randomised(network):
    """Returns the network without zero weights, so that every path carries signal."""
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return network


@pytest.mark.parametrize(
    ("multipliers", "size", "parameters", "giga"),
    [
        ((1, 2, 2, 2), 32, 29_694_083, 9.89),
        (DEEPER, 64, 83_445_379, 37.75),
        ((1, 2, 2, 2, 4, 4), 256, 94_132_611, None),
    ],
)
def test_published_parameter_counts_and_costs(multipliers, size, parameters, giga):
    with torch.device("meta"):
        network = Ncsnv2(multipliers=multipliers).build((3, size, size))
    assert n_parameters(network) == parameters
    if giga is not None:
        assert multiply_adds(network, (3, size, size)) == pytest.approx(giga * 1e9, rel=1e-3)


def test_default_is_the_cifar_network_at_every_size():
    assert Ncsnv2() == Ncsnv2(ngf=128, multipliers=(1, 2, 2, 2))
    with torch.device("meta"):
        counts = {n_parameters(Ncsnv2().build((3, s, s))) for s in (8, 28, 32, 64)}
    assert counts == {29_694_083}


def test_an_ncsn_is_an_ncsnv2_but_for_its_normalisations():
    """Checks the numbers of normalised channels: in stages, at the end, in four refinements."""
    of_stages = 3 * (4 * 128 + 2 * 128 + 2 * 256 + 8 * 256 + 128)
    of_refinements = 3 * (8 * 256 + 14 * 256 + (10 * 256 + 4 * 128) + 18 * 128)
    for n_levels in (10, 200):
        schedule = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=n_levels)
        with torch.device("meta"):
            network = Ncsn(schedule=schedule).build((3, 32, 32))
        expected = 29_694_083 - of_stages + n_levels * (of_stages + of_refinements)
        assert n_parameters(network) == expected
    assert 29_694_083 - of_stages + 10 * (of_stages + of_refinements) == 30_117_635


@pytest.mark.parametrize("family", SCHEDULES.values())
def test_an_ncsn_takes_a_sigma_for_the_nearest_level_of_its_schedule(family):
    schedule = family(sigma_1=1.0, sigma_L=0.01, n_levels=10)
    network = Ncsn(ngf=2, schedule=schedule).build((1, 8, 8))
    sigmas = np.array(schedule.sigmas)
    asked = np.concatenate([sigmas, np.linspace(0.001, 2, 301)]).astype(np.float32)
    nearest = 9 - np.abs(asked[:, None] - sigmas.astype(np.float32)).argmin(1)
    np.testing.assert_array_equal(network.level(torch.from_numpy(asked)).numpy(), nearest)


def test_levels_of_an_ncsn_share_nothing_but_convolutions():
    """Two sigmas of one level give one function times sigma; levels do not share parameters."""
    network = randomised(Ncsn(ngf=3, schedule=LEVELS).build((1, 8, 8)))
    x, (high, low) = torch.rand(2, 1, 8, 8), torch.tensor(LEVELS.sigmas)[[0, -1]]
    torch.testing.assert_close(network(x, 3 * high) / 3, network(x, high))
    before = network(x, high), network(x, low)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if "norm" in name:
                p[0] += 1.0  # levels are counted from the lowest
    assert torch.equal(network(x, high), before[0])
    assert not torch.allclose(network(x, low), before[1])


@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
@pytest.mark.parametrize("spec", NCSNV2S + NCSNS)
def test_stages_keep_the_resolution_where_they_dilate(spec, size):
    network = spec.build((3, size, size))
    sizes = []
    for stage in network.stages:
        stage.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[2:])))
    x = torch.rand(2, 3, size, size)
    assert network(x, torch.ones(())).shape == x.shape
    halvings = [0, 1, 1, 1] if len(spec.multipliers) == 4 else [0, 1, 2, 2, 2]
    assert sizes == [(size >> h, size >> h) for h in halvings]


def test_dilated_stages_dilate_every_3x3_convolution():
    network = Ncsnv2(ngf=4).build((3, 32, 32))
    found = [
        {m.dilation for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] == 3}
        for stage in network.stages
    ]
    assert found == [{(1, 1)}, {(1, 1)}, {(2, 2)}, {(4, 4)}]


def test_odd_and_oblong_images():
    x = torch.rand(1, 1, 9, 14)
    assert Ncsnv2(ngf=2).build((1, 9, 14))(x, torch.ones(1)).shape == x.shape


ADAPTED = [
    Adapted(network=Ncsnv2(ngf=2), value_range=(-1.0, 1.0), answer=answer)
    for answer in ("scaled score", "score", "noise", "residual")
]


@pytest.mark.parametrize("spec", [*SPECS, NcsnPp(width=8, n_blocks=1), *ADAPTED])
def test_contract(spec):
    check_score_network(spec, (1, 8, 8), (3, 8, 8))


@pytest.mark.parametrize("spec", [*PERCEPTRONS, PlaneMlp(width=2), PlaneMlp(data_scale=20.0)])
def test_contract_in_the_plane(spec):
    check_score_network(spec, (2,))


def test_every_network_is_checked():
    assert {*map(type, SPECS), NcsnPp, PlaneMlp, Adapted, DiffusersUnet} >= components(NetworkSpec)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (Ncsnv2(ngf=2, multipliers=(1, 2, 1, 1)), (1, 8, 8)),
        (Ncsn(ngf=2, multipliers=(1, 2, 2), schedule=LEVELS), (1, 8, 8)),
        (DdpmUNet(width=4, multipliers=(1, 2), n_blocks=1), (1, 5, 4)),
        (ResidualMlp(width=6, depth=2), (4,)),
        (ResidualMlp(width=6, depth=1, conditional=True), (1, 2, 2)),
    ],
)
def test_gradients_against_finite_differences(spec, shape):
    network = randomised(spec.build(shape)).double()
    x = torch.rand(2, *shape, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([0.3, 1.2], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: network(x, sigma), (x,), fast_mode=True)
    parameters = dict(network.named_parameters())
    sizes = [value.numel() for value in parameters.values()]

    def of_parameters(joined):  # one vector, so that one direction checks all parameters
        parts = zip(parameters.items(), joined.split(sizes), strict=True)
        state = {name: part.view_as(value) for (name, value), part in parts}
        return torch.func.functional_call(network, state, (x.detach(), sigma))

    joined = torch.cat([value.detach().flatten() for value in parameters.values()])
    assert torch.autograd.gradcheck(of_parameters, (joined.requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("spec", NCSNV2S + NCSNS + UNETS)
def test_memory_layout_changes_nothing(spec):
    network = randomised(spec.build((3, 28, 28)))
    x = torch.rand(2, 3, 28, 28)
    weights = torch.rand_like(x)  # a plain sum would cancel in the gradient of the normalisation
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = network.to(memory_format=layout)
        network.zero_grad()
        out = network(x.contiguous(memory_format=layout), torch.ones(2))
        (out * weights).sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in network.parameters())])
    largest = max(plain.norm() for plain in results[0])  # some biases are normalised away
    for plain, last in zip(*results, strict=True):
        assert (plain - last).norm() < 1e-3 * plain.norm() + 1e-6 * largest


def instance_norm_plus(x, alpha, gamma, beta):
    """Computes InstanceNorm++ by its formula, in numpy, image by image and channel by channel."""
    out = np.empty_like(x)
    for image, result in zip(x, out, strict=True):
        mu = np.array([channel.mean() for channel in image])
        for c, channel in enumerate(image):
            within = (channel - mu[c]) / np.sqrt(channel.var() + 1e-5)
            between = (mu[c] - mu.mean()) / np.sqrt(mu.var(ddof=1) + 1e-5)
            result[c] = gamma[c] * (within + alpha[c] * between) + beta[c]
    return out


def test_instance_norm_plus_against_its_formula():
    norm = randomised(InstanceNormPlus(5)).double()
    x = 3 * torch.randn(3, 5, 4, 6, dtype=torch.float64) + torch.arange(5.0)[:, None, None]
    own = [p.detach().numpy() for p in (norm.alpha, norm.gamma, norm.beta)]
    np.testing.assert_allclose(norm(x).detach().numpy(), instance_norm_plus(x.numpy(), *own))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("of_images", [False, True])
def test_instance_norm_plus_keeps_layout_and_type_and_equals_the_formula(layout, dtype, of_images):
    x = 3 * torch.randn(3, 5, 4, 6, dtype=torch.float64) + torch.arange(5.0)[:, None, None]
    x = x.to(dtype).contiguous(memory_format=layout)
    shape = (3, 5) if of_images else (5,)
    kept = torch.float64 if dtype == torch.float64 else torch.float32  # as under autocast
    alpha, gamma, beta = torch.randn(3, *shape, dtype=kept)
    found = normalised(x, alpha, gamma, beta)
    assert found.dtype == dtype and found.is_contiguous(memory_format=layout)
    own = [p.expand(3, 5).double().numpy() for p in (alpha, gamma, beta)]
    each = zip(x.double().numpy()[:, None], *own, strict=True)
    expected = np.concatenate([instance_norm_plus(*one) for one in each])
    error = {torch.float32: 2e-6, torch.bfloat16: 2**-8, torch.float64: 1e-14}[dtype]
    found = found.double().numpy()
    np.testing.assert_allclose(found, expected, rtol=error, atol=error * np.abs(expected).max())


def test_channel_statistics_are_exact_also_far_from_zero():
    x = torch.randn(4, 8, 16, 16) + 1000 * torch.arange(8.0)[:, None, None]
    expected = torch.var_mean(x.double(), (2, 3), correction=0)
    for found, exact in zip(instance_norm._moments(x), expected, strict=True):
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)


def test_ncsnv2_keeps_channels_last_and_bfloat16_throughout():
    network = Ncsnv2(ngf=4).build((3, 16, 16)).to(memory_format=torch.channels_last)
    kept = []

    def note(_module, _inputs, out):
        kept.append((out.dtype, out.is_contiguous(memory_format=torch.channels_last)))

    for module in network.modules():
        if isinstance(module, (InstanceNormPlus, torch.nn.Conv2d)):
            module.register_forward_hook(note)
    x = torch.rand(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    with computing_in("bf16", "cpu"), torch.inference_mode():
        network(x, torch.ones(2))
    assert len(kept) > 30 and set(kept) == {(torch.bfloat16, True)}


def test_instance_norm_plus_initialisation():
    norm = InstanceNormPlus(20_000)
    for p in (norm.alpha, norm.gamma):
        assert p.mean().item() == pytest.approx(1, abs=1e-3)
        assert p.std().item() == pytest.approx(0.02, rel=0.03)
    assert not norm.beta.any()


def refinenet_by_hand(network, x, level=None):
    """Computes NCSNv2, or NCSN at a level, from its weights, normalised by the formula in numpy."""

    def norm(h, *own):
        return torch.from_numpy(instance_norm_plus(h.numpy(), *(p.numpy() for p in own)))

    w = {name: p.detach() for name, p in network.named_parameters()}
    return refinenet(w, x, norm, level)


def test_ncsnv2_against_a_plain_transcription():
    network = randomised(Ncsnv2(ngf=3).build((2, 12, 16))).double()
    x = torch.rand(2, 2, 12, 16, dtype=torch.float64)
    expected = refinenet_by_hand(network, x)
    assert expected.std() > 0.1
    torch.testing.assert_close(network(x, torch.ones(2)), expected)


def test_ncsn_against_a_plain_transcription():
    network = randomised(Ncsn(ngf=3, schedule=LEVELS).build((2, 12, 16))).double()
    x = torch.rand(2, 2, 12, 16, dtype=torch.float64)
    sigma = torch.tensor(LEVELS.sigmas, dtype=torch.float64)[[0, 4]]
    expected = torch.cat(
        [
            s * refinenet_by_hand(network, x[i : i + 1], 5 - k)
            for i, (k, s) in enumerate(zip((0, 4), sigma, strict=True))
        ]
    )
    assert expected.std() > 0.1
    torch.testing.assert_close(network(x, sigma), expected)


def test_the_unet_has_the_parameters_used_of_the_published_one():
    with torch.device("meta"):
        network = DdpmUNet().build((3, 32, 32))
    assert n_parameters(network) == 33_185_411 - 328_704 == 32_856_707  # less an unused time MLP
    # 5.46 G in 3x3 convolutions, the rest in 1x1 convolutions and the attention.
    assert multiply_adds(network, (3, 32, 32)) == 6_218_973_184


def test_attention_is_where_it_is_asked_for():
    network = DdpmUNet(width=4, multipliers=(1, 1, 1, 1)).build((3, 32, 32))
    sizes = []
    for module in network.modules():
        if isinstance(module, Attention):
            module.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
    network(torch.rand(1, 3, 32, 32), torch.ones(()))
    assert sizes == [16, 16, 4, 16, 16, 16]


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 9, 14), (2, 8, 8)])
def test_a_unet_takes_odd_and_oblong_images(shape):
    x = torch.rand(1, *shape)
    network = DdpmUNet(width=4, multipliers=(1, 1, 1)).build(shape)
    assert network(x, torch.ones(1)).shape == x.shape


def test_a_unet_starts_as_ho_et_al():
    network = DdpmUNet(width=32, multipliers=(1, 2)).build((3, 8, 8))
    nearly_zero = {network.last}
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            nearly_zero.add(module.conv2)
        elif isinstance(module, Attention):
            nearly_zero.add(module.last)
    layers = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert not module.bias.any()
            # Queries, keys and values are separate layers.
            n_parts = 3 if len(module.weight) == 3 * module.weight.shape[1] else 1
            layers += [(module, part) for part in module.weight.chunk(n_parts)]
    assert len(layers) == 59
    for module, weight in layers:
        n_out, n_in, *size = weight.shape
        gain = 1e-5 if module in nearly_zero else 1
        bound = gain * (6 / ((n_in + n_out) * size[0] * size[1])) ** 0.5
        assert 0.9 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
    assert network(torch.rand(2, 3, 8, 8), torch.ones(())).abs().max() < 1e-3


def test_centring_is_a_change_of_the_input_only():
    own, theirs = (
        UNet(1, DdpmUNet(width=4, multipliers=(1,), attention_levels=(), centres_input=c))
        for c in (True, False)
    )
    theirs.load_state_dict(randomised(own).state_dict())
    x, sigma = torch.rand(2, 1, 4, 4), torch.ones(())
    torch.testing.assert_close(own(x, sigma), theirs(2 * x - 1, sigma))
    assert not torch.allclose(own(x, sigma), theirs(x, sigma))


def unet_by_hand(network, x, groups):
    """Computes a U-Net of two levels and one block each, attention at the second, by its paper."""
    w = {name: p.detach() for name, p in network.named_parameters()}

    def conv(h, name, stride=1):
        kernel = w[f"{name}.weight"]
        return F.conv2d(h, kernel, w[f"{name}.bias"], stride, kernel.shape[-1] // 2)

    def norm(h, name):
        parts = h.unflatten(1, (groups, -1))
        mean = parts.mean((2, 3, 4), keepdim=True)
        var = ((parts - mean) ** 2).mean((2, 3, 4), keepdim=True)
        own = (w[f"{name}.{p}"][:, None, None] for p in ("weight", "bias"))
        scale, shift = own
        return ((parts - mean) / (var + 1e-6).sqrt()).flatten(1, 2) * scale + shift

    def swish(h):
        return h / (1 + (-h).exp())

    def block(h, name):
        out = conv(swish(norm(h, f"{name}.norm1")), f"{name}.conv1")
        out = conv(swish(norm(out, f"{name}.norm2")), f"{name}.conv2")
        return out + (conv(h, f"{name}.shortcut") if f"{name}.shortcut.weight" in w else h)

    def attention(h, name):
        q, k, v = conv(norm(h, f"{name}.norm"), f"{name}.queries_keys_values").chunk(3, 1)
        scores = torch.einsum("bchw,bcij->bhwij", q, k) / q.shape[1] ** 0.5
        share = scores.flatten(3).softmax(-1).reshape(scores.shape)
        return h + conv(torch.einsum("bhwij,bcij->bchw", share, v), f"{name}.last")

    def larger(h):
        return h.repeat_interleave(2, 2).repeat_interleave(2, 3)

    first = conv(2 * x - 1, "first")
    top = block(first, "down.0.0")
    lower = conv(top, "down.1", stride=2)
    bottom = attention(block(lower, "down.2.0"), "down.2.1")
    h = block(attention(block(bottom, "middle.0"), "middle.1"), "middle.2")
    h = attention(block(torch.cat([h, bottom], 1), "up.0.0"), "up.0.1")
    h = attention(block(torch.cat([h, lower], 1), "up.1.0"), "up.1.1")
    h = conv(larger(h), "up.2.conv")
    h = block(torch.cat([h, top], 1), "up.3.0")
    h = block(torch.cat([h, first], 1), "up.4.0")
    return conv(swish(norm(h, "norm")), "last")


@pytest.mark.parametrize(("width", "groups"), [(6, 6), (64, 32)])
def test_a_unet_against_a_plain_transcription(width, groups):
    spec = DdpmUNet(width=width, multipliers=(1, 2), n_blocks=1)
    network = randomised(spec.build((2, 8, 6))).double()
    x = torch.rand(2, 2, 8, 6, dtype=torch.float64)
    expected = unet_by_hand(network, x, groups)
    assert expected.std() > 0.1
    torch.testing.assert_close(network(x, torch.ones(2)), expected)


def test_mlp_starts_at_the_answer_for_high_noise():
    x = torch.rand(64, 1, 8, 8)
    noise, sigma = torch.randn_like(x), torch.tensor(50.0)
    for conditional in (False, True):
        network = ResidualMlp(conditional=conditional).build((1, 8, 8))
        assert F.mse_loss(network(x + sigma * noise, sigma), -noise) < 0.02


def test_unconditional_mlp_learns_the_score_over_a_range_of_noise():
    """Data N(0, I) in 16 dimensions: sigma * score = -sigma x / (1 + sigma^2), sigma not read."""
    network = ResidualMlp(width=64, depth=2).build((16,))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(400):
        sigma = 10 ** (2 * torch.rand(128) - 1)
        noise = torch.randn(128, 16)
        x = torch.randn(128, 16) + sigma[:, None] * noise
        optimiser.zero_grad()
        (network(x, sigma) + noise).square().mean().backward()
        optimiser.step()
    x = torch.randn(500, 16)
    for sigma in (0.1, 10.0):
        noisy = (1 + sigma**2) ** 0.5 * x
        exact = -sigma * noisy / (1 + sigma**2)
        assert F.mse_loss(network(noisy, torch.tensor(sigma)), exact).item() < 0.08


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ncsnv2(ngf=1), "ngf must be at least 2, but got 1"),
        (lambda: Ncsnv2(multipliers=(1, 2)), r"three or more .* got \(1, 2\)"),
        (lambda: Ncsnv2(multipliers=(1, 0, 2)), "positive"),
        (lambda: Ncsnv2().build((5,)), r"images .* got \(5,\); use ResidualMlp"),
        (lambda: Ncsnv2().build((3, 7, 32)), "8x8"),
        (lambda: Ncsn(ngf=1), "Ncsn.ngf must be at least 2, but got 1"),
        (lambda: Ncsn().build((5,)), r"^Ncsn with 4 stages needs images"),
        (lambda: Ncsnv2(multipliers=(1, 1, 1, 1, 1, 1, 1)).build((3, 31, 31)), "32x32"),
        (lambda: DdpmUNet(width=48), r"\[2, 32\] or a multiple of 32, but got 48"),
        (lambda: Ncsnv2(multipliers=(1, 2, 1)), r"last two .* must be equal.*got \(1, 2, 1\)"),
        (lambda: DdpmUNet(width=1), "got 1"),
        (lambda: DdpmUNet(multipliers=()), r"multipliers=\(\)"),
        (lambda: DdpmUNet(n_blocks=0), "n_blocks=0"),
        (lambda: DdpmUNet(attention_levels=(4,)), r"in \[0, 3\], but got \(4,\)"),
        (lambda: DdpmUNet(attention_levels=(1, 1)), "different"),
        (lambda: DdpmUNet().build((3, 15, 32)), "16x16 .*; give fewer multipliers"),
        (lambda: DdpmUNet().build((5,)), r"got \(5,\)"),
        (lambda: ResidualMlp(width=1), "width >= 2"),
        (lambda: ResidualMlp(depth=0), "depth >= 1"),
    ],
)
def test_errors_say_what_must_hold(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("spec", [*SPECS, NcsnPp(width=8, n_blocks=1)])
def test_multiply_adds_are_those_that_torch_counts(spec):
    network = spec.build((3, 16, 16))
    # The plain attention, because torch does not count the processor's own kernel.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, 3, 16, 16), torch.ones(()))
    assert multiply_adds(network, (3, 16, 16)) == counter.get_total_flops() // 2 > 0


def test_multiply_adds_of_a_perceptron_leave_it_as_it_was():
    network = ResidualMlp(width=16, depth=2).build((5,))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    level = 9 * 16 + 16 * 16
    blocks = 2 * 3 * 16 * 16
    assert multiply_adds(network, (5,)) == level + blocks + 5 * 16 + 16 * 5 + 16
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
