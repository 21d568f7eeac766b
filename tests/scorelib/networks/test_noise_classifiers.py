"""Tests of classifiers of noised data and of perceptrons in the plane: counts, sigma as input."""

import pytest
import torch
from torch import nn

from scorelib.data import Moons
from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.guidance import likelihood_score
from scorelib.losses import CrossEntropy, Dlsm, dsm_loss
from scorelib.networks import (
    NoiseClassifierSpec,
    PlaneMlp,
    PlaneMlpClassifier,
    ResNetClassifier,
    multiply_adds,
    n_parameters,
)
from scorelib.networks.layers.group_norm import GroupNorm
from scorelib.testing import check_loss, check_noise_classifier
from tests.components import components

PLANE = [
    PlaneMlpClassifier(), PlaneMlpClassifier(data_scale=20.0),
    PlaneMlpClassifier(width=2, data_scale=1.0),
]  # fmt: skip
CASES = [(spec, (2,), 2) for spec in PLANE] + [(ResNetClassifier(width=4), (3, 8, 8), 4)]


@pytest.fixture(autouse=True)
def _one_seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("spec", "shape", "n_classes", "parameters"),
    [
        # f: 768 + 32,896 + 8,256; h: 128 + 2,080 + 528; last: 162
        (PlaneMlpClassifier(), (2,), 2, 44_818),
        # 1,024 + 32,896 + 8,256 + 130
        (PlaneMlpClassifier(data_scale=20.0), (2,), 2, 42_306),
        # the printed 128, 64, 32
        (PlaneMlpClassifier(width=8), (2,), 2, 384 + 8_256 + 2_080 + 64 + 528 + 136 + 82),
        (ResNetClassifier(depth=18), (3, 32, 32), 10, 11_322_634),  # the authors' 11.32 M
        (ResNetClassifier(depth=34), (3, 32, 32), 100, 21_476_964),  # the authors' 21.48 M
    ],
)
def test_parameter_counts(spec, shape, n_classes, parameters):
    with torch.device("meta"):
        assert n_parameters(spec.build(shape, n_classes)) == parameters


def test_score_networks_have_the_classifiers_layers():
    for width, data_scale in ((16, None), (8, 20.0)):
        score = PlaneMlp(width=width, data_scale=data_scale).build((2,))
        classifier = PlaneMlpClassifier(width=width, data_scale=data_scale).build((2,), 2)
        shapes = [[p.shape for p in n.parameters()] for n in (score, classifier)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("spec", "shape", "n_classes"), CASES)
def test_contract(spec, shape, n_classes):
    check_noise_classifier(spec, shape, n_classes)


def test_every_classifier_is_checked():
    assert {type(spec) for spec, *_ in CASES} >= components(NoiseClassifierSpec)


@pytest.mark.parametrize("objective", [Dlsm(), CrossEntropy()])
@pytest.mark.parametrize(("spec", "shape", "n_classes"), CASES)
def test_losses_reach_every_parameter(spec, shape, n_classes, objective):
    network = spec.build(shape, n_classes)
    x, noise = torch.rand(8, *shape), torch.randn(8, *shape)
    labels, sigma = torch.arange(8) % n_classes, torch.linspace(0.1, 1, 8)

    def loss():
        given = network, lambda x, sigma: -x, x, labels, sigma, noise
        return objective.total(objective.losses(*given))

    check_loss(loss, network)


def test_late_sigma_leaves_the_gradient_of_the_logits_alone_and_early_sigma_does_not():
    x = torch.linspace(-20, 20, 12).reshape(6, 2).requires_grad_()
    for data_scale, same in ((None, True), (20.0, False)):
        network = PlaneMlpClassifier(data_scale=data_scale).build((2,), 2)
        low, high = (
            torch.autograd.grad(network(x, torch.tensor(s))[:, 0].sum(), x)[0] for s in (0.1, 10.0)
        )
        assert torch.equal(low, high) == same


