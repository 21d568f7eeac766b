"""Tests of the noise of a search: the paired jackknife, exactly and against repeated draws."""

import numpy as np
import pytest
import torch

from scorelib.metrics.frechet import frechet_distance, moments
from tests.tuning.miniature import miniature_study
from tuning.spaces import EPSILON
from tuning.spaces.noise import errors_of, jackknife_error
from tuning.spaces.trial import Result, Trial
from tuning.stages import N_GROUPS, FidProtocol, without_group
from tuning.stages.protocols import Images

SPACE = next(s for s in miniature_study().searches if s.name.startswith("als")).space


def trial(number, values, which="denoised"):
    """Returns a finished trial with a value without each group, and their mean as its value."""
    numbers = {without_group(which, group): float(v) for group, v in enumerate(values)}
    result = Result(numbers | {which: float(np.mean(values))})
    values = {EPSILON: 0.001 * (1 + number)}
    return Trial(number, values, (), result, (float(np.mean(list(numbers.values()))),))


def test_of_means_the_jackknife_is_the_standard_error_of_the_mean():
    sample = np.random.default_rng(0).normal(0.0, 1e-3, N_GROUPS)
    left_out = np.exp([np.delete(sample, g).mean() for g in range(N_GROUPS)])
    exact = sample.std(ddof=1) / np.sqrt(N_GROUPS)
    assert jackknife_error(left_out, np.ones(N_GROUPS)) == pytest.approx(exact, rel=1e-9)


def test_errors_that_two_trials_share_cancel():
    shared = np.exp(np.random.default_rng(1).normal(0, 0.1, N_GROUPS))
    assert jackknife_error(3 * shared, shared) == pytest.approx(0, abs=1e-12)
    assert jackknife_error(shared, np.ones(N_GROUPS)) > 0.2


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_error_of_a_frechet_distance_is_its_spread_over_repeated_draws(shift):
    generator = torch.Generator().manual_seed(3)
    reference = moments(torch.randn(4000, 3, generator=generator))
    logs, estimates = [], []
    for _ in range(120):
        noise = torch.randn(400, 3, generator=generator)
        near, far = (noise * scale + shift for scale in (1.0, 1.3))
        logs.append(np.log(frechet_distance(reference, moments(far)) /
                           frechet_distance(reference, moments(near))))  # fmt: skip
        left_out = [
            np.array([frechet_distance(reference, moments(p.values)) for p in Images(x).split()])
            for x in (far, near)
        ]
        estimates.append(jackknife_error(*left_out))
    # 120 draws know a standard deviation to 6.5%: four standard errors are 26%.
    assert np.median(estimates) == pytest.approx(np.std(logs), rel=0.3)


def test_groups_take_every_twentieth_image_and_leave_none_out_twice():
    images = Images(torch.arange(45.0)[:, None], torch.arange(45))
    parts = list(images.split())
    left = [set(range(45)) - set(part.labels.tolist()) for part in parts]
    assert len(parts) == N_GROUPS and set.union(*left) == set(range(45))
    assert sum(map(len, left)) == 45 and left[3] == {3, 23, 43}
    assert all(part.values[:, 0].tolist() == part.labels.tolist() for part in parts)


def test_errors_are_relative_to_the_best_and_unknown_without_a_jackknife():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.02, (3, N_GROUPS))
    trials = [
        trial(i, level * np.exp(n)) for i, level, n in zip(range(3), (9, 5, 7), noise, strict=True)
    ]
    errors = errors_of(trials, "denoised", lower_is_better=True)
    assert errors[1] == 0.005 and errors[0] > 0.05 and errors[2] > 0.05
    assert errors_of(trials, "denoised", lower_is_better=False)[0] == 0.005
    assert errors_of(trials, "raw", lower_is_better=True) == []
    plain = Trial(3, {EPSILON: 0.009}, (), Result({"denoised": 8.0}), (8.0,))
    assert errors_of([*trials, plain], "denoised", lower_is_better=True)[3] == 0.005
    assert errors_of([plain], "denoised", lower_is_better=True) == []


def test_only_trials_within_noise_of_the_best_are_measured_again():
    rng = np.random.default_rng(5)
    levels = (20.0, 10.0, 10.2, 14.0)
    noise = rng.normal(0, 0.004, (4, N_GROUPS))
    trials = [
        trial(i, level * np.exp(n)) for i, level, n in zip(range(4), levels, noise, strict=True)
    ]
    assert SPACE.equal_to_best(trials) == {1, 2}
    unknown = [Trial(t.number, t.values, (), Result({"denoised": 1.0}), t.numbers) for t in trials]
    assert SPACE.equal_to_best(unknown) == {0, 1, 2, 3}


def test_a_difference_below_the_noise_moves_no_proposal_to_its_side():
    level = 0.02
    quiet, noisy = (
        [trial(i, v * np.exp(np.random.default_rng(i).normal(0, s, N_GROUPS)))
         for i, v in enumerate((10.0, 10.0 * (1 + level)))]
        for s in (1e-6, 0.02)
    )  # fmt: skip
    starts = [{EPSILON: 0.001}]
    assert SPACE.standing(quiet, starts, 0, 1).above == "worse"
    assert SPACE.standing(noisy, starts, 0, 1).above == "open"


def test_two_images_in_each_group_are_the_fewest_for_a_jackknife():
    protocol = SPACE.template.protocol
    assert isinstance(protocol, FidProtocol)
    assert protocol.without_groups(Images(torch.zeros(39, 4)), None) == ()


def test_as_many_features_as_inceptions_have_a_jackknife(monkeypatch):
    protocol = SPACE.template.protocol
    reference = moments(torch.randn(700, 600, generator=torch.Generator().manual_seed(1)))
    monkeypatch.setattr(type(protocol.reference), "moments", lambda self, at: reference)
    images = Images(torch.randn(60, 600, generator=torch.Generator().manual_seed(2)))
    left_out = protocol.without_groups(images, None)
    assert len(left_out) == N_GROUPS == len(set(left_out)) and min(left_out) > 0
