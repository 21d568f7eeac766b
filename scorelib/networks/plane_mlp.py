"""Perceptrons for points in the plane, as score network and as classifier.

Two ways in for the noise level, and nothing else, set the variants apart.

**Late** (``data_scale=None``), as in the authors' code: three linear layers f of x and three h of
the raw sigma, ReLU between them, meet in one last linear layer. There is no ReLU after the third
layers, so the output is a sum, A f(x) + B h(sigma). The gradient of logits in x then does not
depend on sigma: whatever is the same at all noise levels is all that such a classifier can learn.

**At the input** (``data_scale=s``): the layers of x read (x / sqrt(sigma^2 + s^2), log(sigma) / 4),
of unit size at every level, and there is no h: a network that can learn what either of two losses
asks for. How much of the error that Table 1 of the paper puts down to cross entropy is then left
depends on how long is trained, and at what rate (docs/findings.md).

The third layers and the last, linear both, are applied as one: the product of their matrices is
taken first, since a product with the batch would be dearer.

The score networks answer sigma * score, as all do here (`scorelib.networks.base`). The authors'
network answers the score itself, so the late one has its sum multiplied by sigma.

References:
    Chao et al. (2022), Appendix A.6.2, which prints 128, 64 and 32 hidden units: width=8. Their
    code has twice as many: width=16.
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
    """Score network for vectors; see the module's theory.

    Args:
        width: 16, 8 and 4 times it are the hidden units of x, 4, 2 and 1 times it those of sigma.
        data_scale: standard deviation of the data, roughly, if sigma enters at the input. None: it
            enters late, as in the authors' code.
    """

    KIND = "PlaneMlp"

    width: int = 16
    data_scale: float | None = None

    def validate(self) -> None:
        """Checks that there is something to train."""
        _validate(self.width, self.data_scale)

    @property
    def conditional(self) -> bool:
        """Always."""
        return True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights for vectors."""
        return _Score(_trunk(shape, shape[0], self.width, self.data_scale))


@dataclass(frozen=True, kw_only=True)
class PlaneMlpClassifier(NoiseClassifierSpec):
    """Noise-conditional classifier of vectors; see `PlaneMlp`, whose arguments it has."""

    KIND = "PlaneMlpClassifier"

    width: int = 16
    data_scale: float | None = None

    def validate(self) -> None:
        """Checks that there is something to train."""
        _validate(self.width, self.data_scale)

    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """A classifier with fresh weights for vectors."""
        return _Classifier(_trunk(shape, n_classes, self.width, self.data_scale))


def _validate(width: int, data_scale: float | None) -> None:
    if width < 1:
        raise InputError(f"width must be at least 1; got {width}")
    if data_scale is not None and data_scale <= 0:
        raise InputError(f"data_scale must be positive, or null for late sigma; got {data_scale:g}")


def _trunk(
    shape: tuple[int, ...], n_outputs: int, width: int, data_scale: float | None
) -> nn.Module:
    if len(shape) != 1:
        raise InputError(f"plane perceptrons take vectors, shape (D,); got examples of {shape}")
    if data_scale is None:
        return _LateSigma(shape[0], n_outputs, width)
    return _SigmaAtInput(shape[0], n_outputs, width, data_scale)


class _ThreeLayers(nn.Sequential):
    """f: three linear layers, ReLU between them."""

    def __init__(self, n_in: int, n_1: int, n_2: int, n_3: int) -> None:
        first, second, third = nn.Linear(n_in, n_1), nn.Linear(n_1, n_2), nn.Linear(n_2, n_3)
        super().__init__(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), third)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """A f(x), (B, n), for a matrix A, (n, n_3)."""
        *hidden, third = self
        assert isinstance(third, nn.Linear)
        for layer in hidden:
            x = layer(x)
        # Not @: multiply_adds would count it once for each example.
        return functional.linear(x, weight.mm(third.weight), weight.mv(third.bias))


class _LateSigma(nn.Module):
    """A f(x) + B h(sigma)."""

    def __init__(self, size: int, n_outputs: int, width: int) -> None:
        super().__init__()
        self.of_x = _ThreeLayers(size, 16 * width, 8 * width, 4 * width)
        self.of_sigma = _ThreeLayers(1, 4 * width, 2 * width, width)
        self.last = nn.Linear(5 * width, n_outputs)
        self._widths = 4 * width, width

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(B, n_outputs)."""
        a, b = self.last.weight.split(self._widths, dim=1)
        # Examples share levels, those of a sampler all: the layers of sigma see each level once.
        levels, level_of = sigma.reshape(-1).unique(return_inverse=True)
        return self.of_x(x, a) + self.of_sigma(levels[:, None], b)[level_of] + self.last.bias


class _SigmaAtInput(nn.Module):
    """A f(x / sqrt(sigma^2 + s^2), log(sigma) / 4)."""

    def __init__(self, size: int, n_outputs: int, width: int, data_scale: float) -> None:
        super().__init__()
        self.data_scale = data_scale
        self.of_both = _ThreeLayers(size + 1, 16 * width, 8 * width, 4 * width)
        self.last = nn.Linear(4 * width, n_outputs)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(B, n_outputs)."""
        sigma = _column(sigma, x)
        unit = x / (sigma.square() + self.data_scale**2).sqrt()
        both = torch.cat([unit, sigma.log() / 4], dim=1)
        return self.of_both(both, self.last.weight) + self.last.bias


class _Score(ScoreNetwork):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Sigma times the score at x, (B, D)."""
        out = self.trunk(x, sigma)
        return _column(sigma, x) * out if isinstance(self.trunk, _LateSigma) else out


class _Classifier(NoiseClassifier):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Logits, (B, K)."""
        return self.trunk(x, sigma)


def _column(sigma: Tensor, x: Tensor) -> Tensor:
    """The noise level of each row of x, (B, 1)."""
    return sigma.reshape(-1, 1).expand(len(x), 1)
