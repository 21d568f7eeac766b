"""Launches a study from Python."""

import dataclasses
import warnings
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from rich.console import Console

from scorelib.errors import InputError, require_input
from scorelib.limits import shown
from studies.api.results import Run
from studies.cli.launch import launched_study
from studies.cli.launch_options import LaunchOptions
from studies.common.execution_settings import StudySettings
from studies.opening.cli_common import DEFAULT_STORE
from studies.opening.open_study import changed_settings
from studies.registry import find_study
from tuning.addresses import path_text, with_home
from tuning.execution.stop import StopRequest
from tuning.scheduling.scheduler import Scheduler
from tuning.study import NoSettings, Study
from tuning.study_size import require_listable


def launch(
    study: str | PathLike[str] | Study,
    *,
    store: str | PathLike[str] = DEFAULT_STORE,
    changes: Mapping[str, Any] | None = None,
    scale: str | None = None,
    tracking_uri: str | None = None,
    address: str | None = None,
    cpus: int | None = None,
    gpus: int | None = None,
    max_concurrent: int | None = None,
    allow_cpu: bool = False,
) -> Run:
    """Runs the unfinished jobs of a study and returns its results.

    The same call starts a study and continues the study after an interruption; if all jobs are
    finished, it only reads their results. An interrupt (Ctrl-C, the stop button of a notebook)
    stops the jobs as soon as they have reported. Finished jobs are kept, and the call returns the
    results so far. A second interrupt raises KeyboardInterrupt at once. Outside the main thread,
    Python passes no interrupt to the launch.

    A Ray to which this process is connected is used and stays as it is; otherwise the launch starts
    a local Ray, or connects to a cluster, and ends the session afterwards. Notes and warnings of
    the launch are Python warnings.

    Args:
        study: name of a study (`python -m studies.run --list`), file or module of a study of your
            own, or a study.
        store: folder or URL that keeps the results.
        changes: new values of settings by dotted path, such as ``{"train.seed": 1}``. The value of
            a component is a spec, its kind, or a dictionary with the kind as "spec" and fields.
        scale: "demo" (the default) or "paper".
        tracking_uri: URI of an MLflow server; None for a database in the store.
        address: address of a Ray cluster, or "auto" on one of its nodes; None for a local Ray.
        cpus: number of CPUs, >= 1; None for all. With a cluster, or with a Ray that runs already,
            the most CPUs that it may grow to.
        gpus: number of GPUs, >= 0, defined like `cpus`.
        max_concurrent: maximum number of jobs at a time, >= 1; None for the number of CPUs.
        allow_cpu: whether jobs that need a GPU may run on CPUs.

    Returns:
        The results, which are partial if the launch was stopped or jobs failed.

    Raises:
        InputError: a name, a setting or an option is wrong, or the study cannot run here; nothing
            was scheduled.
        KeyboardInterrupt: a second interrupt.
    """
    options = LaunchOptions(
        with_home(path_text(store, "store")), _address(tracking_uri), address,
        cpus, gpus, max_concurrent, allow_cpu,
    )  # fmt: skip
    chosen = _study(study, scale, {} if changes is None else changes)
    with launched_study(chosen, options, Console(), _warn, StopRequest()) as launched:
        stopped, given_up = launched.stop.reason, launched.scheduler.given_up
        # A new scheduler also finds the results of jobs that ended after the stop.
        scheduler = Scheduler(chosen, launched.store)
    run = Run(scheduler, launched.store, stopped=stopped, given_up=given_up)
    if run.stopped:
        print(f"{run.state}. Finished jobs are kept; the same call continues.")
    return run


def _study(
    study: str | PathLike[str] | Study, scale: str | None, changes: Mapping[str, Any]
) -> Study:
    """Returns the study to launch."""
    if isinstance(study, Study):
        if changes:
            raise InputError(
                "changes must be empty for a study that is given as an object, but got "
                f"{', '.join(changes)}: make the study with other settings",
                "changes",
            )
        if scale not in (None, study.scale):
            raise InputError(
                f"the scale must be that of the study, {study.scale!r}, but got {scale!r}", "scale"
            )
        require_input(
            study.name.isidentifier(),
            "a study that is given as an object must have a name, such as 'my_study', but got "
            f"{study.name!r}",
        )
        require_listable(study)
        has_none = isinstance(study.settings, NoSettings)
        return dataclasses.replace(study, settings=StudySettings()) if has_none else study
    study = path_text(study, "study")
    require_input(
        isinstance(changes, Mapping) and all(isinstance(path, str) for path in changes),
        'changes must be a dictionary such as {"train.seed": 1}, but got ' + shown(changes),
    )
    as_given = {path: _plain(value) for path, value in changes.items()}
    scale = "demo" if scale is None else scale
    return find_study(study).study(scale, changed_settings(study, scale, as_given))


def _address(given: str | None) -> str | None:
    """Returns an address with the home folder in place of a tilde; `LaunchOptions` checks types."""
    return with_home(given) if isinstance(given, str) else given


def _plain(value: Any) -> Any:
    """Returns a path as text and any other value unchanged."""
    return fspath(value) if isinstance(value, PathLike) else value


def _warn(line: str) -> None:
    warnings.warn(line.removeprefix("warning: "), stacklevel=2)
