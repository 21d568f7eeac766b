"""Settings that say where and how a study runs, as opposed to what it measures.

Every study's settings contain them as the fields `data`, `execution` and `projections`. They are
changed by path like any other setting, as in ``execution.batch_images=100``.

Stored results are found by a key, a digest of the settings that determine the result. The settings
of this module are in no key: a result that was computed with one value is reused with any other.
The values change results at most within rounding errors.
"""

import types
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scorelib.devices.precision import Precision
from scorelib.errors import InputError, require_input
from scorelib.spec import Spec, added_later
from tuning.addresses import (
    database_file,
    require_database,
    require_database_folder,
    require_no_password,
    sqlite_url,
    with_home,
)
from tuning.store.store import Store
from tuning.study import Study

WHERE_AND_HOW = ("data", "execution", "projections")
"""Fields of every study's settings that do not identify results, and may differ between runs."""


@dataclass(frozen=True, kw_only=True)
class Files(Spec):
    """Locations of input files.

    Attributes:
        root: folder that holds the data sets; None for ./data.
        inception_weights: file with the Inception weights; None to download the weights.
        weights: files and folders of weights trained elsewhere, each needed once, to be imported.
        spot_check: whether imported weights that do not denoise images of the data set are refused.
        pictures: folders and files of pictures made elsewhere and of published statistics, each
            needed until its features are stored.
    """

    KIND = "Files"

    root: str | None = None
    inception_weights: str | None = None
    weights: tuple[str, ...] = added_later(())
    spot_check: bool = added_later(True)
    pictures: tuple[str, ...] = added_later(())


@dataclass(frozen=True, kw_only=True)
class Timeouts(Spec):
    """Time-outs: seconds without progress after which a job counts as hung.

    The worker of a hung job is stopped, and the job runs again from its last checkpoint. A time-out
    is > 0; None means that the job never counts as hung.

    Attributes:
        train: time-out of trainings, both of score networks and of classifiers, > 0.
        sample: time-out of sampling jobs, > 0.
        score: time-out of jobs that measure generated images or read real images, > 0; both report
            progress rarely.
    """

    KIND = "Timeouts"

    train: float | None = None
    sample: float | None = None
    score: float | None = None

    def validate(self) -> None:
        """Raises InputError if a time-out is not positive."""
        for name, seconds in vars(self).items():
            if isinstance(seconds, float) and seconds <= 0:
                raise InputError(
                    f"execution.timeouts.{name} must be above 0 seconds, but got {seconds}"
                )


@dataclass(frozen=True, kw_only=True)
class GpuShareSettings(Spec):
    """Shares of a GPU that jobs request, each in (0, 1].

    Attributes:
        train: share of a training, in (0, 1].
        sample: share of a job that samples or measures images, in (0, 1]; None to derive the share
            from measured memory use, with 0.5 until a measurement exists.
    """

    KIND = "SharesOfGpu"

    train: float = 1.0
    sample: float | None = None

    def validate(self) -> None:
        """Raises InputError if a share is not in (0, 1]."""
        for name, share in (("train", self.train), ("sample", self.sample)):
            if share is not None and not 0 < share <= 1:
                raise InputError(f"execution.gpu_shares.{name} must be in (0, 1], but got {share}")


@dataclass(frozen=True, kw_only=True)
class ExecutionSettings(Spec):
    """Settings of the execution of jobs.

    Attributes:
        batch_images: largest number of images per network call, >= 1. Larger batches are split into
            several calls. If a job runs out of GPU memory, its worker halves this number for
            further jobs of the same stage, and doubles it again if the memory they take allows.
        compile: whether score networks are compiled by torch.compile, in training and in sampling;
            compiling takes minutes for a large network.
        timeouts: time-outs after which jobs count as hung.
        gpu_shares: shares of a GPU that jobs request.
    """

    KIND = "ExecutionSettings"
    REMOVED = types.MappingProxyType({"autocast": False})

    batch_images: int = 500
    compile: bool = False
    timeouts: Timeouts = Timeouts()
    gpu_shares: GpuShareSettings = GpuShareSettings()

    def validate(self) -> None:
        """Raises InputError if `batch_images` is below 1."""
        if self.batch_images < 1:
            raise InputError(
                f"execution.batch_images must be at least 1, but got {self.batch_images}"
            )


