"""What refuses a launch: all that can be known to be wrong before anything is written or scheduled.

Every `require_...` raises InputError with what must hold, what came and how to mend it.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from fsspec.implementations.local import LocalFileSystem

from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.metrics.inception import InceptionFeatures
from tuning.addresses import require_listening, require_server
from tuning.execution.resources import Capacity, require_gpus
from tuning.jobs import Job
from tuning.scheduling.forecast import StageForecast, total
from tuning.scheduling.planner import Planner
from tuning.store.files import file_system
from tuning.store.provenance import digest_of
from tuning.store.store import Store
from tuning.study import Study


def require_servers(args: argparse.Namespace) -> None:
    """Refuses servers that do not answer, and a store that such a launch cannot use."""
    if args.tracking_uri:
        require_server(args.tracking_uri)
    elif not isinstance(file_system(args.store)[0], LocalFileSystem):
        raise InputError(
            f"a store that is no local folder needs --tracking-uri, a server; got {args.store!r}"
        )
    is_relative = "://" not in args.store and not Path(args.store).is_absolute()
    if is_relative and "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        raise InputError(
            f"--store must be absolute in a submitted job, whose own folder Ray throws away; got "
            f"{args.store!r}"
        )
    if args.address and args.address.startswith("ray://"):
        raise InputError(
            "--address must be auto or HOST:PORT of a cluster this machine belongs to; ray:// "
            "would move the driver away from its store and lock: use `ray job submit` instead"
        )
    if args.address and args.address != "auto":
        host, _, port = args.address.rpartition(":")
        if not host or not port.isdigit():
            raise InputError(f"--address must be auto or HOST:PORT; got {args.address!r}")
        require_listening(host, int(port), "address")


def require_visible_store(store_url: str) -> None:
    """Refuses a local store that other nodes of the cluster do not see."""
    from tuning.execution.session import require_visible  # Ray takes a second to import

    found, folder = file_system(store_url)
    if isinstance(found, LocalFileSystem):
        require_visible(folder)


def require_local_gpus(
    args: argparse.Namespace, study: Study, store: Store, rows: list[StageForecast]
) -> None:
    """Refuses a study for GPUs on a machine without, and GPUs that are not here."""
    if args.address is not None:
        return
    found = torch.cuda.device_count()
    if args.gpus is not None and args.gpus > found:
        raise InputError(f"--gpus must be at most {found}, the GPUs found here; got {args.gpus}")
    gpus = found if args.gpus is None else args.gpus
    require_enough_gpus(args, study, store, rows, Capacity(1, gpus))


def require_enough_gpus(
    args: argparse.Namespace,
    study: Study,
    store: Store,
    rows: list[StageForecast],
    capacity: Capacity,
) -> None:
    """Refuses a study for GPUs where there is none, unless CPUs are to do."""
    left = total(rows)
    needs = (
        f"{left.mark}{left.hours:,.1f} hours of one device and {left.work.n_bytes / 1e9:,.1f} GB"
    )
    require_gpus(fixed_left(study, store), capacity, f"{needs} of disk", args.allow_cpu)


def fixed_left(study: Study, store: Store) -> list[Job]:
    """The jobs left that are known before any search, and the first of each."""
    return list(Planner(store).missing(study.known_jobs))


def require_data(settings: Any, jobs: list[Job]) -> dict[str, str]:
    """Reads the training files once, so that a bad one is refused here and not in a worker.

    Returns:
        Digests of the training sets as stored, by name.
    """
    digests = {}
    for spec in dict.fromkeys(spec for job in jobs for spec in job.parts()):
        if isinstance(spec, DataSpec):
            digests[spec.name] = digest_of(*spec.stored("train", data_root(settings)))
        elif isinstance(spec, InceptionFeatures):
            weights = settings.data.inception_weights
            spec.load_weights(Path(weights) if weights else None)
    return digests


def data_root(settings: Any) -> Path:
    """The folder of data sets that are files."""
    return Path(settings.data.root or "data")
