"""The renormalisation stage: likelihoods to a power, and what scaling their score makes of it.

No network and no data: the example is exact (see `scorelib.exact.renormalisation`), its integrals
are sums over a fine grid.
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
    """Two normal classes under a power of their likelihood, and under a scaled likelihood score.

    The result is of class 1; class 0 is its mirror image.

    Attributes:
        alpha: the power and the scale, > 0.
        centres: of the two classes.
        std: of both.
        normal_stds: standard deviations of normal likelihoods, integrated to the power.
    """

    KIND = "Renormalisation"
    STAGE: ClassVar[Stage] = Stage("renormalisation", 120, "score", assumed_seconds=1.0)

    alpha: float
    centres: tuple[float, ...] = (-1.0, 1.0)
    std: float = 1.0
    normal_stds: tuple[float, ...] = ()

    def validate(self) -> None:
        """Refuses what is no pair of different normals, and powers that are not positive."""
        require_input(
            len(self.centres) == 2, f"centres must be two numbers; got {len(self.centres)}"
        )
        _ = self.case  # checks its own values
        require_input(
            min(self.normal_stds, default=1.0) > 0,
            f"normal_stds must be positive; got {self.normal_stds}",
        )

    @property
    def case(self) -> TwoNormals:
        """The example itself."""
        low, high = self.centres
        return TwoNormals(centres=(low, high), std=self.std, alpha=self.alpha)

    def title(self) -> str:
        """What this job is."""
        return f"likelihood to the power {self.alpha:g}"

    def run(self, at: ExecutionContext) -> Run:
        """Integrates over the grid.

        The result: mean and std of the density meant (``mean``, ``std``) and of the one that
        scaling follows (``scaled_mean``, ``scaled_std``); the mean distance of their scores under
        the former (``score_gap``), its divergence from the latter (``kl``, nats), and Z(x) where
        the classes meet (``z_between``); far from there it is 1. And Proposition 2's own Z, of a
        normal likelihood of each standard deviation (`z_normal`).
        """
        yield Progress(0, 1, "examples")
        case, reach = self.case, _REACH * self.std
        x = np.linspace(min(self.centres) - reach, max(self.centres) + reach, _POINTS)
        meant, scaled = (_weights(f(x, 1)) for f in (case.posterior, case.scaled_posterior))
        gap = np.abs(case.scaled_score(x, 1) - case.posterior_score(x, 1))
        z = case.normaliser(x)
        # log p~ - log q = log of the mean of Z under p~, minus log Z: no quotient of small numbers.
        kl = np.log(np.average(z, weights=meant)) - np.sum(meant * np.log(z))
        kl = max(0.0, kl - _ROUNDING)  # where nothing diverges it is 0, not what rounding leaves
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
    """The quantity that is the integral of a normal likelihood to the power."""
    return f"z_normal_{std:g}"


def _weights(density: Array) -> Array:
    """Shares of the grid's points."""
    shares: Array = density / density.sum()
    return shares


def _moments(x: Array, weights: Array) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = np.sum(weights * x)
    return float(mean), float(np.sqrt(np.sum(weights * (x - mean) ** 2)))
