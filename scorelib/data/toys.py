r"""Synthetic data sets in the plane: a Swiss roll, 25 Gaussians and two moons.

The distance of samples from the data is visible in these data sets and can be computed exactly.
`Toy.distances` returns the distance of each point to the nearest point of the noise-free set (a
spiral, 25 centres, two half circles). A perfect sampler reaches the mean distance of the data
themselves; denoised samples have a smaller mean distance.

A mixture of Gaussians with added Gaussian noise is again a mixture of Gaussians: with centres c_k
and standard deviation s, the density at noise level sigma is the mixture with the same centres and
variance s^2 + sigma^2. `Gaussians.score` is therefore exact,

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
    """Base class of data sets of points in the plane, drawn with a fixed seed.

    Args:
        n: number of training points, at least 4; half as many held-out points are drawn
            independently.
        seed: seed of the points.
    """

    KIND = "Toy"

    n: int = 10_000
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError if a split would have fewer than two points."""
        if self.n < 4:
            raise InputError(f"n must be at least 4 points, but got {self.n}")

    @property
    def shape(self) -> tuple[int]:
        """Shape of one point: (2,)."""
        return (2,)

    def n_images(self, split: Split) -> int:
        """Returns the number of points: `n` for training, half as many held out."""
        return self.n if split == "train" else self.n // 2

    @abstractmethod
    def distances(self, points: Tensor) -> Tensor:
        """Returns the distance of each point to the nearest point of the noise-free set.

        Args:
            points: points in the plane, (N, 2), data units.

        Returns:
            Euclidean distances, (N,) float64, data units.
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
        """Returns all points of a split, all with label 0; see `DataSpec.load`."""
        from sklearn.datasets import make_swiss_roll  # imported here because it takes a second

        n = self.n_images(split)
        roll, _ = make_swiss_roll(n, noise=self.NOISE, random_state=self._numpy_seed(split))
        points = torch.from_numpy(roll[:, [0, 2]]) / self.SCALE
        return points.float(), torch.zeros(n, dtype=torch.long)

    def distances(self, points: Tensor) -> Tensor:
        """Returns the distances to the spiral, accurate to rounding; see `Toy.distances`.

        The squared distance of a point p to the point of the spiral at t, t^2 + |p|^2 - 2 |p| t
        cos(t - angle(p)), has a few local minima. Newton's method starts from a grid of 97 values
        of t, so that each minimum is found. The result is the smallest distance at any iterate,
        including the grid.
        """
        x, y = (points.double() * self.SCALE).T[..., None]
        rho, angle = torch.hypot(x, y), torch.atan2(y, x)
        low, high = 1.5 * math.pi, 4.5 * math.pi
        t = torch.linspace(low, high, 97, dtype=torch.float64).expand(len(points), -1)
        best = torch.full_like(rho[:, 0], math.inf)
        for _ in range(8):
            cos, sin = (t - angle).cos(), (t - angle).sin()
            # |(t, 0) - rho (cos, -sin)|, by hypot so that no digits cancel near the spiral.
            here = torch.hypot(t - rho * cos, rho * sin).min(dim=1).values
            best = torch.minimum(best, here)
            slope = t - rho * cos + rho * t * sin
            curvature = 1 + 2 * rho * sin + rho * t * cos
            step = torch.where(curvature > 0, slope / curvature, torch.zeros_like(slope))
            t = (t - step).clamp(low, high)
        return best / self.SCALE


@dataclass(frozen=True, kw_only=True)
class Gaussians(Toy):
    """A mixture of 25 equally likely Gaussians on a square grid.

    The centres are 2 {-2 .. 2}^2 / 2.828 and the standard deviation is 0.05 / 2.828. The label is
    the index of the Gaussian.
    """

    KIND = "Gaussians"
    name: ClassVar[str] = "gaussians"
    n_classes: ClassVar[int] = 25

    SPACING: ClassVar[float] = 2 / 2.828
    STD: ClassVar[float] = 0.05 / 2.828
    PER_SIDE: ClassVar[int] = 5

    def _axis(self) -> Tensor:
        """Returns the coordinates of the centres along either axis, (5,) float64."""
        steps = torch.arange(self.PER_SIDE, dtype=torch.float64) - self.PER_SIDE // 2
        return steps * self.SPACING

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all points of a split and the indices of their centres; see `DataSpec.load`.

        The index of the centre at position (i, j) of the grid is 5 i + j.
        """
        draw, n = generator_of(self.name, split, self.seed), self.n_images(split)
        cells = torch.randint(self.PER_SIDE, (n, 2), generator=draw)
        noise = torch.randn(n, 2, generator=draw, dtype=torch.float64)
        points = self._axis()[cells] + self.STD * noise
        return points.float(), cells[:, 0] * self.PER_SIDE + cells[:, 1]

    def distances(self, points: Tensor) -> Tensor:
        """Returns the distances to the nearest centre; see `Toy.distances`."""
        offsets = (points.double()[..., None] - self._axis()).abs().min(dim=-1).values
        return torch.hypot(offsets[:, 0], offsets[:, 1])

    def score(self, points: Tensor, sigma: float) -> Tensor:
        """Returns the exact score of the data with added noise; see the module docstring.

        The density is the product of two mixtures of five Gaussians, one per coordinate, so each
        coordinate of the score is computed independently.

        Args:
            points: points in the plane, (N, 2), data units.
            sigma: standard deviation of the added noise, data units, >= 0.

        Returns:
            Scores, (N, 2) float64.
        """
        variance = self.STD**2 + sigma**2
        offsets = self._axis() - points.double()[..., None]
        weights = (-offsets.square() / (2 * variance)).softmax(dim=-1)
        return (weights * offsets).sum(dim=-1) / variance


