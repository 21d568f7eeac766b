"""Training of noise-conditional classifiers, resumable like that of score networks.

Stage two of the paper's procedure: the score network is trained already and does not change; it
belongs to the settings, not to the state. Levels are drawn uniformly from the schedule. (The paper
draws sigma log-uniformly between two bounds, which a geometric schedule of a thousand levels, as
many as it samples with, comes to.)

No example sees another one, so a batch may be split, which changes rounding only. Classifiers that
normalise over the batch are therefore refused, whatever the objective; `scorelib.guidance` has the
deeper reason.

Order, levels and noise of the examples come from streams of this training alone, and are the same
for every objective: objectives are compared on the same examples.

References:
    Chao et al. (2022), Figure 2, Appendices A.6.1 and A.6.2.
"""

from typing import Any

from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.guidance import require_independent_examples
from scorelib.losses import ClassifierObjective
from scorelib.networks import ScoreFunction
from scorelib.seeds import generator_of
from scorelib.training.base import Training


class ClassifierTraining(Training):
    """Cross entropy, denoising likelihood score matching, or both.

    Args:
        classifier: maps (x, sigma) to logits; moved to the device.
        images: training images or vectors; see `Training`.
        labels: their classes, (N,) int64.
        objective: what is minimised.
        score: score network of all data, or an exact one; a module is moved to the device, put into
            evaluation mode and frozen. None, if the objective does not read it.
        settings: the other arguments of `Training`.

    Raises:
        InputError: labels or score network are missing, or the classifier normalises over the
            batch.
    """

    def __init__(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        objective: ClassifierObjective,
        score: ScoreFunction | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(classifier, images, **settings)
        require_independent_examples(self.network)
        if labels.shape != images.shape[:1]:
            raise InputError(
                f"every image must have a label; got {len(images)} images and labels of shape "
                f"{tuple(labels.shape)}"
            )
        if objective.reads_score and score is None:
            raise InputError(f"{type(objective).__name__} needs a score network; got none")
        if isinstance(score, nn.Module):
            score = score.to(self._device).eval().requires_grad_(False)
        self._labels, self._objective, self._score = labels, objective, score

    def _update(self, iteration: int) -> dict[str, Tensor]:
        draw = generator_of("classifier", self._seed, iteration)
        batch = self._batch(iteration, "classifier epoch")
        x, sigma, noise = self._examples(draw, batch)
        labels = self._labels[batch].to(self._device)
        return self._gradient_step((x, labels, sigma, noise), self._losses)

    def _losses(self, *examples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        losses = self._objective.losses(self.network, self._score, *examples)
        return self._objective.total(losses), losses
