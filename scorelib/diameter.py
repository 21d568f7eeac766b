"""The diameter of a data set, which Song and Ermon choose as the largest noise level.

References:
    Song and Ermon (2020), https://arxiv.org/abs/2006.09011, Technique 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import InputError


@dataclass(frozen=True)
class Diameter:
    """The largest distance between two points of a set, with an error bound.

    The true diameter lies in [value, value + error].

    Attributes:
        value: largest distance found between two points of the set, a lower bound of the diameter,
            data units.
        error: upper bound of the diameter minus ``value``, data units; 0 when exact.
    """

    value: float
    error: float


def largest_pairwise_distance(points: Tensor, *, exact_up_to: int = 20_000) -> Diameter:
    """Returns the largest Euclidean distance between two points, Song and Ermon's sigma_1.

    Args:
        points: data, shape (N, ...), N >= 2; trailing dimensions are flattened.
        exact_up_to: largest N for which all pairwise distances are computed (in chunks, so memory
            stays O(N)). For larger N the value is computed by farthest-point sweeps and the error
            by the triangle inequality around the mean.

    Returns:
        The diameter with its error bound, data units.

    Raises:
        InputError: fewer than two points.
    """
    flat = points.flatten(1).double()
    if len(flat) < 2:
        raise InputError(f"there must be at least 2 points, but got {len(flat)}")
    if len(flat) <= exact_up_to:
        chunks = flat.split(max(1, 8_000_000 // len(flat)))
        largest = max(_distances(chunk, flat).max().item() for chunk in chunks)
        return Diameter(value=largest, error=0.0)
    centre = flat.mean(0, keepdim=True)
    radii = _distances(centre, flat)[0]
    value, index = 0.0, int(radii.argmax())
    for _ in range(16):
        sweep = _distances(flat[index : index + 1], flat)[0]
        if sweep.max().item() <= value:
            break
        value, index = sweep.max().item(), int(sweep.argmax())
    widest = radii.topk(2).values.sum().item()
    return Diameter(value=value, error=max(0.0, widest - value))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
