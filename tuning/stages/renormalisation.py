"""The renormalisation stage: compares powers of a likelihood with scaled likelihood scores.

The stage needs neither a network nor data: the example is exact (see
`scorelib.exact.renormalisation`), and its integrals are sums over a fine grid.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scorelib.errors import require_input
from scorelib.exact.renormalisation import Array, TwoNormals, normal_power_integral
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage

_REACH = 12.0
_ROUNDING = 1e-15
_POINTS = 40_001


@dataclass(frozen=True, kw_only=True)
class Renormalisation(Job):
    """Two normal classes with a renormalised power of the likelihood and with a scaled score.

    The result describes class 1; class 0 is its mirror image. See `run`.

    Attributes:
        alpha: power of the likelihood and scale of the likelihood score, > 0.
        centres: means of the two classes, two different numbers.
        std: standard deviation of both classes, > 0.
        normal_stds: standard deviations, > 0, of normal likelihoods whose power alpha is
            integrated.
    """

    KIND = "Renormalisation"
    STAGE: ClassVar[Stage] = Stage("renormalisation", 120, "score", assumed_seconds=1.0)

    alpha: float
    centres: tuple[float, ...] = (-1.0, 1.0)
    std: float = 1.0
    normal_stds: tuple[float, ...] = ()

    def validate(self) -> None:
        """Raises InputError unless there are two different centres and the rest is positive."""
        require_input(
            len(self.centres) == 2, f"centres must be two numbers, but got {len(self.centres)}"
        )
        _ = self.case  # TwoNormals checks its own values
        require_input(
            min(self.normal_stds, default=1.0) > 0,
            f"normal_stds must be positive, but got {self.normal_stds}",
        )

    @property
    def case(self) -> TwoNormals:
        """The two classes, as the exact example."""
        low, high = self.centres
        return TwoNormals(centres=(low, high), std=self.std, alpha=self.alpha)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"likelihood to the power {self.alpha:g}"

    def run(self, at: ExecutionContext) -> Run:
        """Integrates over the grid; see `Job.run`.

        The result compares p, the renormalised posterior of class 1, with q, the density whose
        score the scaling method uses:

        - ``mean``, ``std``: mean and standard deviation of p.
        - ``scaled_mean``, ``scaled_std``: mean and standard deviation of q.
        - ``score_gap``: mean absolute difference of the two scores under p.
        - ``kl``: KL(p || q) in nats.
        - ``z_between``: Z(x) midway between the centres; far from there, Z(x) is 1.
        - `z_normal` of each std in `normal_stds`: Z of Proposition 2 for a normal likelihood.
        """
        yield Progress(0, 1, "examples")
        case, reach = self.case, _REACH * self.std
        x = np.linspace(min(self.centres) - reach, max(self.centres) + reach, _POINTS)
        meant, scaled = (_weights(f(x, 1)) for f in (case.posterior, case.scaled_posterior))
        gap = np.abs(case.scaled_score(x, 1) - case.posterior_score(x, 1))
        z = case.normaliser(x)
        # log p - log q = log(mean of Z under p) - log Z, which avoids a quotient of small numbers.
        kl = np.log(np.average(z, weights=meant)) - np.sum(meant * np.log(z))
        kl = max(0.0, kl - _ROUNDING)  # exactly 0 for equal densities, despite rounding
        (mean, std), (scaled_mean, scaled_std) = _moments(x, meant), _moments(x, scaled)
        result = {
            "mean": mean, "std": std, "scaled_mean": scaled_mean, "scaled_std": scaled_std,
            "score_gap": float(np.sum(meant * gap)), "kl": float(kl),
            "z_between": float(case.normaliser(sum(self.centres) / 2)),
        }  # fmt: skip
        result |= {
            z_normal(std): float(normal_power_integral(std, self.alpha)) for std in self.normal_stds
        }
        return Outcome(result=result)


def z_normal(std: float) -> str:
    """Returns the name of a result: the integral of the power of a normal likelihood.

    Args:
        std: standard deviation of the likelihood.
    """
    return f"z_normal_{std:g}"


def _weights(density: Array) -> Array:
    """Returns the weights of the grid points, which sum to one."""
    shares: Array = density / density.sum()
    return shares


def _moments(x: Array, weights: Array) -> tuple[float, float]:
    """Returns the mean and standard deviation of weighted points."""
    mean = np.sum(weights * x)
    return float(mean), float(np.sqrt(np.sum(weights * (x - mean) ** 2)))
