"""Multilayer perceptrons for points in the plane: a score network and a classifier.

Both have two variants, which differ only in how the noise level enters.

**Late** (``data_scale=None``), as in the authors' code: three linear layers f of x and three linear
layers h of sigma, with ReLU between them, enter one last linear layer. There is no ReLU after the
third layers, so the output is a sum, A f(x) + B h(sigma). The gradient of the logits in x therefore
does not depend on sigma, so a late classifier can only learn a gradient that is the same at all
noise levels.

**At the input** (``data_scale=s``): the layers f take (x / sqrt(sigma^2 + s^2), log(sigma) / 4),
which has unit scale at every noise level, and there is no h. The gradient can then depend on sigma,
as the optimum of both losses, cross entropy and DLSM, requires. How much then remains of the error
that Table 1 of the paper attributes to cross entropy depends on the length and the learning rate of
training (docs/findings.md).

The third and the last linear layer are applied as one layer. The product of their matrices is
computed first, which is cheaper than a product with the batch.

The score networks return sigma * score, as all score networks in this library
(`scorelib.networks.base`). The authors' network returns the score itself, so the late variant
multiplies its sum by sigma.

References:
    Chao et al. (2022), Appendix A.6.2. The text states 128, 64 and 32 hidden units (width=8); the
    authors' code has twice as many (width=16).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.noise_classifier import NoiseClassifier, NoiseClassifierSpec


@dataclass(frozen=True, kw_only=True)
class PlaneMlp(NetworkSpec):
    """Score network for vectors; see the module for its variants.

    Args:
        width: unit of the numbers of hidden units, at least 1. The layers of x have 16, 8 and 4
            times `width` units, the layers of sigma 4, 2 and 1 times `width`.
        data_scale: approximate standard deviation of the data, > 0, for sigma at the input; None
            for late sigma, as in the authors' code.
    """

    KIND = "PlaneMlp"

    width: int = 16
    data_scale: float | None = None

    def validate(self) -> None:
        """Raises InputError if `width` or `data_scale` is out of range."""
        _validate(self.width, self.data_scale)

    @property
    def conditional(self) -> bool:
        """Whether the network takes sigma as an input: always true."""
        return True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for vectors of shape (D,)."""
        return _Score(_trunk(shape, shape[0], self.width, self.data_scale))


@dataclass(frozen=True, kw_only=True)
class PlaneMlpClassifier(NoiseClassifierSpec):
    """Noise-conditional classifier of vectors; its arguments are those of `PlaneMlp`.

    Args:
        width: unit of the numbers of hidden units, at least 1.
        data_scale: approximate standard deviation of the data, > 0, for sigma at the input; None
            for late sigma, as in the authors' code.
    """

    KIND = "PlaneMlpClassifier"

    width: int = 16
    data_scale: float | None = None

    def validate(self) -> None:
        """Raises InputError if `width` or `data_scale` is out of range."""
        _validate(self.width, self.data_scale)

    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """Returns a classifier with initial weights; see `NoiseClassifierSpec.build`."""
        return _Classifier(_trunk(shape, n_classes, self.width, self.data_scale))


def _validate(width: int, data_scale: float | None) -> None:
    if width < 1:
        raise InputError(f"width must be at least 1, but got {width}")
    if data_scale is not None and data_scale <= 0:
        raise InputError(
            f"data_scale must be positive, or null for late sigma, but got {data_scale:g}"
        )


def _trunk(
    shape: tuple[int, ...], n_outputs: int, width: int, data_scale: float | None
) -> nn.Module:
    if len(shape) != 1:
        raise InputError(
            "PlaneMlp and PlaneMlpClassifier need vectors of shape (D,), but got examples of shape "
            f"{shape}"
        )
    if data_scale is None:
        return _LateSigma(shape[0], n_outputs, width)
    return _SigmaAtInput(shape[0], n_outputs, width, data_scale)


class _ThreeLayers(nn.Sequential):
    """Three linear layers with ReLU between them."""

    def __init__(self, n_in: int, n_1: int, n_2: int, n_3: int) -> None:
        first, second, third = nn.Linear(n_in, n_1), nn.Linear(n_1, n_2), nn.Linear(n_2, n_3)
        super().__init__(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), third)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns A f(x), shape (B, n), where A is `weight`, shape (n, n_3)."""
        *hidden, third = self
        assert isinstance(third, nn.Linear)
        for layer in hidden:
            x = layer(x)
        # Not `@`, which multiply_adds would count once for each example.
        return functional.linear(x, weight.mm(third.weight), weight.mv(third.bias))


class _LateSigma(nn.Module):
    """The late variant: A f(x) + B h(sigma)."""

    def __init__(self, size: int, n_outputs: int, width: int) -> None:
        super().__init__()
        self.of_x = _ThreeLayers(size, 16 * width, 8 * width, 4 * width)
        self.of_sigma = _ThreeLayers(1, 4 * width, 2 * width, width)
        self.last = nn.Linear(5 * width, n_outputs)
        self._widths = 4 * width, width

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the outputs, shape (B, n_outputs), for x, (B, D), and sigma, (B,) or ()."""
        a, b = self.last.weight.split(self._widths, dim=1)
        # Examples share noise levels (in sampling all of them), so the layers of sigma are
        # evaluated once per distinct level.
        levels, level_of = sigma.reshape(-1).unique(return_inverse=True)
        return self.of_x(x, a) + self.of_sigma(levels[:, None], b)[level_of] + self.last.bias


class _SigmaAtInput(nn.Module):
    """The variant with sigma at the input: A f(x / sqrt(sigma^2 + s^2), log(sigma) / 4)."""

    def __init__(self, size: int, n_outputs: int, width: int, data_scale: float) -> None:
        super().__init__()
        self.data_scale = data_scale
        self.of_both = _ThreeLayers(size + 1, 16 * width, 8 * width, 4 * width)
        self.last = nn.Linear(4 * width, n_outputs)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the outputs, shape (B, n_outputs), for x, (B, D), and sigma, (B,) or ()."""
        sigma = _column(sigma, x)
        unit = x / (sigma.square() + self.data_scale**2).sqrt()
        both = torch.cat([unit, sigma.log() / 4], dim=1)
        return self.of_both(both, self.last.weight) + self.last.bias


class _Score(ScoreNetwork):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x, shape (B, D)."""
        out = self.trunk(x, sigma)
        return _column(sigma, x) * out if isinstance(self.trunk, _LateSigma) else out


class _Classifier(NoiseClassifier):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the logits, shape (B, K)."""
        return self.trunk(x, sigma)


def _column(sigma: Tensor, x: Tensor) -> Tensor:
    """Returns the noise level of each row of x as a column, shape (B, 1)."""
    return sigma.reshape(-1, 1).expand(len(x), 1)
