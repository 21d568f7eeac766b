"""The settings of Tables 1 to 3, and how to follow the authors' code instead of the paper's text.

Where the paper's text and the authors' code differ, the default follows the text, and a setting of
`TableSettings` follows the code. The expected effect of following the code stands in brackets:

- ``start=uniform``: in the code, chains start from U[0, 1] instead of N(0, sigma_1^2) (none if
  sigma_1 is large, because the influence of the start vanishes in the first levels);
- ``train.flips``: random mirror images; in the code, not in the text (smaller distances on
  photographs, as with any augmentation that keeps images likely);
- ``search.n_images=1000``, ``n_images``: the code tunes on 5,000 images or fewer and measures
  10,000 images (with fewer images all distances are larger, to the same extent);
- ``snapshot_every=5000``: the code saves snapshots every 5,000 iterations, the text says every
  2,500 (negligible);
- ``adversarial.n_d``: discriminator steps per score step; 2 in the text for CIFAR-10, 1 in the code
  for NCSNv2 (measured by the study `cifar_lambda_nd`).
"""

from dataclasses import dataclass

from scorelib.errors import require_input
from scorelib.losses import SCORE_ADAM, Adversarial
from scorelib.metrics.features import Extractor
from scorelib.optim import AdamSpec
from scorelib.samplers import Start
from scorelib.spec import Spec
from studies.common.execution_settings import SamplingSettings
from studies.common.snapshots import require_snapshot, snapshot_iterations
from studies.common.step_size_search import SearchSettings, require_choice, require_n_sigma
from tuning.stages import TrainSpec

REPORTED_N_SIGMA = (1, 5)
COLUMNS = ("non-adversarial", "adversarial")


@dataclass(frozen=True, kw_only=True)
class SelectionSettings(Spec):
    """Settings of the selection of snapshot and EMA decay, which precedes all step size searches.

    Attributes:
        n_trials: number of pairs of snapshot and decay that are tried, >= 1; the first pair is
            `iteration` and `ema` of the table's settings.
        n_images: images per trial, >= 2.
    """

    KIND = "SelectionSettings"

    n_trials: int
    n_images: int

    def validate(self) -> None:
        """Raises InputError if `n_trials` is below 1."""
        require_input(
            self.n_trials >= 1, f"selection.n_trials must be at least 1, but got {self.n_trials}"
        )


@dataclass(frozen=True, kw_only=True)
class TableSettings(SamplingSettings):
    """Settings that define such a study at a scale; each field can be set on the command line.

    Attributes:
        train: training run of the non-adversarial column.
        adversarial: objective of the adversarial column; the other settings are those of `train`,
            except for the optimizer.
        adversarial_optimizer: optimizer of the score network in the adversarial column; the
            learning rate is replaced by that of `train`.
        columns: columns of the table, each one of `COLUMNS`.
        iterations: length of the trainings, in iterations, >= `snapshot_every`.
        snapshot_every: iterations between snapshots, >= 1.
        iteration: iteration of the snapshot that the selection tries first, a multiple of
            `snapshot_every`.
        ema: EMA decay that the selection tries first, one of `train.ema`.
        selection: settings of the selection of snapshot and EMA decay.
        extractor: feature extractor of the distances.
        chunk_images: images per sampling job, >= 1.
        start: distribution that chains start from.
        search: settings of the searches over step sizes.
        n_sigma: numbers of steps per noise level, each >= 1; one row per sampler for each. Rows
            beside those of `REPORTED_N_SIGMA` show no numbers of the paper.
        n_images: images per cell and seed, >= 2.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
    """

    KIND = "TableSettings"

    train: TrainSpec
    adversarial: Adversarial
    adversarial_optimizer: AdamSpec = SCORE_ADAM
    columns: tuple[str, ...] = COLUMNS
    iterations: int
    snapshot_every: int
    iteration: int
    ema: float
    selection: SelectionSettings
    extractor: Extractor
    chunk_images: int
    start: Start = "noise"
    search: SearchSettings
    n_sigma: tuple[int, ...] = REPORTED_N_SIGMA
    n_images: int
    seeds: int

    def validate(self) -> None:
        """Checks the seeds, the rows, the columns and the first snapshot.

        Raises:
            InputError: `seeds` or a value of `n_sigma` is below 1, `n_sigma` or `columns` is empty
                or has a repeated value, a column is unknown, or the training saves no snapshot at
                `iteration`.
        """
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        require_n_sigma(self.n_sigma)
        require_choice(self.columns, COLUMNS, "columns")
        require_snapshot(self.iteration, self.snapshots, "iteration")

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are saved."""
        return snapshot_iterations(self.snapshot_every, self.iterations)

    def training(self, column: str) -> TrainSpec:
        """Returns the training run of a column, one of `COLUMNS`."""
        if column == COLUMNS[0]:
            return self.train
        return with_discriminator(self.train, self.adversarial, self.adversarial_optimizer)


def with_discriminator(train: TrainSpec, objective: Adversarial, optimizer: AdamSpec) -> TrainSpec:
    """Returns the adversarial form of a training run, at the same learning rate.

    Args:
        train: training run without a discriminator.
        objective: adversarial objective.
        optimizer: optimizer of the score network; the learning rate is replaced by that of `train`.
    """
    optimizer = optimizer.replace(learning_rate=train.optimizer.learning_rate)
    return train.replace(objective=objective, optimizer=optimizer)
