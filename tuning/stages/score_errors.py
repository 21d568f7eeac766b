"""Score errors: compares estimated scores with the exact scores of a small data set.

The posterior score of each class is estimated by a score network of all data and a classifier, by
the same networks with a scaled likelihood score, or by one score network per class. See
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

_DIGITS = 12  # decimals that are reliable in float64 for sums over about 10,000 points


@dataclass(frozen=True, kw_only=True)
class ScoreErrors(Job):
    """The posterior score error E[D_P] and, with a classifier, the likelihood score error E[D_L].

    Errors are means over the grid of `moons_grid`, in 1 / (data unit). Its result has the error of
    each class ("D_P class 1", "D_L class 1", ...; numbered from 1 as in the paper) and the means
    over the classes ("D_P", "D_L").

    Attributes:
        data: data set whose exact scores are known.
        sigma: noise level, data units.
        models: snapshot of the score network of all data, with a classifier; otherwise one
            snapshot per class.
        ema: EMA decay of the weights of all networks.
        classifier: snapshot of the guiding classifier; None with one score network per class.
        scale: alpha, the factor of the likelihood score.

    References:
        Chao et al. (2022), Eq. 7.
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
        """Raises InputError for a wrong number of models or an EMA decay that was not kept."""
        wanted = 1 if self.classifier else self.data.n_classes
        require_input(
            len(self.models) == wanted,
            f"models must have {wanted} snapshots (one of all data with a classifier, otherwise "
            f"one per class), but got {len(self.models)}",
        )
        for weights in self.inputs():
            require_input(
                self.ema in weights.train.ema,
                f"ema must be one of the decays kept in training, {weights.train.ema}, "
                f"but got {self.ema}",
            )

    def inputs(self) -> tuple[TrainedWeights, ...]:
        """Returns the weights of all networks, the classifier last."""
        return (*self.models, self.classifier) if self.classifier else self.models

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"score errors at {self.inputs()[-1].iteration:,}"

    def run(self, at: ExecutionContext) -> Run:
        """Compares the scores on the grid, and stores them for a figure; see `Job.run`."""
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
        """Returns the finished posterior scores on the grid.

        Returns:
            "estimated.c" and "exact.c" for each class c from 0, (1225, 2) float32 each.

        Raises:
            MissingInputError: the scores are not stored, or were found corrupt.
        """
        found: dict[str, Tensor] = safetensors.torch.load(at.read(self, "scores.safetensors"))
        return found


@dataclass(frozen=True, kw_only=True)
class OracleErrors(Job):
    """The score errors of the exact scores, as a check: they are zero.

    The posterior scores are composed as for a guided network: from the exact score of all data and
    the gradient, by autograd, of the exact log p(y | x). The result has the form of that of
    `ScoreErrors`, rounded to 12 decimals to remove rounding errors.

    Attributes:
        data: data set whose exact scores are known.
        sigma: noise level, data units.

    References:
        Chao et al. (2022), Eq. 5.
    """

    KIND = "OracleErrors"
    STAGE: ClassVar[Stage] = SCORING

    data: Moons
    sigma: float

    def title(self) -> str:
        """Returns the title shown for the job."""
        return "score errors of the exact scores"

    def run(self, at: ExecutionContext) -> Run:
        """Compares the scores on the grid; see `Job.run`."""
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
    """A network that returns the exact score of all data, times sigma."""

    def __init__(self, oracle: Parzen) -> None:
        super().__init__()
        self._oracle = oracle

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return sigma.view(-1, 1) * self._oracle.prior_score(x, sigma)


class _ExactClassifier(nn.Module):
    """A network that returns the exact log p(y | x) of all classes, (B, K)."""

    def __init__(self, oracle: Parzen) -> None:
        super().__init__()
        self._oracle = oracle

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._oracle.log_likelihood(x, sigma)


def _by_class(errors: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Returns, by name, the value of each error for each class and the mean over the classes."""
    result: dict[str, float] = {}
    for name, of_classes in errors.items():
        result |= {f"{name} class {c}": e for c, e in enumerate(of_classes, start=1)}
        result[name] = sum(of_classes) / len(of_classes)
    return result


@lru_cache(maxsize=2)
def _exact_scores(data: Moons, sigma: float, device: str) -> ExactScores:
    """Returns the exact scores on the grid; cached, as all jobs of a study use the same scores."""
    oracle = Parzen(*(t.to(device) for t in data.load("train")))
    return ExactScores.of(oracle, moons_grid().to(device), sigma)
