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

All N M distances are never held at once: they are taken for some rows at a time, which changes
memory and nothing else. They are computed in double precision and rounded to single. What is equal
up to rounding (a generated copy of a real image stands exactly on its neighbour's ball) thus
compares as equal, and the counts are those of the authors' package, `prdc`, which rounds likewise.

References:
    T. Kynkäänniemi et al., Improved precision and recall metric for assessing generative models,
    2019, eq. (1), (2).
    M. Naeem et al., Reliable fidelity and diversity metrics for generative models, 2020, eq. (3),
    (4) and Lemma 2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import InputError

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


def prdc(real: Tensor, generated: Tensor, k: int, chunk_images: int = 500) -> Prdc:
    """The four numbers of two sets of features.

    Args:
        real: (N, d) features of real images, N > k, finite.
        generated: (M, d) features of generated images, M > k, finite, on the same device.
        k: which nearest neighbour bounds a ball, at least 1; papers use 3 or 5.
        chunk_images: rows of distances held at once; about 32 bytes times this times max(N, M) of
            memory, 800 MB for 50,000 images.

    Raises:
        InputError: shapes that do not match, too few images, or features that are not finite.
    """
    _check(real, generated, k)
    # Distances do not change with the origin; nearer to it, fewer of their digits cancel.
    origin = real.double().mean(dim=0)
    real, generated = real.double() - origin, generated.double() - origin
    real_radii, generated_radii = _radii(real, k, chunk_images), _radii(generated, k, chunk_images)
    inside_any = torch.zeros(len(generated), dtype=torch.bool, device=real.device)
    n_recalled = n_inside = n_covered = 0
    for rows, radii in zip(real.split(chunk_images), real_radii.split(chunk_images), strict=True):
        distances = _distances(rows, generated)
        inside = distances < radii[:, None]
        inside_any |= inside.any(dim=0)
        n_inside += inside.sum().item()
        n_covered += inside.any(dim=1).sum().item()
        n_recalled += (distances < generated_radii).any(dim=1).sum().item()
    return Prdc(
        precision=inside_any.sum().item() / len(generated),
        recall=n_recalled / len(real),
        density=n_inside / (k * len(generated)),
        coverage=n_covered / len(real),
    )


def classwise_prdc(
    real: Tensor,
    real_labels: Tensor,
    generated: Tensor,
    generated_labels: Tensor,
    k: int,
    chunk_images: int = 500,
) -> dict[int, Prdc]:
    """The four numbers of each class, its generated images against its real ones.

    Args:
        real: (N, d), as for `prdc`.
        real_labels: (N,) integers.
        generated: (M, d), as for `prdc`.
        generated_labels: (M,), the classes the images were generated for.
        k: as for `prdc`.
        chunk_images: as for `prdc`.

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
                real[real_labels == c], generated[generated_labels == c], k, chunk_images
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
        bad = (~features.isfinite().all(dim=1)).sum().item()
        if bad:
            raise InputError(f"{name} features must be finite, but those of {bad} images are not")


def _radii(points: Tensor, k: int, chunk_images: int) -> Tensor:
    """Distance of each point to its k-th nearest other one, (n,) float32."""
    nearest = [  # each point itself, at distance 0, and k others
        _distances(rows, points).topk(k + 1, dim=1, largest=False).values
        for rows in points.split(chunk_images)
    ]
    return torch.cat(nearest)[:, k]


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Distances of float64 points (n, d) and (m, d), rounded to float32, (n, m)."""
    lengths = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
    squares = torch.addmm(lengths, x, y.T, alpha=-2)
    squares.masked_fill_(squares < _SAME * lengths, 0)
    return squares.float().sqrt_()
