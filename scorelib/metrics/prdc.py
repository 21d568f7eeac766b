r"""Precision, recall, density and coverage: fidelity and variety apart, from nearest neighbours.

Around each image's features lies a ball that just reaches its k-th nearest neighbour of the same
set, itself not counted. The union of the balls of a set stands for its distribution. With N real
and M generated images,

    precision = share of generated images inside any real ball,
    recall    = share of real images inside any generated ball,
    density   = 1 / (k M) * number of pairs of a generated image inside a real image's ball,
    coverage  = share of real images whose own ball holds a generated image.

Inside means strictly nearer than the radius. Density is not bounded by one; for equal distributions
it is one in expectation, and coverage 1 - (N - 1) ... (N - k) / ((M + N - 1) ... (M + N - k)).
Precision and recall are easily moved by single outliers, whose balls are huge; density and
coverage are not, and take the place of the former two for that reason.

All N M distances are never held at once: they are taken tile by tile, which changes memory and
nothing else (`working_bytes`). Squared distances are computed in double precision and rounded to
single. What is equal up to rounding (a generated copy of a real image stands exactly on its
neighbour's ball) thus compares as equal, and the counts are those of the authors' package, `prdc`,
which rounds likewise. Its root of the squares, rounded once more, makes a few neighbouring values
equal; the squares are compared with the least one that has the radius as its root, which is the
same and spares N M roots.

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
"""Side of a tile of distances; larger ones are no faster."""

_PART_IMAGES = 128
"""Images at a time where each is looked at alone; the same for all tiles, as is thus the origin."""

_SAME = 1e-12
"""Squared distances below this share of the squared lengths are rounding: the points are one."""


@dataclass(frozen=True)
class Prdc:
    """The four numbers; comparable at equal k and equal numbers of images only.

    Attributes:
        precision: share of generated images that look real, 0 to 1.
        recall: share of real images that look generated, 0 to 1.
        density: precision counted with multiplicity, >= 0, about 1 at best.
        coverage: share of real images with a generated one near, 0 to 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, generated: Tensor, k: int, tile_images: int = TILE_IMAGES) -> Prdc:
    """The four numbers of two sets of features.

    Args:
        real: (N, d) features of real images, N > k, finite.
        generated: (M, d) features of generated images, M > k, finite, on the same device.
        k: which nearest neighbour bounds a ball, at least 1; papers use 3 or 5.
        tile_images: side of the tiles of distances; see `working_bytes`.

    Raises:
        InputError: shapes that do not match, too few images, or features that are not finite.
    """
    _check(real, generated, k)
    # Distances do not change with the origin; nearer to it, fewer of their digits cancel.
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
    """Memory that `prdc` takes beside its arguments, but for some bytes per image.

    A few per cent more were measured (`tests.benchmarks.prdc`). It does not depend on the number of
    images: 260 MB at 2,048 features, where twice 50,000 images are themselves 819 MB in single
    precision.

    Args:
        n_features: d.
        tile_images: as for `prdc`.
    """
    points = 6 * tile_images * (n_features + 2) * 8  # three stages of either side
    return points + tile_images**2 * (8 + 4 + 2)


def classwise_prdc(
    real: Tensor,
    real_labels: Tensor,
    generated: Tensor,
    generated_labels: Tensor,
    k: int,
    tile_images: int = TILE_IMAGES,
) -> dict[int, Prdc]:
    """The four numbers of each class, its generated images against its real ones.

    Args:
        real: (N, d), as for `prdc`.
        real_labels: (N,) integers.
        generated: (M, d), as for `prdc`.
        generated_labels: (M,), the classes the images were generated for.
        k: as for `prdc`.
        tile_images: as for `prdc`.

    Returns:
        By class, in ascending order, every class of the real images; see `mean_prdc`.

    Raises:
        InputError: a class with too few images, or as `prdc`.
    """
    for name, features, labels in (
        ("real", real, real_labels),
        ("generated", generated, generated_labels),
    ):
        if labels.shape != features.shape[:1]:
            raise InputError(
                f"{name} images must have a label each, but got {len(features)} images and "
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
    """Plain means over the classes, each with the same weight."""
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
        # In parts, for isfinite makes a copy.
        parts = features.split(_PART_IMAGES)
        bad = sum((~part.isfinite().all(dim=1)).sum().item() for part in parts)
        if bad:
            raise InputError(f"{name} features must be finite, but those of {bad} images are not")


def _mean(points: Tensor) -> Tensor:
    """Their mean, (d,) float64, without a copy of them all in that precision."""
    parts = [part.double().sum(dim=0) for part in points.split(_PART_IMAGES)]
    return torch.stack(parts).sum(dim=0) / len(points)


def _squared_radii(points: Tensor, origin: Tensor, k: int, tile_images: int) -> Tensor:
    """What squared distances have to be below to be inside each point's ball, (n,) float32."""
    nearest = torch.full((len(points), k + 1), math.inf, device=points.device)
    for rows, _, squares in _tiles(points, points, origin, tile_images):
        found = torch.cat([nearest[rows], _least(squares, k + 1)], dim=1)
        nearest[rows] = found.topk(k + 1, dim=1, largest=False).values
    squares = nearest.amax(dim=1)  # of each point itself, at distance 0, and k others
    lengths = torch.cat([_sides(part, origin)[1] for part in points.split(_PART_IMAGES)])[:, 0]
    return _least_of_root(squares).masked_fill(squares < 2 * _SAME * lengths, -math.inf)


def _least_of_root(squares: Tensor) -> Tensor:
    """The least numbers with the same root, all rounded to single precision; of any shape."""
    roots, zero = squares.sqrt(), squares.new_zeros(())
    while True:
        below = squares.nextafter(zero)
        is_alike = (below.sqrt() == roots) & (below < squares)
        if not is_alike.any():
            return squares
        squares = torch.where(is_alike, below, squares)


def _least(squares: Tensor, n: int) -> Tensor:
    """The n least of each row, or all if there are fewer, in any order."""
    return squares.topk(min(n, squares.shape[1]), dim=1, largest=False).values


def _any(mask: Tensor, dim: int) -> Tensor:
    """As `Tensor.any`, which takes thirty times as long."""
    return mask.view(torch.uint8).amax(dim=dim).bool()


def _tiles(
    x: Tensor, y: Tensor, origin: Tensor, tile_images: int
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Squared distances of points (n, d) and (m, d), tile by tile.

    Yields:
        Rows, columns and what stands there, float32; about 0, perhaps below, for equal points.
    """
    for row in range(0, len(x), tile_images):
        rows = slice(row, row + tile_images)
        left, lengths = _sides(x[rows], origin)
        # |x|^2 - 2 x y + |y|^2 as one product of matrices with two columns more.
        left = torch.cat([left, lengths, torch.ones_like(lengths)], dim=1)
        for column in range(0, len(y), tile_images):
            columns = slice(column, column + tile_images)
            right, lengths = _sides(y[columns], origin)
            right = torch.cat([-2 * right, torch.ones_like(lengths), lengths], dim=1)
            yield rows, columns, (left @ right.T).float()


def _sides(points: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Points from the origin, (n, d), and their squared lengths, (n, 1), float64."""
    points = points.double() - origin
    return points, points.square().sum(dim=1, keepdim=True)
