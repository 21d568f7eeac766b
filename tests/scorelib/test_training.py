"""Training: the DSM loss in closed form, exact resumption, what is refused."""

import pytest
import torch

from scorelib.data import Digits
from scorelib.losses import dsm_loss
from scorelib.networks import Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.training import DsmTraining, NonFiniteError

SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=10)


class Exact(torch.nn.Module):
    """sigma * score of N(0, std^2 I) smoothed by sigma."""

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
    # E|sigma s + z|^2 / 2 = D/2 std^2 / (std^2 + sigma^2): what cannot be known of the noise.
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


def training(network=None, seed=0, **changes):
    images, _ = Digits().load("train")
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


def test_the_seed_decides():
    states = []
    for seed in (0, 0, 1):
        run = training(seed=seed)
        list(run.steps(3))
        states.append(torch.cat([p.flatten() for p in run.network.parameters()]).detach())
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_every_image_is_used_once_per_epoch():
    run = training(batch_size=100)
    used = torch.cat([run._batch(i) for i in range(1, 12)])
    assert len(used.unique()) == 1100
    assert not torch.equal(used, torch.cat([run._batch(i) for i in range(12, 23)]))


def test_training_lowers_the_loss():
    run = training(flips=False)
    losses = [s.loss for s in run.steps(400) if s.loss is not None]
    assert losses[-1] < 0.75 * losses[0]
    assert len(losses) == 8


def test_a_loss_that_is_not_finite_ends_the_run_with_its_cause():
    run = training(optimizer=AdamSpec(learning_rate=1e30))
    with pytest.raises(NonFiniteError, match="loss is nan at iteration"):
        list(run.steps(100))


@pytest.mark.parametrize("autocast", [False, True])
def test_the_convolutional_network_trains_in_both_precisions(autocast):
    torch.manual_seed(0)
    network = Ncsnv2(ngf=8).build((1, 8, 8))
    run = training(network=network, batch_size=16, autocast=autocast, flips=False)
    losses = [s.loss for s in run.steps(60) if s.loss is not None]
    assert losses[-1] < losses[0] < 60