@dataclass(frozen=True, kw_only=True)
class Moons(Toy):
    """Two interleaving half circles of radius 20 without noise, one per class.

    Class 0 is the upper half circle, with centre (-10, -5); class 1 is the lower half circle, with
    centre (10, 5). The points are scikit-learn's moons minus their mean (0.5, 0.25), times 20. They
    are equally spaced in angle: the held-out points lie on the same curves at other angles, and the
    seed affects only the order of the points.
    """

    KIND = "Moons"
    name: ClassVar[str] = "moons"
    n_classes: ClassVar[int] = 2

    SCALE: ClassVar[float] = 20.0

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all points and labels of a split; see `DataSpec.load`."""
        from sklearn.datasets import make_moons  # imported here because it takes a second

        points, labels = make_moons(self.n_images(split), random_state=self._numpy_seed(split))
        points = (torch.from_numpy(points) - torch.tensor([0.5, 0.25])) * self.SCALE
        return points.float(), torch.from_numpy(labels).long()

    def distances(self, points: Tensor) -> Tensor:
        """Returns the distances to the nearer moon; see `Toy.distances`."""
        return self.distances_to_classes(points).min(dim=1).values

    def distances_to_classes(self, points: Tensor) -> Tensor:
        """Returns the distance of each point to each of the two moons.

        If a point lies on the same side of the diameter as the half circle, the nearest point of
        the half circle is on the ray from the centre; otherwise it is the nearer end of the half
        circle.

        Args:
            points: points in the plane, (N, 2), data units.

        Returns:
            Distances to class 0 and to class 1, (N, 2) float64, data units.
        """
        points = points.double() / self.SCALE
        columns = []
        for side, centre in ((1, (-0.5, -0.25)), (-1, (0.5, 0.25))):
            x, y = (points - torch.tensor(centre, dtype=torch.float64)).T
            to_arc = (torch.hypot(x, y) - 1).abs()
            columns.append(torch.where(side * y >= 0, to_arc, torch.hypot(x.abs() - 1, y)))
        return torch.stack(columns, dim=1) * self.SCALE
