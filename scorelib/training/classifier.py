"""Training of noise-conditional classifiers.

This is the second stage of the paper's procedure. The score network is already trained and does not
change, so it is part of the settings and not of the state. Noise levels are drawn uniformly from
the schedule. (The paper draws sigma log-uniformly between two bounds. A geometric schedule of a
thousand levels, the number that the paper samples with, is nearly the same.)

Examples must not depend on one another, so that splitting a batch changes only rounding.
Classifiers that normalise over the batch therefore raise InputError for every objective;
`scorelib.guidance` gives another reason.

The order, noise levels and noise of the examples come from random streams of this training alone.
They are the same for every objective, so objectives are compared on the same examples. Training is
resumable in the same way as that of score networks.

References:
    Chao et al. (2022), Figure 2, Appendices A.6.1 and A.6.2.
"""

from typing import Any

from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.guidance import require_independent_examples
from scorelib.losses import ClassifierObjective
from scorelib.networks import ScoreFunction
from scorelib.networks.layout import laid_out
from scorelib.seeds import generator_of
from scorelib.training.base import Draws, Training


class ClassifierTraining(Training):
    """Training of a classifier by cross entropy, denoising likelihood score matching, or both.

    Args:
        classifier: module that maps (x, sigma) to logits, shape (B, K); moved to the device.
        images: training images or vectors; see `Training`.
        labels: class of each training example, shape (N,), int64.
        objective: training objective.
        score: score network of the whole data set, or an exact score function. A module is moved to
            the device, set to evaluation mode and frozen. None if the objective does not need it.
        settings: the other arguments of `Training`.

    Raises:
        InputError: the number of labels is not that of the images, the score network is missing, or
            the classifier normalises over the batch.
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
                f"every image must have a label, but got {len(images)} images and labels of shape "
                f"{tuple(labels.shape)}"
            )
        if objective.reads_score and score is None:
            raise InputError(f"{type(objective).__name__} needs a score network, but got none")
        if isinstance(score, nn.Module):
            score = laid_out(score.to(self._device), tuple(images.shape[1:]))
            score = score.eval().requires_grad_(False)
        self._labels = labels.to(self._device)
        self._objective, self._score = objective, score

    def _draws(self, iteration: int) -> Draws:
        draw = generator_of("classifier", self._seed, iteration)
        return self._drawn(draw, self._batch(iteration, "classifier epoch"))

    def _update(self, draws: Draws) -> dict[str, Tensor]:
        x, sigma, noise = self._examples(draws)
        return self._gradient_step((x, self._labels[draws.indices], sigma, noise), self._losses)

    def _losses(self, *examples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        losses = self._objective.losses(self.network, self._score, *examples)
        return self._objective.total(losses), losses
