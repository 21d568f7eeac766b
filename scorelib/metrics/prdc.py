r"""Precision, recall, density and coverage: nearest-neighbour metrics of fidelity and variety.

The ball of an image is centred at the image's features, and its radius is the distance to the k-th
nearest neighbour in the same set, not counting the image itself. The union of the balls of a set
estimates the support of its distribution. With N real and M generated images,

    precision = share of generated images inside any real ball,
    recall    = share of real images inside any generated ball,
    density   = 1 / (k M) * number of pairs of a generated image inside a real image's ball,
    coverage  = share of real images with a generated image inside their own ball.

"Inside" means that the distance is strictly smaller than the radius. Density is not bounded by one.
For equal distributions, the expectation of density is one and that of coverage is
1 - (N - 1) ... (N - k) / ((M + N - 1) ... (M + N - k)). Precision and recall are sensitive to
single outliers, which have very large balls. Density and coverage are not, and were proposed to
replace precision and recall for this reason.

The N M distances are never in memory at once: they are computed tile by tile, which affects only
the memory (`working_bytes`). Squared distances are computed in double precision and rounded to
single precision. Distances that are equal up to rounding then compare as equal (for example, a
generated copy of a real image lies exactly on the surface of a neighbour's ball), and the counts
agree with the authors' package `prdc`, which rounds in the same way. That package compares square
roots, which are rounded once more, so that a few neighbouring values become equal. Here, each
squared distance is compared with the smallest single-precision number that has the radius as its
square root, which gives the same counts without computing N M roots.

References:
    T. Kynkäänniemi et al., Improved precision and recall metric for assessing generative models,
    2019, eq. (1), (2).
    M. Naeem et al., Reliable fidelity and diversity metrics for generative models, 2020, eq. (3),
    (4) and Lemma 2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import InputError

TILE_IMAGES = 2048
"""Number of images along each side of a tile of distances; larger tiles are not faster."""

_PART_IMAGES = 128
"""Number of images per part in computations without pairs of images.

The number is fixed, so the origin does not depend on the size of the tiles.
"""

_SAME = 1e-12
"""Relative rounding error of squared distances.

Two points are treated as equal if their squared distance is below this share of the squared norms.
"""


@dataclass(frozen=True)
class Prdc:
    """Precision, recall, density and coverage.

    Values can be compared only for equal k and equal numbers of images.

    Attributes:
        precision: share of generated images inside the ball of any real image, 0 to 1.
        recall: share of real images inside the ball of any generated image, 0 to 1.
        density: mean number of real balls that contain a generated image, divided by k, >= 0;
            about 1 for equal distributions.
        coverage: share of real images with a generated image inside their ball, 0 to 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, generated: Tensor, k: int, tile_images: int = TILE_IMAGES) -> Prdc:
    """Computes precision, recall, density and coverage of two sets of features.

    Args:
        real: features of real images, (N, d), N > k, finite.
        generated: features of generated images, (M, d), M > k, finite, on the same device.
        k: index of the nearest neighbour that determines the radius of a ball, at least 1; papers
            use 3 or 5.
        tile_images: number of images along each side of a tile; see `working_bytes`.

    Raises:
        InputError: the shapes do not match, there are too few images, or a feature is not finite.

    References:
        Kynkäänniemi et al. (2019), eq. (1), (2); Naeem et al. (2020), eq. (3), (4).
    """
    _check(real, generated, k)
    # Distances do not depend on the origin, but fewer digits cancel if the points are close to it.
    origin = _mean(real)
    radii = _squared_radii(real, origin, k, tile_images)
    generated_radii = _squared_radii(generated, origin, k, tile_images)
    n_held = torch.zeros(len(real), dtype=torch.int32, device=real.device)
    is_recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    is_precise = torch.zeros(len(generated), dtype=torch.bool, device=real.device)
    for rows, columns, squares in _tiles(real, generated, origin, tile_images):
        inside = squares < radii[rows, None]
        n_held[rows] += inside.sum(dim=1, dtype=torch.int32)
        is_precise[columns] |= _any(inside, dim=0)
        is_recalled[rows] |= _any(squares < generated_radii[columns], dim=1)
    return Prdc(
        precision=is_precise.sum().item() / len(generated),
        recall=is_recalled.sum().item() / len(real),
        density=n_held.sum().item() / (k * len(generated)),
        coverage=(n_held > 0).sum().item() / len(real),
    )


def working_bytes(n_features: int, tile_images: int = TILE_IMAGES) -> int:
    """Estimates the memory of `prdc` in bytes, without its arguments and a few bytes per image.

    The measured memory is a few per cent larger (`tests.benchmarks.prdc`). It does not depend on
    the number of images: 260 MB for 2,048 features, for which the features of twice 50,000 images
    take 819 MB in single precision.

    Args:
        n_features: number of features d.
        tile_images: number of images along each side of a tile.
    """
    points = 6 * tile_images * (n_features + 2) * 8  # three stages for each of the two sides
    return points + tile_images**2 * (8 + 4 + 2)


