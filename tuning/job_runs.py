"""Runs of jobs: a job is run as a generator, and its outcome is committed to the store.

The outcome of a run is a result or a failure, as `tuning.jobs` defines them. What a user's job
returns or raises is turned into one of them here.
"""

import json
import logging
import math
import os
import socket
import time
import traceback
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.sources import own_source, source_file
from tuning.jobs import ExecutionContext, Job, MissingInputError, Outcome, Progress, Run
from tuning.store.sources import codes_of, note_code, require_own_sources
from tuning.store.store import Manifest

_INCIDENTS = (
    InputError, MissingInputError, OSError, MemoryError, ImportError, torch.OutOfMemoryError,
    torch.AcceleratorError,
)  # fmt: skip
"""Exceptions that say nothing about a job's values: of inputs, machines or installations."""

_SIGNS_OF_AN_INCIDENT = ("can't allocate memory", "CUDA error")  # in a plain RuntimeError of torch


def execute(
    job: Job, at: ExecutionContext, *, is_trial: bool = False
) -> Generator[Progress, None, Manifest]:
    """Runs a job and commits its outcome to the store, unless the job is already stored.

    If the result of an input is a failure, the job is not run: its result is a failure with the
    same cause.

    Args:
        job: job to run; its inputs must be stored.
        at: environment in which the job runs.
        is_trial: whether a search tries the job. If the job is a user's own, an exception that is
            no incident is then the job's result, a failure with its cause.

    Yields:
        The job's progress.

    Returns:
        The job's manifest.

    Raises:
        MissingInputError: if an input must be computed (again) first.
        InputError: if the store knows the kind of a foreign class with other source.
    """
    parts = list(job.parts())
    require_own_sources(at.store, parts, note=True)
    stored = at.store.manifest(job.stage, job.key)
    if stored is not None:
        return stored
    started = time.monotonic()
    if at.device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats(at.device)
    inputs = [at.manifest(needed) for needed in job.inputs()]
    failed = next((cause for i in inputs if (cause := i.result.get("failed")) is not None), None)
    outcome = (yield from _run(job, at, is_trial)) if failed is None else _failure(failed)
    return committed(job, outcome, at, started)


def _run(job: Job, at: ExecutionContext, is_trial: bool) -> Run:
    """Runs a job; returns its outcome, for the trial of a sweep also if it raised an exception."""
    try:
        running: Run = job.run(at)
        if isinstance(running, Generator):
            return (yield from running)
        return _failure("run must yield a Progress before its Outcome, but has no yield")
    except _INCIDENTS:
        raise
    except Exception as error:
        is_own = own_source(type(job)) is not None
        if not (is_trial and is_own) or any(sign in str(error) for sign in _SIGNS_OF_AN_INCIDENT):
            raise
        logging.getLogger(__name__).info("%s", traceback.format_exc())
        return _failure(_cause(error, type(job)))


def _cause(error: Exception, of: type) -> str:
    """Returns an exception in one line, with the last line of the job's file that it passed."""
    said = " ".join(traceback.format_exception_only(error)[-1].split())
    passed = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in passed if frame.filename == str(source_file(of))]
    return f"{said} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else said


def committed(job: Job, outcome: Outcome, at: ExecutionContext, started: float) -> Manifest:
    """Commits the outcome of a job that has run to the store, and returns the job's manifest.

    Args:
        job: the job; its inputs are stored.
        outcome: what `Job.run` returned; scalars of NumPy and torch become numbers of Python.
        at: environment in which the job ran.
        started: time of the start, by `time.monotonic`.

    Raises:
        MissingInputError: if an input must be computed (again) first.
    """
    outcome = _usable(outcome)
    inputs = [at.manifest(needed) for needed in job.inputs()]
    parts = list(job.parts())
    code = codes_of(job.stage, note_code(at.store, parts), ((i.stage, i.code) for i in inputs))
    work = job.work()
    at.store.commit(
        job.stage,
        job.key,
        spec=job.to_json(),
        result=outcome.result,
        cost={
            "seconds": time.monotonic() - started,
            "images": work.images,
            "evaluations": work.evaluations,
            "multiply_adds": work.multiply_adds,
            "device": device_class(at.device),
            "process": f"{socket.gethostname()}:{os.getpid()}",
        }
        | _gpu_memory(at.device)
        | outcome.cost,
        files=outcome.files,
        code=code,
    )
    outcome.once_stored()
    return at.manifest(job)


def _usable(outcome: Any) -> Outcome:
    """Returns the outcome of a job with plain numbers, or the failure that takes its place."""
    if not isinstance(outcome, Outcome):
        return _failure(f"the job must return an Outcome, but returned {type(outcome).__name__}")
    if not isinstance(outcome.result, Mapping):
        found = type(outcome.result).__name__
        return _failure(f"an Outcome must map names to numbers, but holds {found}")
    result = {name: _plain(value) for name, value in outcome.result.items()}
    for name, value in result.items():
        if isinstance(value, float) and not math.isfinite(value):
            return _failure(f"the numbers of a result must be finite, but {name} is {value}")
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            found = f"{type(value).__module__}.{type(value).__qualname__}"
            return _failure(f"the numbers of a result must be int or float, but {name} is {found}")
    return replace(outcome, result=result)


def _failure(cause: str) -> Outcome:
    return Outcome({"failed": cause})


def _plain(value: Any) -> Any:
    """Returns a scalar of NumPy or torch, also in an array of one, as a number of Python."""
    if isinstance(value, np.generic | np.ndarray | Tensor):
        one = value.numel() if isinstance(value, Tensor) else value.size
        return value.item() if one == 1 else value
    return value


def _gpu_memory(device: str) -> dict[str, int]:
    """Returns the peak of reserved GPU memory since the last reset and the GPU's total, in bytes.

    The result is empty on a CPU.
    """
    if not device.startswith("cuda"):
        return {}
    return {
        "gpu_bytes": torch.cuda.max_memory_reserved(device),
        "gpu_total_bytes": torch.cuda.get_device_properties(device).total_memory,
    }


def device_class(device: str) -> str:
    """Returns the class of a device; rates measured on one device hold for its whole class.

    Args:
        device: torch device.

    Returns:
        The name of the GPU, or "cpu xN" with the number N of torch's threads.
    """
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"cpu x{torch.get_num_threads()}"
