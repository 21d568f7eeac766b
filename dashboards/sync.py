"""Rebuilds the MLflow runs and Optuna trials of all studies of a store.

    python -m dashboards.sync [--store URL] [--tracking-uri URI]

MLflow and Optuna only display the store: lost or changed runs and trials are written again from
the store, each once. Runs and trials that agree with the store are left unchanged.
"""

import argparse
import sys

from dashboards.records.projections import Projections, require_displays
from scorelib.errors import InputError
from studies.common.execution_settings import require_optuna
from studies.opening.cli_common import (
    DEFAULT_STORE,
    Arguments,
    add_module_argument,
    command_line,
    run_command,
    with_options,
)
from studies.opening.open_study import last_run_studies
from tuning.addresses import require_server, without_secrets
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import StoreError
from tuning.store.store import Store
from tuning.study import Study


def parser() -> Arguments:
    """Returns the parser of the command line."""
    made = Arguments(
        prog=command_line("dashboards.sync"), description=(__doc__ or "").split("\n")[0]
    )
    made.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")
    made.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow server; default: a database in the store"
    )
    add_module_argument(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    if args.tracking_uri:
        require_server(args.tracking_uri)
    store = Store(args.store)
    last_run = last_run_studies(store)
    for name, why in last_run.unreadable.items():
        print(f"error: {name} cannot be written: {with_options(parser(), why)}", file=sys.stderr)
    incomplete = bool(last_run.unreadable)
    for study in last_run.studies:
        try:
            failures = _write(study, store, args.tracking_uri)
        except StoreError:
            raise
        except InputError as error:  # for example, a driver runs the study: write the other ones
            failures = [str(error)]
        for failure in failures:
            print(f"error: {without_secrets(failure)}", file=sys.stderr)
        print(f"{study.name} ({study.scale}): {'incomplete' if failures else 'written'}")
        incomplete = incomplete or bool(failures)
    return int(incomplete)


def _write(study: Study, store: Store, tracking_uri: str | None) -> list[str]:
    """Writes all records of a study; returns one line for each display that failed."""
    require_optuna(study, store.url)
    require_displays(study, store, tracking_uri)
    # The lock prevents two simultaneous writers from creating the same run twice.
    with (
        Driver(store) as driver,
        StudyLock(driver, study.id),
        Projections(Scheduler(study, store), store, tracking_uri) as projections,
    ):
        pass  # entering the context queues all records; leaving it waits for the writes
    return projections.failures


if __name__ == "__main__":
    sys.exit(main())
