"""The settings of Tables 1 to 3, and what in them follows the authors' code instead of their text.

Where the paper's text and its authors' code differ, the text is the default and the code's way a
setting (expected effect in brackets; see `TableSettings`):

- ``start=uniform``: chains start from U[0, 1] instead of N(0, sigma_1^2) (none once sigma_1 is
  large: the first levels forget it);
- ``train.flips``: random mirror images; in the code, not in the text (a better distance on
  photographs, as any augmentation that keeps images likely);
- ``search.n_images=1000``, ``n_images``: the code tunes on 5,000 images or fewer and scores 10,000
  (fewer images: larger distances, all of them alike);
- ``snapshot_every=5000``: the code saves every 5,000 iterations, the text says every 2,500 (none
  to speak of);
- ``adversarial.n_d``: discriminator steps per score step, 2 by the text for CIFAR-10, 1 by the code
  for NCSNv2 (the study `cifar_lambda_nd` measures it).
"""

from dataclasses import dataclass

from scorelib.errors import require_input
from scorelib.losses import SCORE_ADAM, Adversarial
from scorelib.metrics.features import Extractor
from scorelib.optim import AdamSpec
from scorelib.samplers import Start
from scorelib.spec import Spec
from studies.common.execution_settings import StudySettings
from studies.common.snapshots import require_snapshot, snapshot_iterations
from tuning.stages import TrainSpec
from tuning.store.ledger import Value

REPORTED_N_SIGMA = (1, 5)
COLUMNS = ("non-adversarial", "adversarial")


@dataclass(frozen=True, kw_only=True)
class SelectionSettings(Spec):
    """How snapshot and EMA decay are chosen before any step size is.

    Attributes:
        n_trials: pairs tried, >= 1; the first is the setting's own `iteration` and `ema`.
        n_images: images per trial.
    """

    KIND = "SelectionSettings"

    n_trials: int
    n_images: int

    def validate(self) -> None:
        """Refuses choices among nothing."""
        require_input(
            self.n_trials >= 1, f"selection.n_trials must be at least 1; got {self.n_trials}"
        )


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Spec):
    """How each cell's step size is searched.

    Attributes:
        n_trials: step sizes tried, >= 1.
        round_size: tried at a time.
        n_images: images per trial.
        top_images: images for the best `keep` of them.
        keep: how many go on to `top_images`.
        als_epsilon: first step size of ALS at the first n_sigma; None to start from r = 4.8.
        cas_epsilon: the same of CAS; None to start from r = 1.5.
    """

    KIND = "SearchSettings"

    n_trials: int
    round_size: int
    n_images: int
    top_images: int
    keep: int
    als_epsilon: float | None = None
    cas_epsilon: float | None = None

    def validate(self) -> None:
        """Refuses searches that try or keep nothing."""
        require_input(
            min(self.n_trials, self.keep) >= 1 and self.top_images >= self.n_images,
            "a search needs n_trials >= 1, keep >= 1 and top_images >= n_images; got "
            f"n_trials={self.n_trials}, keep={self.keep}, n_images={self.n_images}, "
            f"top_images={self.top_images}",
        )


@dataclass(frozen=True, kw_only=True)
class TableSettings(StudySettings):
    """Everything that defines such a study at a scale; each field can be set on the command line.

    Attributes:
        train: training run of the non-adversarial column.
        adversarial: objective of the adversarial column; the rest is as in `train`, but for the
            optimizer.
        adversarial_optimizer: the score network's optimizer in the adversarial column; its learning
            rate is that of `train`.
        columns: ways of training, of `COLUMNS`.
        iterations: length of the trainings.
        snapshot_every: iterations between snapshots.
        iteration: snapshot that is tried first, and of which the starts are measured.
        ema: EMA decay that is tried first.
        selection: how snapshot and EMA decay are chosen.
        extractor: features of the distances.
        chunk_images: images per sampling job.
        start: what chains start from.
        search: how step sizes are searched.
        n_sigma: steps per noise level, a row of each sampler for each; of those reported.
        n_images: images per cell and seed.
        seeds: fresh seeds each cell is measured with.
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
        """Refuses snapshots that training does not make, and rows or columns there are not."""
        require_input(self.seeds >= 1, f"seeds must be at least 1; got {self.seeds}")
        _require_some(self.n_sigma, REPORTED_N_SIGMA, "n_sigma must hold counts the paper reports")
        _require_some(self.columns, COLUMNS, "columns must hold ways of training")
        require_snapshot(self.iteration, self.snapshots, "iteration")

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are made."""
        return snapshot_iterations(self.snapshot_every, self.iterations)

    def training(self, column: str) -> TrainSpec:
        """The training run of a column."""
        if column == COLUMNS[0]:
            return self.train
        return with_discriminator(self.train, self.adversarial, self.adversarial_optimizer)


def with_discriminator(train: TrainSpec, objective: Adversarial, optimizer: AdamSpec) -> TrainSpec:
    """The adversarial form of a training run, at the same learning rate."""
    optimizer = optimizer.replace(learning_rate=train.optimizer.learning_rate)
    return train.replace(objective=objective, optimizer=optimizer)


def _require_some(given: tuple[Value, ...], known: tuple[Value, ...], rule: str) -> None:
    is_chosen = 0 < len(set(given)) == len(given) and set(given) <= set(known)
    require_input(is_chosen, f"{rule}, each once, of {known}; got {given}")
