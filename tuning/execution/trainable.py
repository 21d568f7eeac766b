"""The Ray Tune trainable: runs one job per trial, in an actor that is reused for the next trial.

Each `step` runs the job for about a second and reports its progress, so that the driver can show
the progress and stop the job promptly. The final report says only that the result is stored, that
an input is missing, or why the run failed; the result itself is in the store.

The worker handles two incidents itself. If a GPU runs out of memory, the batch is halved and the
job continues from its checkpoint; a later job may double it again (`tuning.execution.batches`). The
batch size changes results only by rounding errors. If a job
hangs, the process ends itself after the stage's time-out. A watchdog in C ends the process,
because no Python code runs while an extension hangs.
"""

import contextlib
import dataclasses
import faulthandler
import json
import logging
import socket
import time
import traceback
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import tuning.stages  # noqa: F401  (registers the jobs, so that they can be read from JSON)
from scorelib.errors import InputError
from scorelib.spec import from_json
from tuning.execution.batches import BatchSizes, memory_of
from tuning.execution.ray_import import tune
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Job, MissingInputError, Progress
from tuning.own_modules import OwnModule, import_all
from tuning.store.documents import StoreReadError
from tuning.store.store import Manifest, Store

_SLICE_SECONDS = 1.0


@dataclass(frozen=True)
class Execution:
    """The settings of the execution, sent to the workers with each job.

    They are in no key, because they change results only by rounding errors (see
    `tuning.jobs.ExecutionContext`).

    Attributes:
        store_url: URL of the store.
        batch_images: maximum number of images per network call.
        compile: whether score networks run through `torch.compile`, in training and in sampling.
        data_root: folder of data sets that are read from files; None for the default folder.
        inception_weights: file of the Inception weights; None to let the library download them.
        weights: files and folders of weights that may be imported.
        spot_check: whether weights that do not denoise are refused.
        pieces: where files outside the store lie; each job is sent its own (`Job.pieces`).
        gpu_device: torch device of jobs that hold GPU resources; "cpu" if Ray's GPUs are only
            logical.
        timeouts: time-outs in seconds, by `Stage.timeout`. A job without progress for this time
            counts as hung. None or a missing entry means no time-out.
        modules: the user's own modules, which workers import before they read a job.
    """

    store_url: str
    batch_images: int = 500
    compile: bool = False
    data_root: str | None = None
    inception_weights: str | None = None
    weights: tuple[str, ...] = ()
    spot_check: bool = True
    pieces: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    gpu_device: str = "cuda"
    timeouts: Mapping[str, float | None] = field(default_factory=dict)
    modules: tuple[OwnModule, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> "Execution":
        """Returns the settings that `config` describes."""
        data = json.loads(text)
        return cls(**data | {"modules": tuple(OwnModule(**module) for module in data["modules"])})

    def context(self, *, gpu: bool) -> ExecutionContext:
        """Returns the context for running a job in the current process, and sets up torch.

        Args:
            gpu: whether the job holds GPU resources.
        """
        device = self.gpu_device if gpu else "cpu"
        if device.startswith("cuda"):
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        torch.set_num_threads(1)  # see tuning.execution.resources
        return ExecutionContext(
            store=Store(self.store_url),
            device=device,
            batch_images=self.batch_images,
            compile=self.compile,
            data_root=Path(self.data_root) if self.data_root else None,
            inception_weights=Path(self.inception_weights) if self.inception_weights else None,
            weights=tuple(map(Path, self.weights)),
            spot_check=self.spot_check,
            pieces=self.pieces,
        )

    def config(self, job: Job, *, gpus: float, is_trial: bool = False) -> dict[str, Any]:
        """Returns the Tune config with which a worker runs a job.

        Args:
            job: job to run.
            gpus: share of a GPU that the job requests; 0 for a CPU job.
            is_trial: whether exceptions of the job are results; see `tuning.job_runs.execute`.
        """
        own = {digest: self.pieces[digest] for digest in job.pieces if digest in self.pieces}
        return {
            "key": job.key,
            # Single strings, because Tune flattens nested configs into trial names.
            "job": json.dumps(job.to_json()),
            "execution": json.dumps(dataclasses.asdict(dataclasses.replace(self, pieces=own))),
            "gpus": gpus,
            "is_trial": is_trial,
        }


class JobTrainable(tune.Trainable):  # type: ignore[misc]
    """A Tune trainable that runs the job described by its config."""

    _job: Job | None
    _batches = BatchSizes()
    """Maximum numbers of images per network call, of all jobs of this process."""

    def setup(self, config: dict[str, Any]) -> None:
        """Reads the config of a new actor; errors of the job's spec are reported by `step`."""
        self._run: Generator[Progress, None, Manifest] | None = None
        self._job_json, self._job = config["job"], None
        self._execution = Execution.from_json(config["execution"])
        self._has_gpu, self._is_trial = config["gpus"] > 0, config["is_trial"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Replaces the config of an actor that is reused; returns True, as Tune requires."""
        self.cleanup()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Runs the job for about a second.

        Returns:
            While the job runs, "progress" as a tuple of the fields of `Progress`. At its end,
            "outcome": "stored", "missing" (an input is missing), "refused" (an InputError that the
            user must fix before anything can run, with its "cause" and "fields") or "error" (with
            "cause" and "traceback"). "done" says whether the job has ended.
        """
        try:
            import_all(self._execution.modules)
            job = self._job = self._job or from_json(json.loads(self._job_json))
            with self._watched(job):
                progress = self._advance(job, time.monotonic() + _SLICE_SECONDS)
        except MissingInputError:
            return {"outcome": "missing", "done": True}
        except StoreReadError as error:  # perhaps a lost connection of this node, so try again
            return _failed(error)
        except InputError as error:
            cause = f"on {socket.gethostname()}: {error}"
            return {
                "outcome": "refused",
                "cause": cause,
                "fields": list(error.fields),
                "done": True,
            }
        except Exception as error:
            return _failed(error)
        if progress is None:
            return {"outcome": "stored", "done": True}
        return {"progress": dataclasses.astuple(progress), "done": False}

    def _advance(self, job: Job, deadline: float) -> Progress | None:
        """Runs the job until a deadline; returns its progress, or None at the end of the job."""
        try:
            for progress in self._running(job):
                if time.monotonic() >= deadline:
                    return progress
            largest = self._execution.batch_images
            self._batches.grow(job.stage, largest, memory_of(self._device))
        except torch.OutOfMemoryError as error:
            self._halve_batch(job, error)
            return Progress(0, 1, "")
        return None

    def _running(self, job: Job) -> Generator[Progress, None, Manifest]:
        if self._run is None:
            place = self._execution.context(gpu=self._has_gpu)
            self._device = place.device
            batch_images = self._batches.of(job.stage, place.batch_images)
            place = dataclasses.replace(place, batch_images=batch_images)
            self._run = execute(job, place, is_trial=self._is_trial)
        return self._run

    def _halve_batch(self, job: Job, error: torch.OutOfMemoryError) -> None:
        """Halves the stage's batch after exhausted memory; the job resumes from its checkpoint.

        Raises:
            torch.OutOfMemoryError: if the batch is already a single image.
        """
        self.cleanup()
        batch_images = self._batches.halve(job.stage, self._execution.batch_images)
        if batch_images is None:
            raise error
        logging.getLogger(__name__).warning(
            "out of memory: %s continues with %d images per network call", job.stage, batch_images
        )
        torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _watched(self, job: Job) -> Iterator[None]:
        """Ends this process if the code inside the context exceeds the stage's time-out."""
        timeout = self._execution.timeouts.get(job.STAGE.timeout)
        if timeout is None:
            yield
            return
        faulthandler.dump_traceback_later(timeout + _SLICE_SECONDS, exit=True)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def cleanup(self) -> None:
        """Closes an unfinished job; its checkpoints stay in the store."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Does nothing, because checkpoints are in the store."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Does nothing, because the job loads its own checkpoint from the store."""


def _failed(error: Exception) -> dict[str, Any]:
    """Returns the report of a failed run that may be tried again.

    Must be called in the except block of the error, whose traceback the report contains.
    """
    return {
        "outcome": "error", "cause": traceback.format_exception_only(error)[-1].strip(),
        "traceback": traceback.format_exc(), "done": True,
    }  # fmt: skip
