"""The Ray Tune trainable: one trial is one job, in an actor that is reused for the next.

Each `step` runs the job for about a second and reports how far it is, so that the driver can show
it and a stop is prompt. What the driver is told in the end is only that the result is stored, that
an input was missing, or why the run failed; the result itself is in the store.
"""

import dataclasses
import json
import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import tuning.stages  # noqa: F401  (registers the jobs, so that they can be read from JSON)
from scorelib.spec import from_json
from tuning.jobs import Job, MissingInputError, Progress, Workplace, execute
from tuning.ray_import import tune
from tuning.store import Manifest, Store

_SLICE_SECONDS = 1.0


@dataclass(frozen=True)
class Execution:
    """How jobs are run, sent to the workers with each job; nothing here changes a result.

    Attributes:
        store_url: the store.
        batch_images: images per network call.
        autocast: bfloat16 where that is safe.
        compile: torch.compile.
        data_root: folder of data sets that are files.
        inception_weights: file of the Inception weights.
        gpu_device: torch device of jobs that hold GPU resources; "cpu" where they are only logical.
    """

    store_url: str
    batch_images: int = 500
    autocast: bool = False
    compile: bool = False
    data_root: str | None = None
    inception_weights: str | None = None
    gpu_device: str = "cuda"

    def workplace(self, *, gpu: bool) -> Workplace:
        """The place to run a job, in the process this is called in."""
        device = self.gpu_device if gpu else "cpu"
        if device.startswith("cuda"):
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
        torch.set_num_threads(1)  # see tuning.resources
        return Workplace(
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

    def setup(self, config: dict[str, Any]) -> None:
        """Takes up a config, in a new actor."""
        self._run: Generator[Progress, None, Manifest] | None = None
        self._config = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes up the next config in the same actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Runs the job for about a second.

        Returns:
            "done" with "outcome": "stored", "missing" or "error" (with "cause"); or the progress.
        """
        deadline = time.monotonic() + _SLICE_SECONDS
        try:
            if self._run is None:
                execution = Execution(**self._config["execution"])
                place = execution.workplace(gpu=self._config["gpus"] > 0)
                self._run = execute(from_json(json.loads(self._config["job"])), place)
            for progress in self._run:
                if time.monotonic() >= deadline:
                    return {"progress": dataclasses.astuple(progress), "done": False}
        except MissingInputError:
            return {"outcome": "missing", "done": True}
        except Exception as error:
            cause = traceback.format_exception_only(error)[-1].strip()
            return {
                "outcome": "error", "cause": cause, "traceback": traceback.format_exc(),
                "done": True,
            }  # fmt: skip
        return {"outcome": "stored", "done": True}

    def cleanup(self) -> None:
        """Lets go of an unfinished job; its checkpoints stay."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to save: checkpoints are in the store."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to load: the job finds its own checkpoint in the store."""