def classwise_prdc(
    real: Tensor,
    real_labels: Tensor,
    generated: Tensor,
    generated_labels: Tensor,
    k: int,
    tile_images: int = TILE_IMAGES,
) -> dict[int, Prdc]:
    """Computes precision, recall, density and coverage for each class.

    The generated images of a class are compared with the real images of the same class.

    Args:
        real: features of real images, (N, d); see `prdc`.
        real_labels: classes of the real images, (N,) integers.
        generated: features of generated images, (M, d); see `prdc`.
        generated_labels: classes that the images were generated for, (M,) integers.
        k: index of the nearest neighbour that determines the radius of a ball.
        tile_images: number of images along each side of a tile.

    Returns:
        The values of every class of the real images, in ascending order; see `mean_prdc`.

    Raises:
        InputError: labels are missing, a class has too few images, or as for `prdc`.
    """
    for name, features, labels in (
        ("real", real, real_labels),
        ("generated", generated, generated_labels),
    ):
        if labels.shape != features.shape[:1]:
            raise InputError(
                f"{name} images must each have a label, but got {len(features)} images and "
                f"labels of shape {tuple(labels.shape)}"
            )
    found = {}
    for c in real_labels.unique().tolist():
        try:
            found[c] = prdc(
                real[real_labels == c], generated[generated_labels == c], k, tile_images
            )
        except InputError as error:
            raise InputError(f"class {c}: {error}") from error
    return found


def mean_prdc(of_classes: dict[int, Prdc]) -> Prdc:
    """Computes the means over the classes, each with the same weight.

    Args:
        of_classes: the values by class, as returned by `classwise_prdc`; at least one class.
    """
    names = ("precision", "recall", "density", "coverage")
    values = {n: sum(getattr(p, n) for p in of_classes.values()) / len(of_classes) for n in names}
    return Prdc(**values)


def _check(real: Tensor, generated: Tensor, k: int) -> None:
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise InputError(
            "real and generated features must have shapes (N, d) and (M, d), but got "
            f"{tuple(real.shape)} and {tuple(generated.shape)}"
        )
    for name, features in (("real", real), ("generated", generated)):
        if len(features) <= k:
            raise InputError(
                f"there must be more than k = {k} {name} images, but got {len(features)}"
            )
        # In parts, because isfinite makes a copy.
        parts = features.split(_PART_IMAGES)
        bad = sum((~part.isfinite().all(dim=1)).sum().item() for part in parts)
        if bad:
            raise InputError(f"{name} features must be finite, but those of {bad} images are not")


def _mean(points: Tensor) -> Tensor:
    """Returns the mean of the points, (d,) float64, without converting all points to float64."""
    parts = [part.double().sum(dim=0) for part in points.split(_PART_IMAGES)]
    return torch.stack(parts).sum(dim=0) / len(points)


def _squared_radii(points: Tensor, origin: Tensor, k: int, tile_images: int) -> Tensor:
    """Returns upper bounds of the squared distances inside each point's ball, (n,) float32.

    A point is inside a ball if its squared distance is strictly smaller than the bound.
    """
    nearest = torch.full((len(points), k + 1), math.inf, device=points.device)
    for rows, _, squares in _tiles(points, points, origin, tile_images):
        found = torch.cat([nearest[rows], _least(squares, k + 1)], dim=1)
        nearest[rows] = found.topk(k + 1, dim=1, largest=False).values
    squares = nearest.amax(dim=1)  # the k + 1 nearest include the point itself, at distance 0
    lengths = torch.cat([_sides(part, origin)[1] for part in points.split(_PART_IMAGES)])[:, 0]
    return _least_of_root(squares).masked_fill(squares < 2 * _SAME * lengths, -math.inf)


def _least_of_root(squares: Tensor) -> Tensor:
    """Returns the smallest numbers with the same square root as `squares`, in single precision."""
    roots, zero = squares.sqrt(), squares.new_zeros(())
    while True:
        below = squares.nextafter(zero)
        is_alike = (below.sqrt() == roots) & (below < squares)
        if not is_alike.any():
            return squares
        squares = torch.where(is_alike, below, squares)


def _least(squares: Tensor, n: int) -> Tensor:
    """Returns the n smallest values of each row, or all if there are fewer, in any order."""
    return squares.topk(min(n, squares.shape[1]), dim=1, largest=False).values


def _any(mask: Tensor, dim: int) -> Tensor:
    """Computes `Tensor.any` thirty times as fast."""
    return mask.view(torch.uint8).amax(dim=dim).bool()


def _tiles(
    x: Tensor, y: Tensor, origin: Tensor, tile_images: int
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Computes the squared distances of points (n, d) and (m, d), tile by tile.

    Yields:
        Row indices, column indices and squared distances of a tile, float32. For equal points, the
        value is about 0 and can be negative.
    """
    for row in range(0, len(x), tile_images):
        rows = slice(row, row + tile_images)
        left, lengths = _sides(x[rows], origin)
        # |x|^2 - 2 x y + |y|^2 as one product of matrices with two additional columns.
        left = torch.cat([left, lengths, torch.ones_like(lengths)], dim=1)
        for column in range(0, len(y), tile_images):
            columns = slice(column, column + tile_images)
            right, lengths = _sides(y[columns], origin)
            right = torch.cat([-2 * right, torch.ones_like(lengths), lengths], dim=1)
            yield rows, columns, (left @ right.T).float()


def _sides(points: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Returns points relative to the origin, (n, d), and their squared norms, (n, 1); float64."""
    points = points.double() - origin
    return points, points.square().sum(dim=1, keepdim=True)
