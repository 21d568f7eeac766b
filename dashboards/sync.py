"""Rebuilds MLflow's view of all studies of a store.

    python -m dashboards.sync [--store URL] [--tracking-uri URI]

MLflow is a display: whatever was lost or changed there is written again from the store, each run
once. Runs that show what the store holds are left alone.
"""

import argparse
import sys
from functools import partial

from dashboards import evidence
from studies.command import DEFAULT_STORE, Arguments, remembered_studies, run_command
from tuning.driver import Driver
from tuning.lock import StudyLock
from tuning.mlflow_projection import TrackingServerError, require_server
from tuning.scheduler import Scheduler
from tuning.store import Store


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Arguments(prog="python -m dashboards.sync", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow server; default: a database in the store"
    )
    return run_command(parser, _command, argv)


def _command(args: argparse.Namespace) -> int:
    if args.tracking_uri:
        require_server(args.tracking_uri)
    store = Store(args.store)
    for study in remembered_studies(store):
        scheduler = Scheduler(study, store)
        try:
            # The lock: two writers at once would both make what neither finds.
            with (
                Driver(store) as driver,
                StudyLock(driver, f"{study.name}-{study.scale}"),
                evidence.writer(study, store, args.tracking_uri) as writer,
            ):
                writer.write(partial(evidence.records, scheduler, store))
        except TrackingServerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{study.name} ({study.scale}): written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
