r"""Data in the plane: a Swiss roll, 25 Gaussians and two moons, with exact baselines.

Here it can be seen, and measured exactly, how far samples are from the data. `Toy.distances` gives
each point's distance to the nearest point of the noise-free set (a spiral, 25 centres, two half
circles): the data's own mean distance is what a perfect sampler reaches, and a denoised sample
comes below it.

A mixture of Gaussians keeps its form under Gaussian noise: with centres c_k and standard deviation
s, the density at noise level sigma is the mixture of the same centres with variance s^2 + sigma^2,
so `Gaussians.score` is exact,

    grad log p_sigma(x) = sum_k w_k(x) (c_k - x) / (s^2 + sigma^2),
    w(x) = softmax_k(-|x - c_k|^2 / (2 (s^2 + sigma^2))).

References:
    Jolicoeur-Martineau et al. (2021), Figure 2; scales and noise as in its authors' notebook.
    Chao et al. (2022), Denoising likelihood score matching, Section 3: the moons, twenty times as
    large as scikit-learn's and centred.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import InputError
from scorelib.seeds import generator_of, seed_of

_NUMPY_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class Toy(DataSpec):
    """Random but fixed points in the plane.

    Args:
        n: number of training points, at least 4; half as many are held out, drawn apart.
        seed: of the draws.
    """

    KIND = "Toy"

    n: int = 10_000
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError if a split would have less than two points."""
        if self.n < 4:
            raise InputError(f"n must be at least 4 points, but got {self.n}")

    @property
    def shape(self) -> tuple[int]:
        """Vectors of two coordinates."""
        return (2,)

    def n_images(self, split: Split) -> int:
        """`n` for training, half of it held out."""
        return self.n if split == "train" else self.n // 2

    @abstractmethod
    def distances(self, points: Tensor) -> Tensor:
        """Distance of each point to the nearest point of the noise-free set.

        Args:
            points: (N, 2), in the data's units.

        Returns:
            (N,) float64.
        """

    def _numpy_seed(self, split: Split) -> int:
        return seed_of(self.name, split, self.seed) % _NUMPY_SEEDS


