"""Tests of the contracts of schedules and samplers: each rule fails where it is broken."""

from dataclasses import dataclass, replace

import pytest
import torch

from scorelib.samplers import Als, Interpolation
from scorelib.schedules import GeometricSchedule
from scorelib.testing import check_gaussian_samples, check_sampler, check_schedule
from tests.components import refused, wrong

SCHEDULE = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=20)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": ""}, "^Wrong.name must be one line of text, but got ''$"),
        ({"sigmas": [2.0, 0.5]}, r"^Wrong.sigmas must be a tuple of floats, but got \[2.0, 0.5\]$"),
        ({"sigmas": (2.0, 0.5)}, "^Wrong.sigmas must have n_levels = 3 levels, but has 2$"),
        ({"sigmas": (2.0, 1.0, 0.4)}, "must go from sigma_1 to sigma_L exactly.* goes from"),
        ({"sigmas": (2.0, 2.0, 0.5), "__post_init__": lambda self: None},
         "must strictly decrease and be positive, but 2 follows 2$"),


    ],
)  # fmt: skip
def test_a_broken_rule_of_schedules_is_named(members, message):
    schedule = wrong(GeometricSchedule, **members)(sigma_1=2.0, sigma_L=0.5, n_levels=3)
    refused(message, check_schedule, schedule)


def test_levels_that_change_are_named():
    counts = []

    def sigmas(self):
        counts.append(1)
        return 2.0, 1.0 + len(counts) / 100, 0.5

    schedule = wrong(GeometricSchedule, sigmas=property(sigmas))(
        sigma_1=2.0, sigma_L=0.5, n_levels=3
    )
    refused("^Wrong.sigmas must be the same each time$", check_schedule, schedule)


@dataclass(frozen=True)
class Bad(Interpolation):
    """An update that breaks a rule."""

    how: str = ""

    def step(self, x, scaled_score, draw):
        if self.how == "in place":
            x += self.eta * self.sigma * scaled_score
        found = super().step(x, scaled_score, draw)
        changes = {
            "float": lambda: found.float(),
            "infinite": lambda: found / 0,
            "global": lambda: found + torch.randn_like(found),
        }
        return changes.get(self.how, lambda: found)()

    def denoised(self, x, scaled_score):
        return x if self.how == "noisy" else super().denoised(x, scaled_score)


def updates(how):
    return {"updates": lambda self, schedule: [
        Bad(**vars(update), how=how) for update in Als.updates(self, schedule)
    ]}  # fmt: skip


def walk(change):
    return {"walk": lambda self, *at: (change(state) for state in Als.walk(self, *at))}


def twice(self, network, *at):
    return Als.walk(self, lambda x, sigma: network(x, sigma) * 0 + network(x, sigma), *at)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"title": lambda self: "a\nb"}, r"^Wrong.title\(\) must be one line of text"),
        ({"n_evaluations": lambda self, at: 7}, "states 7 network evaluations, but walk made 20$"),
        ({"walk": twice}, "states 20 network evaluations, but walk made 40$"),
        (updates("in place"), "^Wrong.walk must not write to the start x$"),
        (updates("float"), r"step 1: x must keep its shape \(4, 3\) and torch.float64, but got"),
        (updates("infinite"), "step 1: x must be finite"),
        (updates("noisy"), r"denoised must be x \+ sigma \* output of the last network evaluation"),
        (updates("global"), "^Wrong.walk must leave the global random generators alone"),
        (walk(lambda s: replace(s, step=s.step - 1)), r"must count 1, 2, ..., but got \[0, 1, 2\]"),
        (walk(lambda s: replace(s, sigma=0.0)), "step 1: sigma must be positive, but got 0"),
        (walk(lambda s: replace(s, denoised=s.x)), "only the last of 20 states must have a denois"),
        (walk(lambda s: replace(s, denoised=None)), "step 20: only the last of 20 states must"),
    ],
)
def test_a_broken_rule_of_samplers_is_named(members, message):
    refused(message, check_sampler, wrong(Als, **members)(epsilon=0.005), SCHEDULE)


def test_random_numbers_of_its_own_are_named():
    seeds = iter(range(9))

    def own(self, network, x, schedule, draw):
        stream = torch.Generator().manual_seed(next(seeds))
        return Als.walk(self, network, x, schedule, lambda: torch.randn(4, 3, generator=stream))

    sampler = wrong(Als, walk=own)(epsilon=0.005)
    refused("^Wrong.walk must take all its random numbers from `draw`", check_sampler, sampler,
            SCHEDULE)  # fmt: skip


def test_moments_that_do_not_come_out_are_named():
    # With 20 levels, the step from level to level is too large for so small an epsilon.
    message = r"^Als must sample N\(2, 0.7\^2\) by its exact score: .* but got mean .* and std"
    refused(message, check_gaussian_samples, Als(epsilon=0.0005), SCHEDULE)
