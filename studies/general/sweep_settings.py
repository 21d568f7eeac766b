"""The settings of a sweep."""

from dataclasses import dataclass

from scorelib.errors import InputError, require_input
from scorelib.metrics.features import Extractor
from scorelib.samplers import Sampler
from studies.common.execution_settings import SamplingSettings
from studies.general.image_settings import ClassifierOfImages, features_of, require_classes
from tuning.jobs import Job
from tuning.stages import TrainSpec


@dataclass(frozen=True, kw_only=True)
class SweepSettings(SamplingSettings):
    """Settings of a sweep.

    Attributes:
        vary: settings to vary with their values, such as
            ``train.optimizer.learning_rate = 1e-4..1e-2 log``; see `sweep_parameters`.
        objectives: numbers to optimise: "distance", "precision", "recall", "density", "coverage",
            or the kind of a protocol (`metrics`), with "raw" before the name for images that are
            not denoised. For a `job`: "lower NAME" or "raise NAME".
        strategy: "grid", "random", "tpe", "gp", "cma-es", or an Optuna sampler as
            ``module:Class``.
        trials: number of trials on the first rung, >= 1; a grid has as many as it has points.
        round_size: number of trials that are proposed together, >= 1.
        keep: number of trials on each further rung, >= 1, non-increasing; empty for one rung.
        iterations: training iterations on each rung, >= 1, non-decreasing; one value for all.
        images: images per trial on each rung, >= 2, non-decreasing; one value for all.
        training_seeds: number of trainings of each trial, with different seeds, >= 1.
        seeds: number of fresh seeds that the best is measured with, per training seed, >= 1.
        n_images: images of each fresh seed, >= 2.
        train: training run.
        ema: EMA decay of the weights that images are sampled with, one of `train.ema`.
        sampler: sampler; None for consistent annealed sampling with r = 1.5.
        extractor: features of the metrics; None for the classifier of the images' classes, or
            random convolutions for images of one class.
        chunk_images: images per sampling job, >= 1.
        job: job of your own that is swept instead; None to sweep the training above.
    """

    KIND = "SweepSettings"

    vary: tuple[str, ...]
    objectives: tuple[str, ...] = ("distance",)
    strategy: str = "tpe"
    trials: int = 20
    round_size: int = 4
    keep: tuple[int, ...] = ()
    iterations: tuple[int, ...]
    images: tuple[int, ...]
    training_seeds: int = 1
    seeds: int = 1
    n_images: int
    train: TrainSpec
    ema: float
    sampler: Sampler | None = None
    extractor: Extractor | ClassifierOfImages | None = None
    chunk_images: int = 500
    job: Job | None = None

    def validate(self) -> None:
        """Raises InputError if a number is out of range or the rungs do not fit together."""
        for name in ("trials", "round_size", "training_seeds", "seeds"):
            value = getattr(self, name)
            if value < 1:
                raise InputError(f"{name} must be at least 1, but got {value}", name)
        for name, meaning in (
            ("vary", "a line for each setting"),
            ("objectives", "a number to optimise"),
        ):
            require_input(bool(getattr(self, name)), f"{name} must have {meaning}, but is empty")
        rungs = len(self.keep) + 1
        for name, least in (("iterations", 1), ("images", 2)):
            values = getattr(self, name)
            require_input(
                len(values) in (1, rungs)
                and min(values) >= least
                and list(values) == sorted(values),
                f"{name} must have one value >= {least}, or one for each of {rungs} rungs, not "
                f"decreasing, but got {list(values)}",
            )
        require_input(
            list(self.keep) == sorted(self.keep, reverse=True) and min(self.keep, default=1) >= 1,
            f"keep must have values >= 1 that do not increase, but got {list(self.keep)}",
        )
        require_classes(self.features)

    @property
    def features(self) -> Extractor:
        """The feature extractor, by default the one that the images allow."""
        return features_of(self.extractor, self.train.data)
