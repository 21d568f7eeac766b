"""FID-infinity and the distance of perfect samples, against distributions that are known."""

import statistics

import pytest
import torch

from scorelib.errors import InputError
from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.metrics.sample_size import extrapolated, is_extrapolated, perfect_distance

D = 16


@pytest.fixture(scope="module")
def reference():
    draw = torch.Generator().manual_seed(0)
    factor = torch.randn(D, D, generator=draw, dtype=torch.float64) / D**0.5
    return Moments(torch.zeros(D, dtype=torch.float64), factor, 10**6)


def drawn(of, n, seed):
    draw = torch.Generator().manual_seed(seed)
    return of.mean + torch.randn(n, D, generator=draw, dtype=torch.float64) @ of.factor.T


@pytest.mark.parametrize("n", [2 * D, 8 * D])
def test_the_interval_holds_the_true_distance(reference, n):
    true = Moments(reference.mean + 0.3, 1.1 * reference.factor, 10**6)
    wanted = frechet_distance(reference, true)
    sets = [drawn(true, n, seed) for seed in range(20)]
    found = [extrapolated(reference, features) for features in sets]
    held = sum(abs(line.infinite - wanted) <= line.half_width for line in found)
    naive = statistics.fmean(frechet_distance(reference, moments(f)) for f in sets)
    mean = statistics.fmean(line.infinite for line in found)
    assert held >= 17 and abs(mean - wanted) < 0.3 * abs(naive - wanted)
    assert found[0].at(n) == pytest.approx(frechet_distance(reference, moments(sets[0])), rel=0.1)


@pytest.mark.parametrize("n", [2, 10, D, D + 1, 40, 500])
def test_perfect_samples_score_what_drawn_samples_do(reference, n):
    plain = [frechet_distance(reference, moments(drawn(reference, n, s))) for s in range(40)]
    found = perfect_distance(reference, n, n_draws=40)
    error = statistics.stdev(plain) * (2 / 40) ** 0.5
    assert abs(found - statistics.fmean(plain)) < 4 * error


def test_more_perfect_samples_score_less_and_seeds_decide(reference):
    distances = [perfect_distance(reference, n) for n in (10, 100, 1000, 10**6)]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-3
    assert distances[0] == perfect_distance(reference, 10) != perfect_distance(reference, 10, 3, 1)


def test_too_few_images_are_refused(reference):
    assert is_extrapolated(2 * D, D) and not is_extrapolated(2 * D - 1, D)
    with pytest.raises(InputError, match="at least 2 images per feature"):
        extrapolated(reference, torch.randn(2 * D - 1, D))
