"""Tests of training: the DSM loss in closed form, exact resumption, refused settings."""

import numpy as np
import pytest
import torch

from scorelib.data import Digits
from scorelib.losses import Adversarial, Dsm, dsm_loss
from scorelib.networks import BigGanDiscriminator, DdpmUNet, NcsnPp, Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import SCHEDULES, GeometricSchedule
from scorelib.testing import check_training
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, NonFiniteError

SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=10)
SMALL = BigGanDiscriminator(width=1)


class Exact(torch.nn.Module):
    """Returns sigma * score of N(0, std^2 I) smoothed by sigma."""

    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, x, sigma):
        sigma = sigma.view(-1, *[1] * (x.dim() - 1))
        return -sigma * x / (self.std**2 + sigma**2)


class Zero(torch.nn.Module):
    def forward(self, x, sigma):
        return torch.zeros_like(x)


def test_the_loss_of_an_exact_score_is_its_known_minimum():
    # E|sigma s + z|^2 / 2 = D/2 std^2 / (std^2 + sigma^2): the unpredictable part of the noise.
    stream = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(20_000, 3, generator=stream)
    noise = torch.randn(x.shape, generator=stream)
    for sigma in (0.1, 0.5, 3.0):
        found = dsm_loss(Exact(0.5), x, torch.full((len(x),), sigma), noise).item()
        assert found == pytest.approx(1.5 * 0.25 / (0.25 + sigma**2), rel=0.03)


