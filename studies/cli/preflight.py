"""Checks of a launch that run before anything is written or scheduled.

Every `require_...` function raises InputError. The message states the condition, the value that was
given and the remedy.
"""

import dataclasses
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from fsspec.implementations.local import LocalFileSystem

from scorelib.data import DataSpec
from scorelib.data.facts import DataFacts, facts_of
from scorelib.errors import InputError
from scorelib.spec import Spec, is_ours
from studies.cli.launch_options import LaunchOptions
from tuning.addresses import local_path, require_listening, require_server
from tuning.execution.resources import Capacity, require_gpus
from tuning.jobs import ExecutionContext, Job
from tuning.own_modules import error_of
from tuning.scheduling.forecast import StageForecast, total
from tuning.scheduling.planner import Planner
from tuning.stages import Chunk, PictureChunk, ScoreModel, TrainingSpec
from tuning.stages.features.extractors import extractor_training, require_extractor
from tuning.stages.features.reference import RealJob
from tuning.stages.trial import require_model, require_network
from tuning.store.data_records import recorded_data, require_same_data
from tuning.store.files import file_system
from tuning.store.provenance import launches
from tuning.store.store import Store
from tuning.study import Study


def require_servers(options: LaunchOptions) -> None:
    """Raises InputError if a server does not answer or the store does not suit the launch.

    Args:
        options: options of the launch; `tracking_uri`, `store` and `address` are checked.
    """
    if options.tracking_uri:
        require_server(options.tracking_uri)
    elif not isinstance(file_system(options.store)[0], LocalFileSystem):
        raise InputError(
            "a store that is not a local folder needs an MLflow server, but got only the store "
            f"{options.store!r}",
            "tracking_uri",
        )
    is_relative = "://" not in options.store and not Path(options.store).is_absolute()
    if is_relative and "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        raise InputError(
            f"the store must be absolute in a submitted job, because Ray deletes the job's working "
            f"folder, but got {options.store!r}",
            "store",
        )
    if options.address and options.address.startswith("ray://"):
        raise InputError(
            "address must be auto or HOST:PORT of a cluster that this machine belongs to; ray:// "
            "would separate the driver from its store and lock: use `ray job submit` instead",
            "address",
        )
    if options.address and options.address != "auto":
        host, _, port = options.address.rpartition(":")
        if not host or not port.isdigit():
            raise InputError(
                f"address must be auto or HOST:PORT, but got {options.address!r}", "address"
            )
        require_listening(host, int(port), "address")


def require_visible_store(store_url: str) -> None:
    """Raises InputError if the store is a local folder that a node of the cluster cannot see."""
    from tuning.execution.session import require_visible  # Ray takes a second to import

    found, folder = file_system(store_url)
    if isinstance(found, LocalFileSystem):
        require_visible(folder)


def require_own_modules() -> None:
    """Refuses user's modules that a node of the cluster cannot import."""
    from tuning.execution.session import require_modules  # importing Ray takes a second

    require_modules()


def require_local_gpus(
    options: LaunchOptions, study: Study, store: Store, rows: list[StageForecast]
) -> None:
    """Raises InputError if a run without a cluster needs GPUs that this machine does not have.

    Args:
        options: options of the launch; nothing is checked if `address` is given.
        study: the study to run.
        store: the study's store.
        rows: forecast of the unfinished work, for the message.
    """
    if options.address is not None:
        return
    found = torch.cuda.device_count()
    if options.gpus is not None and options.gpus > found:
        raise InputError(
            f"gpus must be at most {found}, the GPUs found here, but got {options.gpus}", "gpus"
        )
    gpus = found if options.gpus is None else options.gpus
    require_enough_gpus(options, study, store, rows, Capacity(1, gpus))


def require_enough_gpus(
    options: LaunchOptions,
    study: Study,
    store: Store,
    rows: list[StageForecast],
    capacity: Capacity,
) -> None:
    """Raises InputError if jobs need a GPU and there is none, unless CPUs are allowed.

    Args:
        options: options of the launch; `allow_cpu` allows CPUs.
        study: the study to run.
        store: the study's store.
        rows: forecast of the unfinished work, for the message.
        capacity: CPUs and GPUs of the machine or cluster.
    """
    left = total(rows)
    needs = (
        f"{left.mark}{left.hours:,.1f} hours of one device and {left.work.n_bytes / 1e9:,.1f} GB"
    )
    require_gpus(fixed_left(study, store), capacity, f"{needs} of disk", options.allow_cpu)


