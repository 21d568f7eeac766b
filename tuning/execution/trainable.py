"""The Ray Tune trainable: one trial is one job, in an actor that is reused for the next.

Each `step` runs the job for about a second and reports how far it is, so that the driver can show
it and a stop is prompt. What the driver is told in the end is only that the result is stored, that
an input was missing, or why the run failed; the result itself is in the store.

Incidents that the worker deals with itself: a GPU that runs out of memory (the batch is halved and
the job goes on from its checkpoint, for batches are part of no result), and a job that hangs (the
process ends itself after the stage's time-out; a watchdog in C does that, for a hung extension
lets no Python run).
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
from tuning.execution.ray_import import tune
from tuning.jobs import ExecutionContext, Job, MissingInputError, Progress, execute
from tuning.store.documents import StoreReadError
from tuning.store.store import Manifest, Store

_SLICE_SECONDS = 1.0


@dataclass(frozen=True)
class Execution:
    """How jobs are run, sent to the workers with each job; nothing here changes a result.

    Attributes:
        store_url: the store.
        batch_images: most images per network call.
        autocast: bfloat16 where that is safe.
        compile: torch.compile.
        data_root: folder of data sets that are files.
        inception_weights: file of the Inception weights.
        gpu_device: torch device of jobs that hold GPU resources; "cpu" where they are only logical.
        timeouts: by `Stage.timeout`, the seconds without progress after which a job counts as hung;
            None, or nothing: it never does.
    """

    store_url: str
    batch_images: int = 500
    autocast: bool = False
    compile: bool = False
    data_root: str | None = None
    inception_weights: str | None = None
    gpu_device: str = "cuda"
    timeouts: Mapping[str, float | None] = field(default_factory=dict)

    def context(self, *, gpu: bool) -> ExecutionContext:
        """The place to run a job, in the process this is called in."""
        device = self.gpu_device if gpu else "cpu"
        if device.startswith("cuda"):
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        torch.set_num_threads(1)  # see tuning.execution.resources
        return ExecutionContext(
            store=Store(self.store_url),
            device=device,
            batch_images=self.batch_images,
            autocast=self.autocast,
            compile=self.compile,
            data_root=Path(self.data_root) if self.data_root else None,
            inception_weights=Path(self.inception_weights) if self.inception_weights else None,
        )

    def config(self, job: Job, *, gpus: float) -> dict[str, Any]:
        """The Tune config that makes a worker run a job."""
        return {
            "key": job.key,
            # One string: Tune flattens nested configs into trial names.
            "job": json.dumps(job.to_json()),
            "execution": dataclasses.asdict(self),
            "gpus": gpus,
        }


class JobTrainable(tune.Trainable):  # type: ignore[misc]
    """Runs the job its config describes."""

    _job: Job | None
    _batch_images: Mapping[str, int] = {}
    """For a stage, the batch that fitted after this process had run out of memory."""

    def setup(self, config: dict[str, Any]) -> None:
        """Takes up a config, in a new actor. What is wrong with it, the first `step` says."""
        self._run: Generator[Progress, None, Manifest] | None = None
        self._job_json, self._job = config["job"], None
        self._execution, self._has_gpu = Execution(**config["execution"]), config["gpus"] > 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes up the next config in the same actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Runs the job for about a second.

        Returns:
            "done" with "outcome": "stored", "missing", "refused" (what the user must mend before
            anything can run: with "cause" and "fields" of the InputError) or "error" (with
            "cause"); or the progress.
        """
        try:
            job = self._job = self._job or from_json(json.loads(self._job_json))
            with self._watched(job):
                progress = self._advance(job, time.monotonic() + _SLICE_SECONDS)
        except MissingInputError:
            return {"outcome": "missing", "done": True}
        except StoreReadError as error:  # this node's connection, perhaps, and back the next time
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
        """Runs the job until the deadline; returns how far it is, or None at its end."""
        try:
            for progress in self._running(job):
                if time.monotonic() >= deadline:
                    return progress
        except torch.OutOfMemoryError as error:
            self._halve_batch(job, error)
            return Progress(0, 1, "")
        return None

    def _running(self, job: Job) -> Generator[Progress, None, Manifest]:
        if self._run is None:
            place = self._execution.context(gpu=self._has_gpu)
            batch_images = self._batch_images.get(job.stage, place.batch_images)
            place = dataclasses.replace(place, batch_images=batch_images)
            self._run = execute(job, place)
        return self._run

    def _halve_batch(self, job: Job, error: torch.OutOfMemoryError) -> None:
        """After running out of memory: half the batch for this stage, from the last checkpoint."""
        self.cleanup()
        stage = job.stage
        batch_images = self._batch_images.get(stage, self._execution.batch_images)
        if batch_images == 1:
            raise error
        JobTrainable._batch_images = {**self._batch_images, stage: batch_images // 2}
        logging.getLogger(__name__).warning(
            "out of memory: %s goes on with %d images per network call", stage, batch_images // 2
        )
        torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _watched(self, job: Job) -> Iterator[None]:
        """Ends this process if what is inside takes longer than the stage may go without report."""
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
        """Lets go of an unfinished job; its checkpoints stay."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to save: checkpoints are in the store."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to load: the job finds its own checkpoint in the store."""


def _failed(error: Exception) -> dict[str, Any]:
    """What is reported of a run that may go better another time; called where it is caught."""
    return {
        "outcome": "error", "cause": traceback.format_exception_only(error)[-1].strip(),
        "traceback": traceback.format_exc(), "done": True,
    }  # fmt: skip
