"""Settings that say where and how a study runs, and are no part of any result's identity.

They stand beside a study's specs, so they are set as those are, but no job's key holds them, nor
that of the study's settings.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scorelib.errors import InputError
from scorelib.spec import Spec
from tuning.addresses import require_database, require_no_password
from tuning.store.store import Store
from tuning.study import Study


@dataclass(frozen=True, kw_only=True)
class Files(Spec):
    """Where files lie.

    Attributes:
        root: folder of the data set; None for ./data.
        inception_weights: file of the Inception weights; None to let them be fetched.
    """

    KIND = "Files"

    root: str | None = None
    inception_weights: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timeouts(Spec):
    """Seconds without progress after which a job counts as hung, > 0; None: it never does.

    A hung job's worker is ended and the job run again, from its last checkpoint.

    Attributes:
        train: trainings, of score networks and of classifiers.
        sample: sampling.
        score: scores and what they read of real images, whose progress comes rarely.
    """

    KIND = "Timeouts"

    train: float | None = None
    sample: float | None = None
    score: float | None = None

    def validate(self) -> None:
        """Refuses time-outs that nothing could keep."""
        for name, seconds in vars(self).items():
            if isinstance(seconds, float) and seconds <= 0:
                raise InputError(f"timeouts.{name} must be above 0 seconds; got {seconds}")


@dataclass(frozen=True, kw_only=True)
class GpuShareSettings(Spec):
    """Shares of a GPU that jobs ask for, each in (0, 1].

    Attributes:
        train: of a training.
        sample: of sampling and scoring; None for what their memory was measured to take, .5 until
            then.
    """

    KIND = "SharesOfGpu"

    train: float = 1.0
    sample: float | None = None

    def validate(self) -> None:
        """Refuses shares of nothing and of more than one GPU."""
        for name, share in (("train", self.train), ("sample", self.sample)):
            if share is not None and not 0 < share <= 1:
                raise InputError(f"gpu_shares.{name} must be in (0, 1]; got {share}")


@dataclass(frozen=True, kw_only=True)
class ExecutionSettings(Spec):
    """How jobs are run.

    Attributes:
        batch_images: most images per network call, >= 1; larger batches are split. Halved by
            itself where a GPU runs out of memory.
        autocast: bfloat16 where that is safe: faster on recent GPUs, results change in the third
            digit.
        compile: torch.compile the network: pays off for long sampling on GPUs.
        timeouts: when jobs count as hung.
        gpu_shares: how jobs share GPUs.
    """

    KIND = "ExecutionSettings"

    batch_images: int = 500
    autocast: bool = False
    compile: bool = False
    timeouts: Timeouts = Timeouts()
    gpu_shares: GpuShareSettings = GpuShareSettings()

    def validate(self) -> None:
        """Refuses empty batches."""
        if self.batch_images < 1:
            raise InputError(f"batch_images must be at least 1; got {self.batch_images}")


@dataclass(frozen=True, kw_only=True)
class ProjectionSettings(Spec):
    """Where finished trials are shown beside MLflow.

    Attributes:
        optuna: SQLAlchemy URL of an Optuna storage, such as postgresql://USER@HOST/DATABASE; None
            for ``optuna.db`` in the store if that is a local folder, and for none if it is not.
            Settings are kept in the store, so the URL holds no password: PGPASSWORD or ~/.pgpass.
    """

    KIND = "ProjectionSettings"

    optuna: str | None = None

    def validate(self) -> None:
        """Refuses what is no URL, and passwords."""
        if self.optuna is not None:
            require_no_password(self.optuna, "projections.optuna", _PASSWORD_HINT)


@dataclass(frozen=True, kw_only=True)
class StudySettings(Spec):
    """What the settings of every study hold.

    Attributes:
        data: where files lie.
        execution: how networks are evaluated.
        projections: where searches are shown beside MLflow.
    """

    KIND = "StudySettings"

    data: Files = Files()
    execution: ExecutionSettings = ExecutionSettings()
    projections: ProjectionSettings = ProjectionSettings()

    @cached_property
    def key(self) -> str:
        """Equal for settings that differ in these three alone."""
        plain = StudySettings()
        same = {name: getattr(plain, name) for name in ("data", "execution", "projections")}
        if all(getattr(self, name) == value for name, value in same.items()):
            return super().key
        return self.replace(**same).key


_PASSWORD_HINT = (
    "give it as PGPASSWORD in the environment or in ~/.pgpass: PostgreSQL's client reads them"
)


def optuna_url(study: Study, store: Store) -> str | None:
    """The Optuna storage that shows a study's searches, or None."""
    settings: Any = study.settings
    if settings.projections.optuna or not store.is_local:
        return settings.projections.optuna  # type: ignore[no-any-return]
    return f"sqlite:///{store.folder.resolve()}/optuna.db"


def require_optuna(study: Study) -> None:
    """Raises InputError, in one line, if an Optuna storage is set and does not answer."""
    settings: Any = study.settings
    if settings.projections.optuna:
        require_database(settings.projections.optuna, "projections.optuna")