@dataclass(frozen=True, kw_only=True)
class SwissRoll(Toy):
    """A spiral of one and a half turns, (t cos t, t sin t) / 7.5 for 1.5 pi <= t <= 4.5 pi.

    Gaussian noise of standard deviation 0.25 / 7.5 is added, independent in both coordinates.
    """

    KIND = "SwissRoll"
    name: ClassVar[str] = "swiss-roll"
    n_classes: ClassVar[int] = 1

    SCALE: ClassVar[float] = 7.5
    NOISE: ClassVar[float] = 0.25

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All points of a split, all labelled 0; see `DataSpec.load`."""
        from sklearn.datasets import make_swiss_roll  # here: its import takes a second

        n = self.n_images(split)
        roll, _ = make_swiss_roll(n, noise=self.NOISE, random_state=self._numpy_seed(split))
        points = torch.from_numpy(roll[:, [0, 2]]) / self.SCALE
        return points.float(), torch.zeros(n, dtype=torch.long)

    def distances(self, points: Tensor) -> Tensor:
        """Distance to the spiral, to rounding; see `Toy.distances`.

        The squared distance to the point at t, t^2 + |p|^2 - 2 |p| t cos(t - angle(p)), has a few
        local minima along the spiral. Newton's method finds each from a grid of 97 starts; the
        least value met on the way, grid included, is the answer.
        """
        x, y = (points.double() * self.SCALE).T[..., None]
        rho, angle = torch.hypot(x, y), torch.atan2(y, x)
        low, high = 1.5 * math.pi, 4.5 * math.pi
        t = torch.linspace(low, high, 97, dtype=torch.float64).expand(len(points), -1)
        best = torch.full_like(rho[:, 0], math.inf)
        for _ in range(8):
            cos, sin = (t - angle).cos(), (t - angle).sin()
            # |(t, 0) - rho (cos, -sin)|: as a length, so that no digits cancel near the spiral.
            here = torch.hypot(t - rho * cos, rho * sin).min(dim=1).values
            best = torch.minimum(best, here)
            slope = t - rho * cos + rho * t * sin
            curvature = 1 + 2 * rho * sin + rho * t * cos
            step = torch.where(curvature > 0, slope / curvature, torch.zeros_like(slope))
            t = (t - step).clamp(low, high)
        return best / self.SCALE


@dataclass(frozen=True, kw_only=True)
class Gaussians(Toy):
    """25 Gaussians on a square grid: centres 2 {-2 .. 2}^2, standard deviation 0.05, over 2.828.

    The label says of which; each has the same share, in expectation.
    """

    KIND = "Gaussians"
    name: ClassVar[str] = "gaussians"
    n_classes: ClassVar[int] = 25

    SPACING: ClassVar[float] = 2 / 2.828
    STD: ClassVar[float] = 0.05 / 2.828
    PER_SIDE: ClassVar[int] = 5

    def _axis(self) -> Tensor:
        """Coordinates of the centres along either axis, (5,) float64."""
        steps = torch.arange(self.PER_SIDE, dtype=torch.float64) - self.PER_SIDE // 2
        return steps * self.SPACING

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All points of a split and their centres' numbers, row by row; see `DataSpec.load`."""
        draw, n = generator_of(self.name, split, self.seed), self.n_images(split)
        cells = torch.randint(self.PER_SIDE, (n, 2), generator=draw)
        noise = torch.randn(n, 2, generator=draw, dtype=torch.float64)
        points = self._axis()[cells] + self.STD * noise
        return points.float(), cells[:, 0] * self.PER_SIDE + cells[:, 1]

    def distances(self, points: Tensor) -> Tensor:
        """Distance to the nearest centre; see `Toy.distances`."""
        offsets = (points.double()[..., None] - self._axis()).abs().min(dim=-1).values
        return torch.hypot(offsets[:, 0], offsets[:, 1])

    def score(self, points: Tensor, sigma: float) -> Tensor:
        """The exact score of the data with noise of level `sigma`; see the module's theory.

        The grid is a product of its axes, and so is the density: each coordinate has a score of
        its own, of a mixture of five.

        Args:
            points: (N, 2).
            sigma: standard deviation of the added noise, >= 0.

        Returns:
            (N, 2) float64.
        """
        variance = self.STD**2 + sigma**2
        offsets = self._axis() - points.double()[..., None]
        weights = (-offsets.square() / (2 * variance)).softmax(dim=-1)
        return (weights * offsets).sum(dim=-1) / variance


@dataclass(frozen=True, kw_only=True)
class Moons(Toy):
    """Two inter-twining half circles of radius 20, one class each, without noise.

    Class 0 is the upper one, around (-10, -5), class 1 the lower, around (10, 5): scikit-learn's
    moons minus their mean (0.5, 0.25), times 20. The points lie at equal angles, so the held-out
    ones are the same curves at other angles; the seed only orders them.
    """

    KIND = "Moons"
    name: ClassVar[str] = "moons"
    n_classes: ClassVar[int] = 2

    SCALE: ClassVar[float] = 20.0

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All points and labels of a split; see `DataSpec.load`."""
        from sklearn.datasets import make_moons  # here: its import takes a second

        points, labels = make_moons(self.n_images(split), random_state=self._numpy_seed(split))
        points = (torch.from_numpy(points) - torch.tensor([0.5, 0.25])) * self.SCALE
        return points.float(), torch.from_numpy(labels).long()

    def distances(self, points: Tensor) -> Tensor:
        """Distance to the nearer moon; see `Toy.distances`."""
        return self.distances_to_classes(points).min(dim=1).values

    def distances_to_classes(self, points: Tensor) -> Tensor:
        """Distance to each of the moons.

        On a half circle's side of its diameter the nearest point lies on the ray from the centre;
        on the other side it is the nearer end.

        Args:
            points: (N, 2), in the data's units.

        Returns:
            (N, 2) float64: to class 0, to class 1.
        """
        points = points.double() / self.SCALE
        columns = []
        for side, centre in ((1, (-0.5, -0.25)), (-1, (0.5, 0.25))):
            x, y = (points - torch.tensor(centre, dtype=torch.float64)).T
            to_arc = (torch.hypot(x, y) - 1).abs()
            columns.append(torch.where(side * y >= 0, to_arc, torch.hypot(x.abs() - 1, y)))
        return torch.stack(columns, dim=1) * self.SCALE