def fixed_left(study: Study, store: Store) -> list[Job]:
    """Returns the unfinished jobs known before any search runs, with the first of each search."""
    return list(Planner(store).missing(study.known_jobs))


def require_data(study: Study, store: Store) -> dict[DataSpec, DataFacts]:
    """Reads data sets and tries extractors and networks, so that bad ones fail before any job.

    Args:
        study: the study; the files and components of its unfinished jobs are checked.
        store: the store, whose records of data sets are compared with what is read.

    Returns:
        The facts of each data set.

    Raises:
        InputError: a file is missing or not as expected, an extractor or a network of the user's
            own fails, or the images are not those that the store's results were made with.
    """
    specs = list(_inputs(study, store))
    facts = {spec: _compared(spec, study, store) for spec in specs if isinstance(spec, DataSpec)}
    _require_extractors(study, specs)
    _require_own_networks(study, store, specs)
    return facts


def present_data_notes(study: Study, store: Store) -> list[str]:
    """Checks the data sets and Inception weights that are there, as `require_data` does.

    Returns:
        What the user should know of the data sets of unfinished jobs, one line each.

    Raises:
        InputError: a data set is there and a run would refuse the data set; or a run would refuse
            a network, or an extractor whose file of weights is named.
    """
    notes, specs = [], list(_inputs(study, store))
    for spec in specs:
        if isinstance(spec, DataSpec):
            if spec.is_present(data_root(study.settings)):
                notes += _compared(spec, study, store).notes(spec)
            else:
                notes.append(f"data {spec.name}: no files yet")
    _require_extractors(study, specs, is_plan=True)
    _require_own_networks(study, store, specs, is_plan=True)
    return notes


def _require_extractors(study: Study, specs: Iterable[Spec], *, is_plan: bool = False) -> None:
    """Raises InputError if an extractor of the specs cannot be built or applied.

    A plan leaves out those whose weights a run may have to download.
    """
    settings: Any = study.settings
    weights = settings.data.inception_weights
    used = [(s.extractor, s.data.shape) for s in specs if isinstance(s, Chunk | RealJob)]
    used += [(s.extractor, s.shape) for s in specs if isinstance(s, PictureChunk)]
    for extractor, shape in dict.fromkeys(used):
        if not is_plan or weights or extractor_training(extractor) is not None:
            require_extractor(extractor, shape, local_path(weights) if weights else None)


def _require_own_networks(
    study: Study, store: Store, specs: Iterable[Spec], *, is_plan: bool = False
) -> None:
    """Raises InputError if a network or score model of the user's own fails on two examples.

    A plan leaves out score models, which may read data that are not there yet.
    """
    at = ExecutionContext(store=store, data_root=data_root(study.settings))
    for spec in specs:
        tried = spec.network if isinstance(spec, TrainingSpec) else spec
        own = next((p for p in tried.parts() if not is_ours(type(p).__module__)), None)
        if own is None or not isinstance(spec, TrainingSpec | ScoreModel):
            continue
        file = str(getattr(sys.modules[type(own).__module__], "__file__", own.KIND))
        with error_of(file, f"{tried.short_kind()} must work on two examples"):
            if isinstance(spec, TrainingSpec):
                require_network(spec)
            elif not is_plan:
                require_model(spec, at)


def _inputs(study: Study, store: Store) -> Iterable[Spec]:
    """Returns the specs in the unfinished jobs, each once."""
    return dict.fromkeys(spec for job in fixed_left(study, store) for spec in job.parts())


def _compared(data: DataSpec, study: Study, store: Store) -> DataFacts:
    """Returns the facts of a data set after comparing them with the store's records."""
    facts = facts_of(data, data_root(study.settings))
    require_same_data(store, data, facts.digests)
    if not dataclasses.fields(data) and recorded_data(store, data) is None:
        # Version 0.1 noted digests by name alone, which identifies a data set without settings.
        for launch in launches(store, study.id):
            known, found = launch.data.get(data.name), facts.digests["train"]
            if known not in (None, found):
                raise InputError(
                    f"the training images of {data.name} must be those of the launch of "
                    f"{launch.date} (digest {known[:12]}...), but have the digest {found[:12]}...: "
                    f"put the former files back, or use another store",
                    "data.root",
                )
    return facts


def warnings_of(study: Study) -> list[str]:
    """Returns the notes of a study that make its numbers misleading, known before it runs."""
    return [note for note in study.notes if note.startswith("warning: ")]


def data_root(settings: Any) -> Path:
    """Returns the folder that holds the data sets, ./data by default."""
    return local_path(settings.data.root or "data")
