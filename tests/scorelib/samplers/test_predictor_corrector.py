"""Tests of the predictor-corrector of the VE-SDE: variance by step, orders, refused settings."""

import math

import pytest
import torch

from scorelib.data import Gaussians
from scorelib.errors import InputError
from scorelib.samplers import PredictorCorrector
from scorelib.schedules import GeometricSchedule, LinearSchedule

ENDS = {"sigma_1": 20.0, "sigma_L": 0.05}
SCHEDULE = GeometricSchedule(**ENDS, n_levels=7)


def noise_source(shape, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=stream, dtype=torch.float64)


def gaussian(std):
    return lambda x, sigma: -sigma * x / (std**2 + sigma**2)


def variances(std, n_steps, snr, first):
    """Returns the variances of x after each update, for N(0, std^2) in many dimensions, by hand."""
    sigmas = [20.0 * (0.05 / 20) ** (i / (n_steps - 1)) for i in range(n_steps)]
    v, found = sigmas[0] ** 2, []
    for i, (sigma, after) in enumerate(zip(sigmas, [*sigmas[1:], 0.0], strict=True)):
        w, g2 = std**2 + sigma**2, sigma**2 - after**2
        if i > 0 or first == "corrector":
            e = 2 * snr**2 * w**2 / v
            v = (1 - e / w) ** 2 * v + 2 * e
            found.append(v)
        mean = (1 - g2 / w) ** 2 * v
        v = mean + g2
        found.append(v)
    return found, mean


@pytest.mark.parametrize("first", ["corrector", "predictor"])
@pytest.mark.parametrize(("n_steps", "snr"), [(200, 0.16), (40, 0.4)])
def test_the_variance_follows_its_recursion_and_the_last_mean_is_free_of_noise(n_steps, snr, first):
    std, shape = 0.7, (100, 400)
    draw = noise_source(shape)
    sampler = PredictorCorrector(n_steps=n_steps, snr=snr, first=first)
    states = list(sampler.walk(gaussian(std), 20 * draw(), SCHEDULE, draw))
    wanted, last_mean = variances(std, n_steps, snr, first)
    found = [state.x.var().item() for state in states]
    assert found == pytest.approx(wanted, rel=0.03)
    assert states[-1].denoised.var().item() == pytest.approx(last_mean, rel=0.03)
    assert (states[-1].x - states[-1].denoised).std().item() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("snr", [0.01, 0.16])
def test_a_thousand_steps_sample_a_gaussian_up_to_the_correctors_share(snr):
    std, shape = 0.7, (100, 400)
    draw = noise_source(shape)
    for state in PredictorCorrector(snr=snr).walk(gaussian(std), 20 * draw(), SCHEDULE, draw):
        last = state
    assert state.step == 2000
    exact = std**4 / (std**2 + 0.05**2)  # the variance of H of data with noise
    # The fixed point of the corrector is (1 + snr^2) times the variance of the level.
    assert 0.98 < last.denoised.var().item() / exact < 1.02 + snr**2


def test_the_orders_are_the_same_but_for_the_first_corrector():
    shape = (50, 3)
    corrector, predictor = (
        PredictorCorrector(n_steps=15, first=first) for first in ("corrector", "predictor")
    )
    states = list(
        corrector.walk(gaussian(1.0), 20 * noise_source(shape)(), SCHEDULE, noise_source(shape, 1))
    )
    drawn = noise_source(shape, 1)
    drawn()  # the draw of the first corrector
    again = list(predictor.walk(gaussian(1.0), states[0].x, SCHEDULE, drawn))
    assert len(again) == len(states) - 1
    for a, b in zip(states[1:], again, strict=True):
        assert torch.equal(a.x, b.x) and a.sigma == b.sigma
    assert torch.equal(states[-1].denoised, again[-1].denoised)


def test_one_round_is_as_printed_also_for_images():
    shape, snr = (6, 2, 3, 3), 0.16
    draw = noise_source(shape, 3)

    def scaled(x, sigma):
        return torch.tanh(-x) + 0.1 * sigma

    x = noise_source(shape, 2)()
    sampler = PredictorCorrector(n_steps=5, snr=snr)
    states = sampler.walk(scaled, x, SCHEDULE, noise_source(shape, 3))
    ratio = (0.05 / 20) ** 0.25
    z, g = draw(), scaled(x, 20.0) / 20
    norms = [math.sqrt(t.square().sum()) for t in z], [math.sqrt(t.square().sum()) for t in g]
    e = 2 * (snr * (sum(norms[0]) / 6) / (sum(norms[1]) / 6)) ** 2
    x = x + e * g + math.sqrt(2 * e) * z
    assert torch.allclose(next(states).x, x, rtol=1e-12)
    spread = math.sqrt(20**2 - (20 * ratio) ** 2)
    x = x + spread**2 * scaled(x, 20.0) / 20 + spread * draw()
    assert torch.allclose(next(states).x, x, rtol=1e-12)
    assert next(states).sigma == pytest.approx(20 * ratio)


def test_only_the_ends_of_the_trained_schedule_count():
    ends = []
    for schedule in (SCHEDULE, LinearSchedule(**ENDS, n_levels=50)):
        walk = PredictorCorrector(n_steps=9).walk(
            gaussian(1.0), 20 * noise_source((4, 2))(), schedule, noise_source((4, 2), 1)
        )
        *_, last = walk
        ends.append(last.x)
    assert torch.equal(*ends)


def test_25_gaussians_get_their_shares_and_their_width():
    toy, shape = Gaussians(), (5000, 2)
    trained = GeometricSchedule(sigma_1=10.0, sigma_L=0.002, n_levels=2)
    draw = noise_source(shape)
    *_, last = PredictorCorrector(n_steps=400).walk(
        lambda x, sigma: sigma * toy.score(x, sigma), 10 * draw(), trained, draw
    )
    cells = (last.denoised / toy.SPACING + 2).round().clamp(0, 4)
    counts = torch.bincount((5 * cells[:, 0] + cells[:, 1]).long(), minlength=25)
    chi_square = ((counts - 200.0) ** 2 / 200).sum().item()
    assert chi_square < 64  # 24 degrees of freedom: one in 60,000
    wanted = toy.STD * math.sqrt(math.pi / 2)
    assert toy.distances(last.denoised).mean().item() == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_steps": 1}, "n_steps must be at least 2, but got 1"),
        ({"snr": 0.0}, r"snr must be in \(0, 1\), but got 0"),
        ({"snr": 1.0}, r"snr must be in \(0, 1\), but got 1"),
        ({"first": "both"}, "first must be one of 'corrector', 'predictor'; got 'both'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        PredictorCorrector(**wrong)


def test_a_single_level_is_refused():
    single = GeometricSchedule(sigma_1=0.1, sigma_L=0.1, n_levels=1)
    x = torch.zeros(1, 1)
    with pytest.raises(InputError, match="sigmas must strictly decrease"):
        next(PredictorCorrector().walk(lambda x, s: x, x, single, lambda: x))
