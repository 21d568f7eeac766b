"""The score errors of estimated scores, against the exact ones of a small data set.

What is estimated are the posterior scores of the classes: by a score network of all data and a
classifier, by the same with a scaled classifier, or by a score network for each class. See
`scorelib.metrics.score_error`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import safetensors.torch
from torch import Tensor, nn

from scorelib.data import Moons
from scorelib.errors import require_input
from scorelib.exact.parzen import Parzen
from scorelib.guidance import ClassGuidance, GuidedNetwork
from scorelib.metrics.score_error import ExactScores, moons_grid, scores_of
from scorelib.networks import ScoreNetwork
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage
from tuning.stages.score import SCORING
from tuning.stages.training.noise_classifier import NoiseClassifierSnapshot
from tuning.stages.training.score_network import Snapshot
from tuning.stages.training.snapshots import TrainedWeights

_DIGITS = 12  # after the point, that double precision is sure of in sums over some 10,000 points


@dataclass(frozen=True, kw_only=True)
class ScoreErrors(Job):
    """E[D_P] and, with a classifier, E[D_L] of every class, means over the moons' grid.

    Its result has "D_P class 1", "D_L class 1" and so on, classes counted from 1 as in the paper,
    and "D_P", "D_L", the means over the classes.

    Attributes:
        data: the points whose scores are exact.
        sigma: noise level.
        models: the score network of all data, which a classifier guides; or one for each class.
        ema: which of the networks' EMA decays.
        classifier: what guides; None with a score network for each class.
        scale: alpha, the factor of the likelihood score.
    """

    KIND = "ScoreErrors"
    STAGE: ClassVar[Stage] = SCORING
    lower_is_better: ClassVar[bool | None] = True

    data: Moons
    sigma: float
    models: tuple[Snapshot, ...]
    ema: float
    classifier: NoiseClassifierSnapshot | None = None
    scale: float = 1.0

    def validate(self) -> None:
        """Refuses what makes no score for each class."""
        wanted = 1 if self.classifier else self.data.n_classes
        require_input(
            len(self.models) == wanted,
            f"models must hold {wanted} snapshots, one of all data with a classifier or else one "
            f"for each class; got {len(self.models)}",
        )
        for weights in self.inputs():
            require_input(
                self.ema in weights.train.ema,
                f"ema must be one of the decays kept in training, {weights.train.ema}; "
                f"got {self.ema}",
            )

    def inputs(self) -> tuple[TrainedWeights, ...]:
        """The networks."""
        return (*self.models, self.classifier) if self.classifier else self.models

    def title(self) -> str:
        """What this job is."""
        return f"score errors at {self.inputs()[-1].iteration:,}"

    def run(self, at: ExecutionContext) -> Run:
        """Compares the scores on the grid, and keeps them for a figure."""
        yield Progress(0, 1, "grids")
        points = moons_grid().to(at.device)
        exact = _exact_scores(self.data, self.sigma, at.device)
        guidances = self._guidances(at)
        estimated = scores_of(self._posteriors(at, guidances), points, self.sigma)
        errors = {"D_P": exact.posterior_errors(estimated)}
        if guidances:
            errors["D_L"] = exact.likelihood_errors(scores_of(guidances, points, self.sigma))
        kept = {f"estimated.{c}": scores for c, scores in enumerate(estimated)}
        kept |= {f"exact.{c}": scores for c, scores in enumerate(exact.posteriors)}
        tensors = {name: scores.float().cpu().contiguous() for name, scores in kept.items()}
        files = {"scores.safetensors": safetensors.torch.save(tensors)}
        return Outcome(result=_by_class(errors), files=files)

    def _guidances(self, at: ExecutionContext) -> list[ClassGuidance]:
        if self.classifier is None:
            return []
        classifier = self.classifier.network(at, self.ema)
        labels = range(self.data.n_classes)
        return [ClassGuidance(classifier, label, scale=self.scale) for label in labels]

    def _posteriors(self, at: ExecutionContext, guidances: list[ClassGuidance]) -> list[nn.Module]:
        networks = [model.network(at, self.ema) for model in self.models]
        if not guidances:
            return networks
        return [GuidedNetwork(networks[0], guidance) for guidance in guidances]

    def scores(self, at: ExecutionContext) -> dict[str, Tensor]:
        """The finished posterior scores, {estimated, exact}.{0 .. K - 1}, (1225, 2) each."""
        found: dict[str, Tensor] = safetensors.torch.load(at.read(self, "scores.safetensors"))
        return found


@dataclass(frozen=True, kw_only=True)
class OracleErrors(Job):
    """The score errors of the exact scores, none if all is right (Eq. 5).

    They are put together as a guided network's are, of the exact score of all data and the exact
    p(y | x), whose logarithm is differentiated by autograd; the result is that of `ScoreErrors`,
    to twelve digits after the point, since what is less is rounding.

    Attributes:
        data: the points whose scores are exact.
        sigma: noise level.
    """

    KIND = "OracleErrors"
    STAGE: ClassVar[Stage] = SCORING

    data: Moons
    sigma: float

    def title(self) -> str:
        """What this job is."""
        return "score errors of the exact scores"

    def run(self, at: ExecutionContext) -> Run:
        """Compares them on the grid."""
        yield Progress(0, 1, "grids")
        points, exact = moons_grid().double(), _exact_scores(self.data, self.sigma, "cpu")
        oracle = Parzen(*self.data.load("train"))
        classifier = _ExactClassifier(oracle)
        guidances = [ClassGuidance(classifier, label) for label in range(self.data.n_classes)]
        posteriors = [GuidedNetwork(_ExactScore(oracle), guidance) for guidance in guidances]
        errors = {
            "D_P": exact.posterior_errors(scores_of(posteriors, points, self.sigma)),
            "D_L": exact.likelihood_errors(scores_of(guidances, points, self.sigma)),
        }
        return Outcome(result={n: round(e, _DIGITS) for n, e in _by_class(errors).items()})


class _ExactScore(ScoreNetwork):
    """The score of all data, times sigma."""

    def __init__(self, oracle: Parzen) -> None:
        super().__init__()
        self._oracle = oracle

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return sigma.view(-1, 1) * self._oracle.prior_score(x, sigma)


class _ExactClassifier(nn.Module):
    """Log p(y | x)."""

    def __init__(self, oracle: Parzen) -> None:
        super().__init__()
        self._oracle = oracle

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._oracle.log_likelihood(x, sigma)


def _by_class(errors: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Of each error, the number of each class and their mean, by name."""
    result: dict[str, float] = {}
    for name, of_classes in errors.items():
        result |= {f"{name} class {c}": e for c, e in enumerate(of_classes, start=1)}
        result[name] = sum(of_classes) / len(of_classes)
    return result


@lru_cache(maxsize=2)
def _exact_scores(data: Moons, sigma: float, device: str) -> ExactScores:
    """On the moons' grid; kept, since every job of a study compares with the same."""
    oracle = Parzen(*(t.to(device) for t in data.load("train")))
    return ExactScores.of(oracle, moons_grid().to(device), sigma)
