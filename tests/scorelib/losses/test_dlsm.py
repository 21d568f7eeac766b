"""Tests of likelihood score matching on two Gaussians, where all quantities have closed forms."""

import math
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.guidance import (
    ClassGuidance,
    GuidedNetwork,
    likelihood_score,
    require_independent_examples,
)
from scorelib.losses import CIFAR_DLSM, MOONS_DLSM, CrossEntropy, Dlsm, perturbed
from scorelib.networks import NoiseClassifier, multiply_adds
from scorelib.spec import from_json

CENTRES = torch.tensor([[-1.0, 0.5], [1.5, -0.25]], dtype=torch.float64)
STD = 0.8


class ExactClassifier(NoiseClassifier):
    """The true p_sigma(y | x) of two Gaussians of equal shares; tests can change its logits."""

    def __init__(self, gain=1.0, shift=(0.0, 0.0), tilt=0.0):
        super().__init__()
        self.gain, self.shift, self.tilt = gain, torch.tensor(shift).double(), tilt

    def forward(self, x, sigma):
        variance = STD**2 + sigma.square().reshape(-1, 1)
        squares = (x[:, None] - CENTRES - self.shift).square().sum(dim=2)
        bend = self.tilt * x.prod(dim=1, keepdim=True) * torch.tensor([0.0, 1.0])
        return -self.gain * squares / (2 * variance) + bend


def exact_prior(x, sigma):
    """Returns sigma * score of the mixture."""
    sigma = sigma.reshape(-1, 1)
    variance = STD**2 + sigma**2
    offsets = CENTRES - x[:, None]
    weights = (-offsets.square().sum(dim=2) / (2 * variance)).softmax(dim=1)
    return sigma * (weights[..., None] * offsets).sum(dim=1) / variance