def test_the_loss_is_summed_over_dimensions_and_averaged_over_the_batch():
    noise = torch.randn(4000, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = dsm_loss(Zero(), torch.zeros_like(noise), torch.ones(4000), noise).item()
    assert found == pytest.approx(32, rel=0.01)


def training(network=None, seed=0, images=None, **changes):
    images = Digits().load("train")[0] if images is None else images
    torch.manual_seed(3)
    made = network or ResidualMlp(width=16, depth=1).build((1, 8, 8))
    options = {
        "schedule": SCHEDULE, "optimizer": AdamSpec(learning_rate=1e-3), "ema": (0.9, 0.99),
        "batch_size": 100, "flips": True, "seed": seed,
    } | changes  # fmt: skip
    return DsmTraining(made, images, **options)


@pytest.mark.parametrize("beta1", [0.9, -0.5])
def test_an_interrupted_run_ends_bitwise_equal_to_an_uninterrupted_one(beta1):
    # 30 iterations cross two epochs of 11 batches.
    adam = AdamSpec(learning_rate=1e-3, beta1=beta1, beta2=0.9)
    whole = training(optimizer=adam)
    list(whole.steps(30))
    first = training(optimizer=adam)
    for step in first.steps(30):
        if step.iteration == 13:
            break
    second = training(optimizer=adam, network=ResidualMlp(width=16, depth=1).build((1, 8, 8)))
    second.restore(first.state())
    list(second.steps(30))
    a, b = whole.state(), second.state()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


CONVOLUTIONAL = [
    (Ncsnv2(ngf=4), None),
    (Ncsnv2(ngf=4), Adversarial(discriminator=SMALL)),
    (DdpmUNet(width=8, multipliers=(1, 2), n_blocks=1), None),
    (NcsnPp(width=8, multipliers=(1, 2), n_blocks=1), None),
]


@pytest.mark.parametrize(("spec", "objective"), CONVOLUTIONAL)
def test_a_convolutional_run_is_interrupted_without_a_trace(spec, objective):
    # The weights are in channels-last memory here and in contiguous memory in a checkpoint. Adam's
    # fused kernel mixes up the weights of moments whose memory has another order.
    def begun():
        torch.manual_seed(3)
        options = {
            "schedule": SCHEDULE, "optimizer": AdamSpec(learning_rate=1e-3), "ema": (0.9,),
            "batch_size": 4, "flips": True, "seed": 0,
        }  # fmt: skip
        images = torch.rand(16, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        if objective is None:
            return DsmTraining(spec.build((3, 16, 16)), images, **options)
        return AdversarialTraining(spec.build((3, 16, 16)), images, objective=objective, **options)

    whole, first, second = begun(), begun(), begun()
    kernels = [p for p in whole.network.parameters() if p.dim() == 4 and p.shape[1] > 1]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    list(whole.steps(4))
    list(first.steps(2))
    second.restore(first.state())
    list(second.steps(4))
    a, b = whole.state(), second.state()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert all(value.is_contiguous() for value in a.values())


class Dropping(torch.nn.Module):
    """A network whose layers draw random numbers."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Dropout(0.5))

    def forward(self, x, sigma):
        return self.layers(x.flatten(1)).reshape(x.shape)


def test_dropout_is_a_matter_of_seed_and_iteration_alone():
    def dropping(seed=0):
        torch.manual_seed(5)
        return training(network=Dropping(), seed=seed)

    whole, first, second, other = dropping(), dropping(), dropping(), dropping(seed=1)
    list(whole.steps(6))
    list(first.steps(3))
    torch.manual_seed(99)  # stands for another job of this process
    drawn = torch.rand(3)
    torch.manual_seed(99)
    second.restore(first.state())
    list(second.steps(6))
    assert torch.equal(torch.rand(3), drawn), "the process's own stream was moved"
    a, b = whole.state(), second.state()
    assert all(torch.equal(a[name], b[name]) for name in a)
    list(other.steps(6))
    assert not torch.equal(other.state()["network.layers.0.bias"], a["network.layers.0.bias"])


EVERY_LEVEL = torch.arange(0, 256, dtype=torch.uint8).repeat(120).reshape(480, 1, 8, 8)


def ends(images, flips, cls=DsmTraining, **options):
    """Returns state and losses after a few updates on images of 8 x 8 pixels."""
    torch.manual_seed(3)
    network = ResidualMlp(width=16, depth=1).build((1, 8, 8))
    options |= {"schedule": SCHEDULE, "ema": (0.9,), "batch_size": 100, "flips": flips, "seed": 0}
    run = cls(network, images, optimizer=AdamSpec(learning_rate=1e-3), **options)
    *_, last = run.steps(6)
    return run.state(), last.losses


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("objective", [Dsm(), Adversarial(discriminator=SMALL)])
def test_pixels_train_bitwise_as_the_same_images_divided_first(objective, flips):
    divided = torch.from_numpy(EVERY_LEVEL.numpy() / np.float32(255))
    options = {}
    if isinstance(objective, Adversarial):
        options = {"cls": AdversarialTraining, "objective": objective}
    state, losses = ends(EVERY_LEVEL, flips, **options)
    expected, expected_losses = ends(divided, flips, **options)
    assert state.keys() == expected.keys() and losses == expected_losses
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_pixels_stay_pixels_and_batches_are_floats():
    run = training(images=EVERY_LEVEL)
    x, *_ = run._examples(run._drawn(torch.Generator().manual_seed(0), torch.arange(4)))
    assert run._images is EVERY_LEVEL and EVERY_LEVEL.dtype == torch.uint8
    assert x.dtype == torch.float32 and x.max() <= 1


@pytest.mark.parametrize("family", SCHEDULES.values())
def test_the_levels_are_those_of_any_schedule(family):
    schedule = family(sigma_1=5.0, sigma_L=0.1, n_levels=7)
    run = training(schedule=schedule)
    _, sigma, _ = run._examples(run._drawn(torch.Generator().manual_seed(0), torch.arange(500)))
    drawn, counts = sigma.unique(return_counts=True)
    assert drawn.tolist() == pytest.approx(schedule.sigmas[::-1], rel=1e-6)
    assert counts.min() > 40
    list(run.steps(2))


def test_contract():
    check_training(lambda seed: training(seed=seed))


def test_every_image_is_used_once_per_epoch():
    run = training(batch_size=100)
    used = torch.cat([run._batch(i) for i in range(1, 12)])
    assert len(used.unique()) == 1100
    assert not torch.equal(used, torch.cat([run._batch(i) for i in range(12, 23)]))


def test_training_lowers_the_loss():
    run = training(flips=False)
    losses = [s.losses["dsm"] for s in run.steps(400) if s.losses]
    assert losses[-1] < 0.75 * losses[0]
    assert len(losses) == 8


def test_a_loss_that_is_not_finite_ends_the_run_with_its_cause():
    run = training(optimizer=AdamSpec(learning_rate=1e30))
    with pytest.raises(NonFiniteError, match="loss is nan at iteration"):
        list(run.steps(100))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_convolutional_network_trains_in_both_precisions(precision):
    torch.manual_seed(0)
    network = Ncsnv2(ngf=8).build((1, 8, 8))
    run = training(network=network, batch_size=16, precision=precision, flips=False)
    losses = [s.losses["dsm"] for s in run.steps(60) if s.losses]
    assert losses[-1] < losses[0] < 60


def test_a_compiled_training_is_the_same_training(monkeypatch):
    """Compiles for PyTorch's own kernels: code of its own would take ten times as long to make."""
    compiled, asked = torch.compile, []

    def without_code(function, *, options):
        asked.append(options)
        return compiled(function, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", without_code)
    plain, run = training(), training(compile=True)
    ends = [[step.losses for step in each.steps(5)][-1]["dsm"] for each in (plain, run)]
    assert asked == [{"fallback_random": True}] and ends[1] == pytest.approx(ends[0], rel=1e-5)
    state, other = plain.state(), run.state()
    assert state.keys() == other.keys()
    for name, value in state.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-5)
