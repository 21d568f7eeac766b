"""Tests of every sampler against a plain loop of its algorithm, bitwise, and of its call order.

The loops do not use the samplers: they take the levels and the settings as numbers. "net" and
"draw" record the order in which the network and the noise are called; the order of the loop is
the correct one.
"""

import math
from itertools import pairwise

import pytest
import torch

from scorelib.samplers import Als, Cas, CasInR, Langevin, PredictorCorrector, start_images
from scorelib.schedules import SCHEDULES, ExplicitSchedule, GeometricSchedule

SHAPE = (3, 2, 4, 4)
ENDS = {"sigma_1": 5.0, "sigma_L": 0.1, "n_levels": 12}
SCHEDULE = GeometricSchedule(**ENDS)
LEVELS = ExplicitSchedule(sigmas=(5.0, 3.0, 1.2, 0.5))


class Asked:
    """A network and a source of noise that record the order of their calls."""

    def __init__(self, dtype):
        self.order, self._dtype = [], dtype
        self._stream = torch.Generator().manual_seed(3)

    def start(self, start):
        return start_images(start, SHAPE, 5.0, self._stream, None).to(self._dtype)

    def net(self, x, sigma):
        self.order.append(("net", sigma))
        return torch.sin(3 * x + sigma) - sigma * x / (1 + sigma**2)

    def draw(self):
        self.order.append("draw")
        return torch.randn(SHAPE, generator=self._stream).to(self._dtype)


def als(at, x, sigmas, epsilon, n_sigma, extra_call=False):
    share = epsilon / sigmas[-1] ** 2
    for sigma in sigmas:
        for _ in range(n_sigma):
            move = sigma * at.net(x, sigma)
            denoised = x + move
            x = x + share * move + math.sqrt(2 * share) * sigma * at.draw()
            yield x, sigma
    if extra_call:
        denoised = x + sigma * at.net(x, sigma)
    yield denoised


def cas(at, x, sigmas, epsilon):
    """Runs consistent annealed sampling with the levels of the dilated schedule."""
    share = epsilon / sigmas[-1] ** 2
    for sigma, following in pairwise(sigmas):
        spread = math.sqrt(following**2 - ((1 - share) * sigma) ** 2)
        x = x + share * (sigma * at.net(x, sigma)) + spread * at.draw()
        yield x, sigma
    move = sigmas[-1] * at.net(x, sigmas[-1])
    yield x + share * move, sigmas[-1]
    yield x + move


def cas_in_r(at, x, sigmas, r):
    """Runs consistent annealed sampling with one r; the last update repeats the ratio before."""
    for sigma, following in pairwise(sigmas):
        share = r * (1 - following / sigma)
        spread = math.sqrt(following**2 - ((1 - share) * sigma) ** 2)
        x = x + share * (sigma * at.net(x, sigma)) + spread * at.draw()
        yield x, sigma
    move = sigmas[-1] * at.net(x, sigmas[-1])
    yield x + share * move, sigmas[-1]
    yield x + move


def predictor_corrector(at, x, sigmas, snr, first):
    def norm(batch):
        return batch.reshape(len(batch), -1).norm(dim=1).mean()

    corrects = first == "corrector"
    for sigma, following in zip(sigmas, (*sigmas[1:], 0.0), strict=True):
        if corrects:
            score, noise = at.net(x, sigma) / sigma, at.draw()
            size = 2 * (snr * norm(noise) / norm(score)).square()
            x = x + size * score + (2 * size).sqrt() * noise
            yield x, sigma
        corrects = True
        spread = math.sqrt(sigma**2 - following**2)
        mean = x + spread**2 / sigma * at.net(x, sigma)
        x = mean + spread * at.draw()
        yield x, sigma
    yield mean


def cases():
    """Returns (sampler, schedule, its algorithm as a function of an `Asked` and a start)."""
    for family in SCHEDULES.values():
        schedule = family(**ENDS)
        for n_sigma, extra in ((1, False), (5, False), (1, True), (5, True)):
            settings = {"epsilon": 0.3 * 0.1**2, "n_sigma": n_sigma, "extra_call": extra}
            yield Als(**settings), schedule, als, {"sigmas": schedule.sigmas, **settings}
    for n_sigma, eta in ((1, 0.5), (1, 1.2), (5, 0.08)):
        sigmas = SCHEDULE.dilated(n_sigma).sigmas
        epsilon = eta * 0.1**2
        sampler = Cas(epsilon=epsilon, n_sigma=n_sigma)
        yield sampler, SCHEDULE, cas, {"sigmas": sigmas, "epsilon": epsilon}
    for name, schedule in {"levels": LEVELS, "cosine": SCHEDULES["cosine"](**ENDS)}.items():
        sigmas = schedule.sigmas
        share = 1.02
        epsilon = share * sigmas[-1] ** 2
        yield Cas(epsilon=epsilon), schedule, cas, {"sigmas": sigmas, "epsilon": epsilon}
        r = 1.02 if name == "cosine" else 1.5
        yield CasInR(r=r), schedule, cas_in_r, {"sigmas": sigmas, "r": r}
    langevin = Langevin(sigma=0.7, epsilon=0.05, n_steps=9)
    at_one_level = {"sigmas": (0.7,), "epsilon": 0.05, "n_sigma": 9}
    yield langevin, SCHEDULES["linear"](**ENDS), als, at_one_level
    for first in ("corrector", "predictor"):
        sigmas = GeometricSchedule(**ENDS | {"n_levels": 7}).sigmas
        sampler = PredictorCorrector(n_steps=7, snr=0.2, first=first)
        settings = {"sigmas": sigmas, "snr": 0.2, "first": first}
        yield sampler, SCHEDULES["cosine"](**ENDS), predictor_corrector, settings


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", ["noise", "uniform"])
@pytest.mark.parametrize(("sampler", "schedule", "algorithm", "settings"), [*cases()])
def test_a_walk_is_its_algorithm_bit_by_bit(sampler, schedule, algorithm, settings, start, dtype):
    ours, plain = Asked(dtype), Asked(dtype)
    states = list(sampler.walk(ours.net, ours.start(start), schedule, ours.draw))
    *updates, denoised = algorithm(plain, plain.start(start), **settings)
    assert ours.order == plain.order
    assert sum(asked != "draw" for asked in ours.order) == sampler.n_evaluations(schedule)
    for i, (state, (x, sigma)) in enumerate(zip(states, updates, strict=True), start=1):
        assert torch.equal(state.x, x) and (state.sigma, state.step) == (sigma, i)
    assert all(state.denoised is None for state in states[:-1])
    assert torch.equal(states[-1].denoised, denoised)


def test_each_update_is_yielded_before_the_next_is_begun():
    at = Asked(torch.float64)
    walk = Als(epsilon=0.003).walk(at.net, at.start("noise"), SCHEDULE, at.draw)
    assert at.order == []
    for n in (1, 2):
        assert next(walk).step == n and at.order[-2:] == [("net", SCHEDULE.sigmas[n - 1]), "draw"]
        assert len(at.order) == 2 * n