def batch(n, sigma=None, seed=0):
    """Returns x, labels, sigma and noise, at one level or at several."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n,), generator=stream)
    x = CENTRES[labels] + STD * torch.randn(n, 2, generator=stream, dtype=torch.float64)
    noise = torch.randn(n, 2, generator=stream, dtype=torch.float64)
    levels = torch.tensor([0.1, 0.5, 2.0, 6.0]).double().repeat(n)[:n]
    return x, labels, levels if sigma is None else torch.full_like(levels, sigma), noise


class Smooth(NoiseClassifier):
    """A small classifier without kinks: its losses have derivatives of any order."""

    def __init__(self, size=2, n_classes=3, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.last = nn.Linear(size + 1, 5), nn.Linear(5, n_classes)
        self.double()

    def forward(self, x, sigma):
        level = sigma.log().reshape(-1, 1).expand(len(x), 1)
        return self.last(torch.tanh(self.first(torch.cat([x, level], dim=1))))


WRONG = [
    ExactClassifier(gain=0.7), ExactClassifier(gain=1.5),
    ExactClassifier(shift=(0.3, 0.3)), ExactClassifier(tilt=0.4),
]  # fmt: skip
SUM = Dlsm(lambda_=0.0)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0])
def test_the_true_likelihood_score_has_the_least_dlsm_loss_and_its_known_value(sigma):
    # The part D/2 s^2 / (s^2 + sigma^2) of the noise cannot be predicted from x~ and y.
    found = SUM.losses(ExactClassifier(), exact_prior, *batch(400_000, sigma))["dlsm"].item()
    assert found == pytest.approx(STD**2 / (STD**2 + sigma**2), rel=0.01)


@cache
def of_exact_classifier(sigma):
    """Returns the loss and the likelihood score of the true classifier, for many examples."""
    examples = x, labels, levels, noise = batch(400_000, sigma)
    loss = SUM.losses(ExactClassifier(), exact_prior, *examples)["dlsm"]
    noised = perturbed(x, levels, noise)
    return loss, likelihood_score(ExactClassifier(), noised, levels, labels)[1]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_dlsm_and_explicit_likelihood_score_matching_differ_by_a_constant(wrong, sigma):
    # Theorem 1; both use the same draws, so that most of their noise cancels.
    examples = x, labels, levels, noise = batch(400_000, sigma)
    exact_loss, exact_score = of_exact_classifier(sigma)
    excess = SUM.losses(wrong, exact_prior, *examples)["dlsm"] - exact_loss
    noised = perturbed(x, levels, noise)
    gap = likelihood_score(wrong, noised, levels, labels)[1] - exact_score
    explicit = 0.5 * sigma**2 * gap.square().sum(dim=1).mean()  # Eq. 8, weighted with sigma^2
    assert explicit > 1e-4
    assert excess.item() == pytest.approx(explicit.item(), rel=0.15)


def test_the_true_likelihood_score_is_the_difference_of_posterior_and_prior():
    x, labels, sigma, noise = batch(100)
    noised = perturbed(x, sigma, noise)
    log_likelihood, found = likelihood_score(ExactClassifier(), noised, sigma, labels)
    posterior = (CENTRES[labels] - noised) / (STD**2 + sigma.square())[:, None]
    expected = posterior - exact_prior(noised, sigma) / sigma[:, None]
    torch.testing.assert_close(found, expected)
    densities = (
        torch.distributions.Normal(CENTRES, (STD**2 + sigma.square()).sqrt()[:, None, None])
        .log_prob(noised[:, None]).sum(dim=2)
    )  # fmt: skip
    expected = densities.gather(1, labels[:, None])[:, 0] - densities.logsumexp(dim=1)
    torch.testing.assert_close(log_likelihood, expected)


def test_the_parzen_oracle_serves_as_score_and_makes_the_loss_exact():
    # With the prior score of the points themselves, the best classifier is that of the points.
    x, labels, _, _ = batch(12)
    oracle = Parzen(x, labels)

    class OfPoints(NoiseClassifier):
        def forward(self, x, sigma):
            return oracle.log_likelihood(x, sigma)

    stream = torch.Generator().manual_seed(1)
    repeated, noise = x.repeat(4000, 1), torch.randn(48_000, 2, generator=stream).double()
    sigma = torch.full((48_000,), 0.7).double()
    examples = repeated, labels.repeat(4000), sigma, noise

    def prior(x, sigma):
        return sigma[:, None] * oracle.prior_score(x, sigma)

    losses = [SUM.losses(c, prior, *examples)["dlsm"] for c in (OfPoints(), *WRONG)]
    assert min(losses[1:]) > losses[0]


def test_the_score_is_the_gradient_of_the_log_likelihood_by_finite_differences():
    classifier = Smooth()
    x, labels, sigma, _ = batch(6)
    labels = torch.arange(6) % 3
    log_likelihood, gradient = likelihood_score(classifier, x, sigma, labels)
    for d in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[d] = 1e-6
        above, below = (
            likelihood_score(classifier, x + s, sigma, labels)[0] for s in (step, -step)
        )
        torch.testing.assert_close(gradient[:, d], (above - below) / 2e-6, rtol=1e-6, atol=1e-8)
    assert (log_likelihood < 0).all()


OBJECTIVES = [
    CrossEntropy(), SUM, Dlsm(lambda_=0.3), MOONS_DLSM, CIFAR_DLSM, Dlsm(sigma_power=3.0),
]  # fmt: skip


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_in_the_weights_against_finite_differences(objective):
    classifier = Smooth(n_classes=2)
    examples = batch(4)
    parameters = dict(classifier.named_parameters())

    class Called(nn.Module):
        def __init__(self, values):
            super().__init__()
            self.values = dict(zip(parameters, values, strict=True))

        def forward(self, x, sigma):
            return torch.func.functional_call(classifier, self.values, (x, sigma))

    def total(*values):
        return objective.total(objective.losses(Called(values), exact_prior, *examples))

    assert torch.autograd.gradcheck(total, tuple(parameters.values()))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_by_their_formulas_example_by_example(objective):
    classifier = Smooth(n_classes=2)
    x, labels, sigma, noise = batch(8)
    losses = objective.losses(classifier, exact_prior, x, labels, sigma, noise)
    entropies, squares = [], []
    for i in range(8):
        noised = (x[i] + sigma[i] * noise[i]).requires_grad_()
        log_p = F.log_softmax(classifier(noised[None], sigma[i])[0], dim=0)[labels[i]]
        (g,) = torch.autograd.grad(log_p, noised)
        s = exact_prior(noised.detach()[None], sigma[i])[0] / sigma[i]
        entropies.append(-log_p.item())
        squares.append(((g + s + noise[i] / sigma[i]) ** 2 / 2).tolist())
    squares = torch.tensor(squares).double()
    entropy = sum(entropies) / 8
    assert losses["ce"].item() == pytest.approx(entropy)
    if isinstance(objective, CrossEntropy):
        assert losses.keys() == {"ce"} and objective.total(losses) is losses["ce"]
        return
    weighted = sigma[:, None] ** objective.sigma_power * squares
    expected = weighted.mean() if objective.over_dimensions == "mean" else weighted.sum() / 8
    assert losses["dlsm"].item() == pytest.approx(expected.item())
    total = expected.item() + objective.lambda_ * entropy
    assert objective.total(losses).item() == pytest.approx(total)


@pytest.mark.parametrize(("mean", "lambda_"), [(MOONS_DLSM, 0.25), (Dlsm(lambda_=0.0), 0.0)])
def test_the_mean_form_is_the_sum_form_with_lambda_times_the_dimensions(mean, lambda_):
    mean = mean.replace(over_dimensions="mean")
    sum_ = Dlsm(lambda_=lambda_, sigma_power=mean.sigma_power)
    examples = batch(20)
    totals = [
        objective.total(objective.losses(Smooth(n_classes=2), exact_prior, *examples)).item()
        for objective in (mean, sum_)
    ]
    assert totals[0] == pytest.approx(totals[1] / 2)


def test_the_authors_settings_are_as_they_ran():
    assert (MOONS_DLSM.lambda_, MOONS_DLSM.sigma_power) == (0.125, 4)
    assert (CIFAR_DLSM.lambda_, CIFAR_DLSM.sigma_power) == (1, 0)
    assert MOONS_DLSM.over_dimensions == CIFAR_DLSM.over_dimensions == "mean"
    for objective in OBJECTIVES:
        assert from_json(objective.to_json()) == objective
    assert len({objective.key for objective in OBJECTIVES}) == len(OBJECTIVES)


def test_nothing_flows_back_to_the_score_network():
    network = nn.Linear(2, 2).double()
    objective = Dlsm()
    losses = objective.losses(Smooth(n_classes=2), lambda x, sigma: network(x), *batch(4))
    objective.total(losses).backward()
    assert all(p.grad is None for p in network.parameters())


def test_guidance_does_not_vanish_where_the_class_is_all_but_impossible():
    # At p(y | x) = 1e-87, adding 1e-8 to the probability would remove the gradient completely.
    x = torch.tensor([[40.0, -8.0]], dtype=torch.float64)
    sigma = torch.tensor(0.1, dtype=torch.float64)
    log_likelihood, gradient = likelihood_score(ExactClassifier(), x, sigma, torch.tensor([0]))
    assert log_likelihood.item() < -150
    expected = (CENTRES[0] - CENTRES[1]) / (STD**2 + 0.01)
    torch.testing.assert_close(gradient[0], expected)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_guided_network_is_the_prior_plus_the_scaled_likelihood_score(label, scale):
    class Prior(nn.Module):
        def forward(self, x, sigma):
            return exact_prior(x, sigma)

    guided = GuidedNetwork(Prior(), ClassGuidance(ExactClassifier(), label, scale=scale))
    x, _, sigma, _ = batch(50)
    posterior = sigma[:, None] * (CENTRES[label] - x) / (STD**2 + sigma**2)[:, None]
    prior = exact_prior(x, sigma)
    torch.testing.assert_close(guided(x, sigma), prior + scale * (posterior - prior))


def test_samplers_can_call_a_guided_network_in_inference_mode():
    guidance = ClassGuidance(Smooth().requires_grad_(False), 2)
    x, _, sigma, _ = batch(5)
    expected = guidance(x, sigma)
    with torch.inference_mode():
        found = guidance(x + 0, sigma + 0)  # tensors created in inference mode
    assert torch.equal(found, expected) and expected.any()


class Normalised(NoiseClassifier):
    def __init__(self, norm):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 4), norm, nn.SiLU(), nn.Linear(4, 2)).double()

    def forward(self, x, sigma):
        return self.layers(x)


def test_over_the_batch_the_gradient_is_not_that_of_an_examples_own_likelihood():
    # The reason why such classifiers are refused: the score of an example depends on its batch.
    torch.manual_seed(0)
    layers = Normalised(nn.BatchNorm1d(4)).layers.train()
    x, labels, _, _ = batch(6)

    def score_of_first(labels):
        noised = x.clone().requires_grad_()
        log_p = layers(noised).log_softmax(dim=1).gather(1, labels[:, None])
        return torch.autograd.grad(log_p.sum(), noised)[0][0]

    others = torch.cat([labels[:1], 1 - labels[1:]])
    assert not torch.allclose(score_of_first(labels), score_of_first(others))


@pytest.mark.parametrize(
    ("norm", "train", "refused"),
    [
        (nn.BatchNorm1d(4), True, True),
        (nn.BatchNorm1d(4), False, False),
        (nn.BatchNorm1d(4, track_running_stats=False), False, True),
        (nn.SyncBatchNorm(4), True, True),
        (nn.GroupNorm(2, 4), True, False),
        (nn.LayerNorm(4), True, False),
    ],
)
def test_classifiers_that_normalise_over_the_batch_are_refused(norm, train, refused):
    classifier = Normalised(norm).train(train)
    x, labels, sigma, _ = batch(6)
    if refused:
        with pytest.raises(InputError, match=r"layer 'layers.1' normalises over the batch"):
            likelihood_score(classifier, x, sigma, labels)
        with pytest.raises(InputError, match="normalises over the batch"):
            require_independent_examples(classifier)
        return
    _, together = likelihood_score(classifier, x, sigma, labels)
    alone = [
        likelihood_score(classifier, x[i : i + 1], sigma[i], labels[i : i + 1])[1] for i in range(6)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_what_means_nothing_is_refused():
    with pytest.raises(InputError, match="DLSM needs a score network of the whole data set"):
        Dlsm().losses(Smooth(), None, *batch(2))
    for settings in ({"lambda_": -0.1}, {"sigma_power": -1.0}):
        with pytest.raises(InputError, match="must be >= 0"):
            Dlsm(**settings)


class Products(TorchDispatchMode):
    """Counts the multiply-adds of matrix products, also in gradients of gradients."""

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
            (n, k), (_, m) = (t.shape for t in args[-2:])
            self.total += n * k * m
        return func(*args, **(kwargs or {}))


def test_the_cost_of_an_update_is_that_counted():
    class Deep(NoiseClassifier):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*[nn.Linear(30, 30), nn.Tanh()] * 12)

        def forward(self, x, sigma):
            return self.layers(x)

    classifier, score = Deep(), nn.Linear(30, 30)
    n = 10
    examples = torch.randn(n, 30), torch.zeros(n).long(), torch.ones(n), torch.randn(n, 30)
    for objective in (CrossEntropy(), Dlsm()):
        with Products() as counter:
            losses = objective.losses(classifier, lambda x, sigma: score(x), *examples)
            objective.total(losses).backward()
        expected = objective.update_multiply_adds(multiply_adds(classifier, (30,)), 900)
        assert counter.total / n == pytest.approx(expected, rel=0.05)
    assert math.isfinite(losses["dlsm"].item())
