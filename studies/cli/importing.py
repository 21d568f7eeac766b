"""Imports weights from files before anything is scheduled, in the process of the launch.

Only this machine needs the files. The weights are read, checked and held in memory while nothing is
written yet, and committed to the store as soon as there is one; workers read them from there.
"""

import time
from typing import Any

import torch

from scorelib.errors import InputError
from studies.cli.preflight import data_root, fixed_left
from tuning.addresses import local_path
from tuning.job_runs import committed
from tuning.jobs import ExecutionContext, Outcome
from tuning.stages import ImportedWeights
from tuning.store.store import Manifest, Store
from tuning.study import Study

_SETTINGS = {"path": "data.weights", "shape": "images"}
"""The settings that give the arguments of `scorelib.weights`."""

Imports = dict[ImportedWeights, tuple[Outcome, float]]
"""The outcome of each import, and the time of its start."""


def read_weights(study: Study, store: Store) -> Imports:
    """Runs the imports that are not stored, without storing them.

    Args:
        study: the study.
        store: its store, or an empty one.

    Raises:
        InputError: a file is absent or cannot be used, or its weights do not denoise.
    """
    found: Imports = {}
    for job in fixed_left(study, store):
        if isinstance(job, ImportedWeights):
            started = time.monotonic()
            found[job] = _outcome(job, _context(study, store, job)), started
    return found


def _outcome(job: ImportedWeights, at: ExecutionContext) -> Outcome:
    run = job.run(at)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        except InputError as error:
            fields = (_SETTINGS.get(field, field) for field in error.fields)
            raise InputError(str(error), *fields) from error


def store_weights(
    imports: Imports, study: Study, store: Store
) -> list[tuple[ImportedWeights, Manifest]]:
    """Commits imports to the store, and returns them with their manifests."""
    return [
        (job, committed(job, outcome, _context(study, store, job), started))
        for job, (outcome, started) in imports.items()
    ]


def _context(study: Study, store: Store, job: ImportedWeights) -> ExecutionContext:
    settings: Any = study.settings
    wants_gpu = job.wants_gpu() and torch.cuda.is_available()
    return ExecutionContext(
        store=store,
        device="cuda" if wants_gpu else "cpu",
        data_root=data_root(settings),
        weights=tuple(local_path(path) for path in settings.data.weights),
        spot_check=settings.data.spot_check,
    )
