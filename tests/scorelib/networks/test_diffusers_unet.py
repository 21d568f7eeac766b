"""Tests of U-Nets of diffusers as score networks: exact on a Gaussian, and as the library asks."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from scorelib.errors import InputError
from scorelib.networks import DiffusersUnet, VpTimes, size_of
from scorelib.networks.diffusers_unet import _Preserving, config_text
from scorelib.samplers import Als, Cas, PredictorCorrector
from scorelib.samplers.base import start_images
from scorelib.samplers.batches import batched
from scorelib.schedules import GeometricSchedule
from scorelib.testing import check_score_network
from tests.scorelib.weights.pipelines import DDPM, NCSNPP, unet, ve_unet

MEAN, VARIANCE = 0.3, 0.04  # of data in [0, 1]
SIGMAS = torch.tensor([0.006, 0.01, 0.0537, 0.3, 1.0, 7.7, 50.0, 78.0], dtype=torch.float64)
VP = VpTimes()


def kept(times, t):
    """Returns the share ab of the data at a real time: s is log-linear between training times."""
    n, low, high = times.n_times, times.beta_start, times.beta_end
    f = np.cos((np.arange(n + 1) / n + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = {
        "linear": np.linspace(low, high, n),
        "scaled_linear": np.linspace(low**0.5, high**0.5, n) ** 2,
        "sigmoid": low + (high - low) / (1 + np.exp(-np.linspace(-6, 6, n))),
        "squaredcos_cap_v2": np.minimum(0.999, 1 - f[1:] / f[:-1]),
    }[times.betas]
    ab = np.cumprod(1 - betas)
    log_s = np.interp(t.numpy(), np.arange(len(ab)), np.log(np.sqrt((1 - ab) / ab)))
    return torch.from_numpy(1 / (1 + np.exp(2 * log_s)))


class Gaussian(nn.Module):
    """What a perfect network predicts for normal data of known moments, at the time it is told."""

    def __init__(self, times, prediction):
        super().__init__()
        self.times, self.prediction, self.told = times, prediction, None

    def forward(self, x, t, return_dict):
        assert return_dict is False and t.shape == (len(x),)
        self.told = t
        ab = kept(self.times, t.double()).view(-1, 1, 1, 1)
        mean, variance = 2 * MEAN - 1, 4 * VARIANCE
        of_x = ab * variance + 1 - ab
        noise = (1 - ab).sqrt() * (x - ab.sqrt() * mean) / of_x
        data = mean + ab.sqrt() * variance * (x - ab.sqrt() * mean) / of_x
        v = ab.sqrt() * noise - (1 - ab).sqrt() * data
        answer = {"epsilon": noise, "sample": data, "v_prediction": v}[self.prediction]
        return (torch.cat([answer, torch.full_like(answer, 9.0)], 1),)  # and a learned variance


def exact(x, sigma):
    """Returns sigma times the score of normal data with added noise."""
    sigma = sigma.reshape(-1, 1, 1, 1)
    return -sigma * (x - MEAN) / (VARIANCE + sigma**2)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"])
def test_the_score_of_a_gaussian_is_exact(betas, prediction):
    times = VpTimes(betas=betas)
    network = _Preserving(Gaussian(times, prediction), times, prediction)
    most, least = times.sigmas
    sigmas = SIGMAS[(most > SIGMAS) & (least < SIGMAS)]
    x = MEAN + torch.randn(len(sigmas), 3, 4, 4, dtype=torch.float64) * (VARIANCE + sigmas**2).sqrt(
    ).view(-1, 1, 1, 1)  # fmt: skip
    wanted = exact(x, sigmas)
    assert (network(x, sigmas) - wanted).abs().max() < 1e-9
    for one, sigma, of in zip(x, sigmas, wanted, strict=True):
        assert torch.allclose(network(one[None], sigma)[0], of, atol=1e-9, rtol=1e-9)


def test_times_and_levels_are_those_of_the_literature():
    assert VP.sigmas == pytest.approx((78.7035, 0.00500025), rel=1e-5)
    oracle = Gaussian(VP, "epsilon")
    network = _Preserving(oracle, VP, "epsilon")
    for sigma, t in ((0.01, 2.288), (50.0, 953.05), (0.001, 0.0), (1000.0, 999.0)):
        network(torch.zeros(1, 1, 2, 2), torch.tensor(sigma))
        assert float(oracle.told) == pytest.approx(t, abs=2e-2 if t > 900 else 2e-3)
    nearest = _Preserving(oracle, VP, "epsilon")
    nearest._between = "nearest"
    for sigma, t in ((0.01, 2), (50.0, 953), (0.001, 0), (1000.0, 999)):
        nearest(torch.zeros(1, 1, 2, 2), torch.tensor(sigma))
        assert float(oracle.told) == t


def test_the_nearest_time_is_given_with_the_exact_scales():
    given = []

    class Unet(nn.Module):
        def forward(self, x, t, return_dict):
            given.append((x, t))
            return (x,)

    times = VpTimes(between="nearest")
    network = _Preserving(Unet(), times, "epsilon")
    x, sigma = torch.rand(2, 1, 2, 2), torch.tensor([0.0123, 3.21])
    answer = network(x, sigma)
    scaled = (2 * x - 1) / (1 + 4 * sigma**2).sqrt().view(-1, 1, 1, 1)
    assert torch.allclose(given[0][0], scaled) and torch.allclose(answer, -scaled)
    assert torch.equal(given[0][1], given[0][1].round())


@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"])
def test_the_betas_are_those_of_the_library(betas):
    ours = VpTimes(betas=betas, n_times=50, beta_start=2e-4, beta_end=0.03)
    theirs = DDPMScheduler(
        num_train_timesteps=50, beta_schedule=betas, beta_start=2e-4, beta_end=0.03
    )
    assert torch.allclose(ours.beta_values, theirs.betas.double(), rtol=1e-5, atol=1e-8)
    given = VpTimes(n_times=50, trained_betas=tuple(theirs.betas.double().tolist()))
    assert torch.allclose(given.log_levels, ours.log_levels, rtol=1e-4, atol=1e-4)


SAMPLERS = [
    Als(epsilon=1e-4, n_sigma=2), Cas(epsilon=9e-5, n_sigma=1), PredictorCorrector(n_steps=20),
]  # fmt: skip


def way(sampler, network):
    """Returns the states of a sampler, all of whose random numbers come from one seed."""
    levels = GeometricSchedule(sigma_1=5.0, sigma_L=0.01, n_levels=10)
    draw = torch.Generator().manual_seed(0)
    x = start_images("noise", (5, 1, 3, 3), levels.sigma_1, draw, None)
    scaled_score = batched([network], "float32", None)
    return list(sampler.walk(scaled_score, x, levels, lambda: torch.randn(x.shape, generator=draw)))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.KIND)
def test_every_sampler_goes_the_way_of_the_exact_score(sampler):
    ours = way(sampler, _Preserving(Gaussian(VP, "epsilon"), VP, "epsilon"))
    wanted = way(sampler, exact)
    for state, other in zip(ours, wanted, strict=True):
        assert torch.allclose(state.x, other.x, atol=1e-4)
    assert torch.allclose(ours[-1].denoised, wanted[-1].denoised, atol=1e-4)
    assert (ours[-1].denoised - MEAN).abs().max() < 6 * VARIANCE**0.5


def spec(config=DDPM, **fields):
    fields = {"times": VP} | fields
    return DiffusersUnet(config=config_text(dict(config)), **fields)


def with_weights(spec, module):
    network = spec.build(spec.shape).eval()
    network.unet.load_state_dict(module.state_dict())
    return network


@pytest.mark.parametrize("between", ["interpolated", "nearest"])
def test_a_denoising_model_is_asked_as_the_library_asks_it(between):
    network = with_weights(spec(times=VpTimes(between=between)), unet())
    scheduler, t = DDPMScheduler(), torch.tensor([3, 400, 998])
    ab = scheduler.alphas_cumprod[t].double()
    sigma = ((1 - ab) / ab).sqrt() / 2
    x = torch.rand(3, 1, 8, 8)
    noise = torch.randn(3, 1, 8, 8)
    noised = scheduler.add_noise(2 * x - 1, noise, t)
    with torch.no_grad():
        theirs = unet()(noised, t).sample
        ours = network(x + sigma.float().view(-1, 1, 1, 1) * noise, sigma.float())
    assert torch.allclose(ours, -theirs, atol=2e-4)


def test_ncsnpp_takes_the_level_and_answers_the_score():
    network = with_weights(spec(NCSNPP, times=None), ve_unet())
    x, sigma = torch.rand(2, 3, 8, 8), torch.tensor([0.05, 9.0])
    with torch.no_grad():
        theirs = sigma.view(-1, 1, 1, 1) * ve_unet()(x, sigma).sample
        assert torch.allclose(network(x, sigma), theirs, atol=1e-5)
        alone = network(x[:1], sigma[0])
    assert torch.allclose(alone, theirs[:1], atol=1e-5)


def test_contract():
    check_score_network(spec(), (1, 8, 8))


@pytest.mark.parametrize("case", [spec(), spec(NCSNPP, times=None)], ids=["vp", "ve"])
def test_the_cost_is_counted(case):
    n = size_of(case, case.shape).multiply_adds
    assert n > 1e5
    wide = case.replace(config=config_text(case.arguments | {"block_out_channels": (64, 64)}))
    assert size_of(wide, case.shape).multiply_adds > 2 * n


def test_a_table_of_times_gets_whole_numbers():
    table = DDPM | {"time_embedding_type": "learned", "num_train_timesteps": 1000}
    network = spec(table, times=VpTimes(between="nearest")).build((1, 8, 8)).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, 8, 8), torch.tensor(0.7)).isfinite().all()
    with pytest.raises(InputError, match="must take the nearest time") as caught:
        spec(table)
    assert caught.value.fields == ("times=nearest",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spec(times=None), "all others need training times, but got no times"),
        (lambda: spec(NCSNPP), "Fourier embeddings take the noise level"),
        (lambda: spec(DDPM | {"out_channels": 3}), "as many channels as it takes, 1, or twice"),
        (lambda: spec().build((3, 8, 8)), r"shape \(1, 8, 8\) .* but got \(3, 8, 8\)"),
        (lambda: spec().build((1, 16, 16)), "give images of that size"),
        (lambda: spec(DDPM | {"down_block_types": ("DownBlock2D",)}).build((1, 8, 8)),
         "diffusers must accept the config of the network, but refuses it: Must provide the same"),
        (lambda: VpTimes(n_times=1), "n_times must be at least 2"),
        (lambda: VpTimes(beta_end=1.5), "all betas must be in"),
        (lambda: VpTimes(trained_betas=(0.1, 0.2)), "1000 times and 2 betas"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_levels_do_not_depend_on_the_number_of_digits_of_the_betas():
    assert math.exp(float(VP.log_levels[0])) == pytest.approx(math.sqrt(1e-4 / (1 - 1e-4)))