@dataclass(frozen=True, kw_only=True)
class ProjectionSettings(Spec):
    """Displays of the results: pictures on request, and where copies of finished trials go.

    Attributes:
        frames: number of pictures along the sampling chain of each cell, >= 0, at most one for each
            update; 0 for as many as the study shows by itself.
        nearest: number of images of each cell that are shown beside their nearest training images
            by the features of the cell's metric, >= 0; 0 for no such picture.
        optuna: SQLAlchemy URL of an Optuna storage, such as postgresql://USER@HOST/DATABASE. None
            means ``optuna.db`` in the store if the store is a local folder, and no Optuna storage
            otherwise. Settings are written to the store, so the URL must not contain a password:
            the password comes from PGPASSWORD or ~/.pgpass.
    """

    KIND = "ProjectionSettings"

    optuna: str | None = None
    nearest: int = added_later(0)
    frames: int = added_later(0)

    def validate(self) -> None:
        """Raises InputError if a number is negative, or if `optuna` is no URL or has a password."""
        for name in ("nearest", "frames"):
            value = getattr(self, name)
            require_input(value >= 0, f"projections.{name} must be at least 0, but got {value}")
        if self.optuna is not None:
            require_no_password(self.optuna, "projections.optuna", _PASSWORD_HINT)


@dataclass(frozen=True, kw_only=True)
class StudySettings(Spec):
    """Base of the settings of every study.

    Attributes:
        data: locations of input files.
        execution: settings of the execution of jobs.
        projections: displays of the results.
    """

    KIND = "StudySettings"

    data: Files = Files()
    execution: ExecutionSettings = ExecutionSettings()
    projections: ProjectionSettings = ProjectionSettings()

    @cached_property
    def key(self) -> str:
        """The key of the settings without `data`, `execution` and `projections`."""
        plain = StudySettings()
        same = {name: getattr(plain, name) for name in WHERE_AND_HOW}
        if all(getattr(self, name) == value for name, value in same.items()):
            return super().key
        return self.replace(**same).key


@dataclass(frozen=True, kw_only=True)
class SamplingSettings(StudySettings):
    """Base of the settings of studies that sample images.

    Attributes:
        sampling_precision: precision in which networks compute while images are sampled: float32
            or bf16, which moves the output of a network by about 1 %.
    """

    KIND = "SamplingSettings"

    sampling_precision: Precision = added_later("float32")


_PASSWORD_HINT = (
    "set PGPASSWORD in the environment or use ~/.pgpass: PostgreSQL's client reads both"
)


def optuna_url(study: Study, store: Store) -> str | None:
    """Returns the URL of the Optuna storage to which a study's searches are copied, or None."""
    settings: Any = study.settings
    if settings.projections.optuna or not store.is_local:
        return with_home(settings.projections.optuna or "") or None
    return sqlite_url(store.folder.resolve() / "optuna.db")


def optuna_field(study: Study) -> str | None:
    """Returns the setting that names a study's Optuna storage; None for the file in the store."""
    settings: Any = study.settings
    return "projections.optuna" if settings.projections.optuna else None


def require_optuna(study: Study, store_url: str) -> None:
    """Raises InputError if an Optuna storage is set that does not answer or is inside a store.

    The setting is kept in the store. A path into a store would be wrong once the store is moved,
    and a copy of the store would write to the original.

    Args:
        study: the study to run or to copy.
        store_url: folder or URL of its store, which need not exist yet.
    """
    settings: Any = study.settings
    url = with_home(settings.projections.optuna or "")
    if not url:
        return
    require_database(url, "projections.optuna")
    file = database_file(url)
    if file is not None:
        own = Path(store_url).resolve()
        above = file.resolve().parents
        inside = [folder for folder in above if folder == own or (folder / "store.json").exists()]
        if inside:
            raise InputError(
                "projections.optuna must be a database outside the store, but is in the store "
                f"{str(inside[0])!r}: leave the setting out, and optuna.db of the store is written",
                "projections.optuna",
            )
    require_database_folder(url, "projections.optuna")
