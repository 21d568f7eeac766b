"""Tests of the contracts of losses and trainings: each rule fails where it is broken."""

import itertools

import pytest
import torch
from torch import nn

from scorelib.losses import dsm_loss
from scorelib.networks import ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.testing import check_loss, check_training
from scorelib.training.base import DsmTraining
from tests.components import refused

NUMBERS = itertools.count()
SCHEDULE = GeometricSchedule(sigma_1=2.0, sigma_L=0.1, n_levels=4)


def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


X = torch.ones(3, 2)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda m: m(X).square().sum(1), r"must be a scalar, of shape \(\), but got the shape"),
        (lambda m: m(X).sum() / 0, "^the loss must be finite, but got -?inf$"),
        (lambda m: m(X).sum() + torch.rand(()), "must leave the global random generators alone"),
        (lambda m: m(X).sum() + next(NUMBERS), "must follow from its arguments: take noise as an"),
        (lambda m: m(X).sum().detach(), "must have a gradient, but it is detached"),
        (lambda m: m[0](X).sum(), "must reach every parameter, but 1.weight gets none$"),
        (lambda m: (0 * m(X).sum()).abs().sqrt() + m(X).sum(),
         "the gradient of the loss must be finite, but that of 0.weight is not$"),
    ],
)  # fmt: skip
def test_a_broken_rule_of_losses_is_named(loss, message):
    made = module()
    refused(message, check_loss, lambda: loss(made), made)


class Broken(DsmTraining):
    """Denoising score matching that breaks a rule; `how` is set by `start`."""

    how = ""

    def steps(self, until):
        if self.how == "global":
            torch.manual_seed(0)
        every = super().steps(until)
        return itertools.islice(every, 0, None, 2) if self.how == "fewer" else every

    def _draws(self, iteration):
        if self.how == "number":
            self._seed = next(NUMBERS)
        if self.how == "unseeded":
            self._seed = 0
        if self.how == "state":
            self.made = getattr(self, "made", 0) + 1
            self._seed = 100 * self._first + self.made
        return super()._draws(iteration)

    def _update(self, draws):
        found = super()._update(draws)
        return {"loss": found["dsm"]} if self.how == "name" else found


def start(seed, how=""):
    torch.manual_seed(3)
    network = ResidualMlp(width=4, depth=1).build((2,))
    if how == "stuck":
        network.register_parameter("idle", nn.Parameter(torch.ones(1)))
    run = Broken(
        network, torch.randn(20, 2), schedule=SCHEDULE, optimizer=AdamSpec(), ema=(0.9,),
        batch_size=5, flips=False, seed=seed,
    )  # fmt: skip
    run.how, run._first = how, seed
    return run


def test_a_good_loss_and_a_good_training_pass():
    run = start(0)
    sigma, noise = torch.full((3,), 0.5), torch.ones(3, 2)
    for p in run.network.parameters():
        torch.nn.init.normal_(p)
    check_loss(lambda: dsm_loss(run.network, X, sigma, noise), run.network)
    check_training(start)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("global", "^Broken must leave the global random generators alone"),
        ("fewer", "^Broken: steps must yield once for each update, 1, 2, ...$"),
        ("name", r"^Broken: the first loss must be 'dsm' .* or 'ce' .*, but got 'loss'$"),
        ("stuck", "^Broken: every parameter must be trained, but idle has not changed$"),
        ("number", "^Broken: the seed must determine the training, but equal seeds ended differ"),
        ("unseeded", "^Broken: the seed must change the training, but two seeds ended equally$"),
        ("state", "^Broken: a training restored from its state must end as the whole training"),
    ],
)
def test_a_broken_rule_of_trainings_is_named(how, message):
    refused(message, check_training, lambda seed: start(seed, how))
