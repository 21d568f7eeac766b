"""Tests of the contracts of networks: each rule fails for a network that breaks it."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from scorelib.networks import NetworkSpec, NoiseClassifier, NoiseClassifierSpec, ScoreNetwork
from scorelib.testing import check_noise_classifier, check_score_network
from tests.components import refused

FIXED = torch.Generator()


def drawn_once(*sizes):
    return torch.randn(*sizes, generator=FIXED)


class Layers(ScoreNetwork):
    """A linear score network of vectors that breaks a rule."""

    def __init__(self, size, how=""):
        super().__init__()
        self.how = how
        self.linear = nn.Linear(size, size)
        self.norm = nn.BatchNorm1d(size, track_running_stats=False)
        self.noise = torch.randn(size)
        if how == "frozen":
            self.linear.bias.requires_grad_(False)
        if how == "weights of its own":
            self.linear.weight.data = drawn_once(size, size)
        if how == "other bias":
            self.norm.bias.data = drawn_once(size)
        if how == "one number":
            self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x, sigma):
        column = sigma.reshape(-1, 1)
        if self.how == "in place":
            x += 1
        out = self.linear(x) / column.sqrt()
        out = out + 0 * self.norm.weight.sum() if self.how == "unused" else out * self.norm.weight
        out = out + self.norm.bias
        if self.how == "shared sigma":
            return out * (2 if sigma.ndim == 0 else 1)
        changes = {
            "shape": lambda: out[:, :1],
            "double": out.double,
            "infinite": lambda: out / (column - 0.5).clamp(min=0),
            "global": lambda: out + torch.rand(()),
            "dropout": lambda: out * drawn_once(()),
            "batch": lambda: out - out.mean(0),
            "hidden": lambda: out + self.noise,
            "detached": lambda: out.detach(),
        }
        return changes.get(self.how, lambda: out)()


@dataclass(frozen=True, kw_only=True)
class Network(NetworkSpec):
    """A spec of `Layers`; `how` names the broken rule."""

    how: str = ""
    conditional: bool = True

    def build(self, shape):
        if self.how == "no module":
            return lambda x, sigma: x
        if self.how == "another module":
            return Copied(shape[0])
        if self.how == "seeded":
            torch.manual_seed(0)
        if self.how == "size":
            return Layers(3)
        return Layers(*shape, self.how)


class Copied(nn.Module):
    """The same layers in a module that is no ScoreNetwork."""

    def __init__(self, size):
        super().__init__()
        self.layers = Layers(size)

    def forward(self, x, sigma):
        return self.layers(x, sigma)


def test_a_good_network_passes():
    check_score_network(Network(), (3,), (5,))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no module", "^build must return a torch.nn.Module, but got function$"),
        ("another module", r"^Network, data \(3,\): build must return a ScoreNetwork$"),
        ("weights of its own", "the same seed gave other weights$"),
        ("seeded", "two seeds gave the same weights$"),
        ("in place", "the forward pass must not write to x or sigma$"),
        ("shape", r"output must be torch.float32 of shape \(6, 3\), but got .* of \(6, 1\)$"),
        ("double", "output must be torch.float32 .* but got torch.float64"),
        ("infinite", "the output must be finite, but at sigma = 0.01 it is not$"),
        ("global", "the forward pass in eval mode must leave the global random generators alone"),
        ("dropout", "eval mode must give the same output each time$"),
        ("batch", "an output must not depend on the other examples of the batch"),
        ("shared sigma", r"one noise level for all, of shape \(\), must give what equal levels"),
        ("frozen", "every parameter must be trainable, but linear.bias is not$"),
        ("unused", "every parameter must get a gradient, but norm.weight gets none$"),
        ("detached", r"must get a gradient, but linear.weight \(and 3 more\) gets none$"),
        ("hidden", "the state dict must hold all that the output depends on: register"),
    ],
)
def test_a_broken_rule_is_named(how, message):
    refused(message, check_score_network, Network(how=how), (3,))


def test_a_network_that_reads_sigma_says_so():
    message = "conditional must say whether sigma changes the output, but it is False and sigma do"
    refused(message, check_score_network, Network(conditional=False), (3,))


def test_the_size_comes_from_the_data():
    with pytest.raises(AssertionError, match=r"must fail, but got RuntimeError: .*multiplied"):
        check_score_network(Network(how="size"), (3,), (5,))
    refused("needs at least one shape", check_score_network, Network())
    refused("^int must be a subclass of NetworkSpec$", check_score_network, 3, (3,))


class Logits(NoiseClassifier):
    """A linear classifier of vectors; `normal` is a normalisation."""

    def __init__(self, size, k, normal):
        super().__init__()
        self.linear, self.normal = nn.Linear(size, k), normal

    def forward(self, x, sigma):
        return self.normal(self.linear(x / sigma.reshape(-1, 1)))


@dataclass(frozen=True, kw_only=True)
class Classifier(NoiseClassifierSpec):
    """A spec of `Logits`; `k_more` logits too many break a rule, as does `batch`."""

    batch: bool = False
    k_more: int = 0
    plain: bool = False

    def build(self, shape, n_classes):
        k = n_classes + self.k_more
        made = Logits(*shape, k, nn.BatchNorm1d(k) if self.batch else nn.Identity())
        return nn.ModuleList([made])[0] if not self.plain else Wrapped(made)


class Wrapped(nn.Module):
    """A classifier in a module that is no NoiseClassifier."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, sigma):
        return self.inner(x, sigma)


def test_broken_rules_of_classifiers_are_named():
    check_noise_classifier(Classifier(), (3,), 4)
    refused(r"shape \(6, 4\), but got torch.float32 of \(6, 5\)", check_noise_classifier,
            Classifier(k_more=1), (3,), 4)  # fmt: skip
    refused("normalis", check_noise_classifier, Classifier(batch=True), (3,), 4)
    refused("build must return a NoiseClassifier", check_noise_classifier, Classifier(plain=True),
            (3,), 4)  # fmt: skip
    refused("subclass of NoiseClassifierSpec", check_noise_classifier, Network(), (3,), 4)
