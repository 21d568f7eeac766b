"""Noise schedules: strictly decreasing noise levels for training and sampling a score network.

A schedule of L levels decreases from `sigma_1`, which is large enough to join all modes of the
data, to `sigma_L`, which is too small to be visible. The *family* of a schedule is the formula of
its levels. With the relative position ``u = k / (L - 1)`` of level k = 0 .. L - 1,

    geometric        sigma_1 (sigma_L / sigma_1)^u
    linear           sigma_1 - (sigma_1 - sigma_L) u
    cosine           sigma_1 cos(pi u / (2 alpha))
    squared cosine   sigma_1 cos(pi u / (2 alpha))^2
    sigmoid          a S(u) + b,    S(u) = 1 / (1 + exp(9 u - 2.5)),

where alpha > 1 is chosen such that the cosine families end at sigma_L, and (a, b) such that the
sigmoid family starts at sigma_1 and ends at sigma_L. The last four families are taken from a report
that uses ten levels from 1 to 0.01; there alpha is 1.0064 and 1.068, as computed here. Three
formulas printed in the report differ from these. They are mistakes, as the numbers of the report
show: ``k / (alpha L)`` in the cosines (the levels would end at 0.17 and 0.06), ``exp(-k - 2.5)`` in
the sigmoid (the levels would start at 0.085), and the missing factor a of the sigmoid (``S +
0.009`` decreases from 0.933 to 0.0105).

*Geometric* schedules have the same ratio ``gamma = sigma_{k+1} / sigma_k < 1`` at all levels. Song
and Ermon (2020) choose `sigma_1` and the number of levels from the data: `sigma_1` is the largest
Euclidean distance between two training points (Technique 1; `scorelib.diameter`), and there are
enough levels that the noise norms of neighbouring levels overlap (Technique 2;
`scorelib.schedules.coverage`).

Consistent annealed sampling takes `n_sigma` times as many, smaller steps. Its levels are those of a
*dilated* schedule, which holds every trained level and ``(n_levels - 1) n_sigma + 1`` levels in
all. A family dilates by its formula, so a geometric schedule has the ratio ``gamma ** (1 /
n_sigma)``; other levels are joined by geometric progressions.

An `ExplicitSchedule` is a list of levels without a formula.

References:
    Song and Ermon, Improved techniques for training score-based generative models, NeurIPS 2020,
    https://arxiv.org/abs/2006.09011, Technique 1.
    Jolicoeur-Martineau et al., Adversarial score matching and improved sampling for image
    generation, ICLR 2021, https://arxiv.org/abs/2009.05475, Eq. 2 and Section 3.2.
    Spagnoletti, Ratouchniak and Aubakirova, Denoising score matching for diffusion models (a
    report), Section 7: the families other than the geometric one.
"""

from scorelib.schedules.base import ExplicitSchedule, Schedule, SpacedSchedule
from scorelib.schedules.coverage import coverage, n_levels_for_coverage
from scorelib.schedules.families import (
    SCHEDULES,
    CosineSchedule,
    GeometricSchedule,
    LinearSchedule,
    SigmoidSchedule,
    SquaredCosineSchedule,
    as_geometric,
)

__all__ = [
    "SCHEDULES",
    "CosineSchedule",
    "ExplicitSchedule",
    "GeometricSchedule",
    "LinearSchedule",
    "Schedule",
    "SigmoidSchedule",
    "SpacedSchedule",
    "SquaredCosineSchedule",
    "as_geometric",
    "coverage",
    "n_levels_for_coverage",
]