@pytest.mark.parametrize("data_scale", [None, 20.0])
def test_the_plane_score_network_is_its_formula(data_scale):
    network = PlaneMlp(width=2, data_scale=data_scale).build((2,)).double()
    x = 20 * torch.randn(5, 2).double()
    sigma = torch.tensor([3.0, 0.1, 3.0, 8.0, 0.1]).double()[:, None]  # some equal, in no order
    w = list(network.parameters())

    def three(h, first):
        for i in range(3):
            h = h @ w[first + 2 * i].T + w[first + 2 * i + 1]
            h = h.clamp(min=0) if i < 2 else h
        return h

    if data_scale is None:
        hidden = torch.cat([three(x, 0), three(sigma, 6)], dim=1)
        expected = sigma * (hidden @ w[12].T + w[13])
    else:
        inputs = torch.cat([x / (sigma**2 + 400).sqrt(), sigma.log() / 4], dim=1)
        expected = three(inputs, 0) @ w[6].T + w[7]
    found = network(x, sigma[:, 0])
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(out.square().sum(), w) for out in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_the_plane_score_network_learns_the_moons_score():
    points, _ = Moons(n=500).load("train")
    oracle = Parzen(points)
    network = PlaneMlp(data_scale=20.0).build((2,))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    sigma = torch.full((500,), 7.5)
    for _ in range(200):
        loss = dsm_loss(network, points, sigma, torch.randn(500, 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noised = points + 7.5 * torch.randn(500, 2)
    exact = 7.5 * oracle.prior_score(noised, 7.5)
    found = network(noised, sigma)
    assert (found - exact).square().sum(dim=1).mean() < 0.1 * exact.square().sum(dim=1).mean()


def test_the_resnets_embedding_of_sigma_is_fixed_and_kept_with_the_weights():
    spec = ResNetClassifier()
    first, second = spec.build((1, 8, 8), 3), spec.build((1, 8, 8), 3)
    x, sigma = torch.rand(2, 1, 8, 8), torch.tensor([0.1, 3.0])
    assert not torch.equal(first.frequencies, second.frequencies)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x, sigma), second(x, sigma))
    assert "frequencies" not in dict(first.named_parameters())
    waves = []
    first.embed.register_forward_pre_hook(lambda _m, inputs: waves.append(inputs[0]))
    first(x, sigma)
    angles = torch.outer(sigma.log(), 2 * torch.pi * first.frequencies)
    expected = torch.cat([angles.sin(), angles.cos()], dim=1)
    torch.testing.assert_close(waves[0], expected, rtol=0, atol=1e-4)
    assert first.frequencies.std().item() == pytest.approx(16, rel=0.4)


def test_the_resnet_keeps_the_resolution_up_to_its_first_stage():
    network = ResNetClassifier(depth=34).build((3, 32, 32), 5)
    sizes, blocks = [], []
    for i in range(1, 5):
        stage = network.stages[i - 1]
        blocks.append(len(stage))
        stage.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    network(torch.rand(1, 3, 32, 32), torch.ones(()))
    assert sizes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert blocks == [3, 4, 6, 3]
    kinds = {type(m) for m in network.modules()}
    assert GroupNorm in kinds and not kinds & {nn.BatchNorm2d, nn.ReLU}


def test_the_resnets_likelihood_score_by_finite_differences():
    network = ResNetClassifier().build((1, 4, 4), 3).double()
    x, sigma = torch.rand(1, 1, 4, 4).double(), torch.tensor([0.5]).double()
    labels = torch.tensor([1])
    _, gradient = likelihood_score(network, x, sigma, labels)
    step = 1e-6 * torch.randn(x.shape).double()
    above, below = (likelihood_score(network, x + s, sigma, labels)[0] for s in (step, -step))
    assert (gradient * step).sum().item() == pytest.approx((above - below).item() / 2, rel=1e-5)


def test_costs_are_counted_with_sigma():
    network = PlaneMlpClassifier().build((2,), 2)
    # The products of the third layers and the last are computed once, not for each example.
    counted = 2 * 256 + 256 * 128 + 128 * 2 + 64 + 64 * 32 + 32 * 2
    assert multiply_adds(network, (2,)) == counted
    assert multiply_adds(ResNetClassifier().build((3, 32, 32), 10), (3, 32, 32)) > 5.5e8


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PlaneMlp().build((1, 8, 8)), "vectors"),
        (lambda: PlaneMlpClassifier().build((1, 8, 8), 2), "vectors"),
        (lambda: ResNetClassifier().build((2,), 2), "images"),
        (lambda: ResNetClassifier(depth=50), "must be one of 18, 34"),
        (lambda: PlaneMlp(width=0), "width must be at least 1"),
        (lambda: PlaneMlpClassifier(data_scale=0.0), "data_scale must be positive"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_small_images_shrunk_to_a_pixel_still_have_a_gradient_of_ordinary_size():
    x = torch.rand(20, 1, 8, 8)
    _, gradient = likelihood_score(
        ResNetClassifier(width=8).build((1, 8, 8), 10), x, torch.ones(()), torch.arange(20) % 10
    )
    # Two values normalised together have gradient lengths of hundreds here.
    assert 0.01 < gradient.flatten(1).norm(dim=1).mean() < 30
