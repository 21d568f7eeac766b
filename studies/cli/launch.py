"""The command that runs a study.

The command checks its input, opens the store, runs the unfinished jobs, writes the figures and
prints the table. The same command starts a study and continues the study after an interruption. If
all jobs are finished, the command only prints the table.
"""

import argparse
import contextlib
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from dashboards.figures.registry import png_files, require_figures
from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.results.plan import print_plan
from dashboards.text.table import render
from scorelib.data import DataSpec
from scorelib.data.facts import DataFacts
from scorelib.errors import InputError
from scorelib.spec import fields_of
from studies.cli.options import RUN_FLAGS, options_given, parser, print_settings, print_studies
from studies.cli.preflight import (
    data_root,
    present_data_notes,
    require_data,
    require_enough_gpus,
    require_local_gpus,
    require_own_modules,
    require_servers,
    require_visible_store,
)
from studies.common.execution_settings import require_optuna
from studies.opening.cli_common import (
    DEFAULT_STORE,
    NEXT_TIME,
    STOPPED,
    UNREADABLE,
    command_line,
    run_command,
)
from studies.opening.open_study import configured, record_last_run, require_origin
from studies.registry import find_study
from tuning.addresses import local_path, without_secrets
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.drivers.lock import StudyLock
from tuning.execution.resources import Capacity, GpuMemory, GpuShares, gpu_share, likely_device
from tuning.execution.stop import StopRequest
from tuning.jobs import Job
from tuning.own_modules import own_modules
from tuning.scheduling.forecast import forecast
from tuning.scheduling.progress import Display, Gpus
from tuning.scheduling.rates import Rates
from tuning.scheduling.scheduler import Scheduler
from tuning.store.data_records import record_data
from tuning.store.provenance import note_launch
from tuning.store.sources import require_own_sources
from tuning.store.store import Manifest, Store
from tuning.study import Study


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code (see `studies.opening.cli_common`).

    Args:
        argv: arguments without the program's name; None for those of the process.
    """
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    if args.list:
        print_studies(args.name)
        return 0
    if args.name is None:
        raise InputError("the following arguments are required: NAME")
    changes = args.changes + ([f"seeds={args.seeds}"] if args.seeds else [])
    settings = configured(args.name, args.scale, changes, args.config)
    if args.show_settings or args.toml:
        return print_settings(settings, args)
    study = find_study(args.name).study(args.scale, settings)
    console = Console()
    known = Store(args.store) if Store.exists(args.store) else Store("memory://none", create=True)
    require_own_sources(known, study.specs())
    require_origin(known, study)
    device = _device(args, study)
    scheduler = Scheduler(study, known)
    rows = forecast(scheduler, known, device)
    if args.plan:
        notes = present_data_notes(study, known)
        print_plan(study, scheduler, rows, device, notes, console)
        return 0
    require_servers(args)
    require_optuna(study, args.store)
    require_figures(study)
    stop = StopRequest()
    # All checks precede the creation of the store and every write.
    with stop.listening(), contextlib.ExitStack() as stack:
        capacity, facts = None, dict[DataSpec, DataFacts]()
        left = not scheduler.is_complete()  # jobs to run, or proposals with all results stored
        if left:
            require_local_gpus(args, study, known, rows)
            facts = require_data(study, known)
            for note in (note for data, found in facts.items() for note in found.notes(data)):
                print(note, file=sys.stderr)
        if left and args.address is not None:
            capacity = stack.enter_context(_ray(args))
            require_enough_gpus(args, study, known, rows, capacity)
            require_visible_store(args.store)
            require_own_modules()
        store = Store(args.store, create=True)
        store.require_writable()
        driver = stack.enter_context(Driver(store, on_lost=stop.request))
        stack.enter_context(StudyLock(driver, study.id))
        require_own_sources(store, study.specs(), note=True)
        if left and capacity is None and not stop.is_set:
            capacity = stack.enter_context(_ray(args))
        record_last_run(store, study)
        if left:
            note_launch(store, study.id, record_data(store, facts))
        leases = Leases(driver)
        leases.remove_dead()
        driver.remove_dead_drivers()
        scheduler = Scheduler(study, store, leases=leases)
        return _Launch(args, scheduler, store, stop, console).run(capacity)


def _ray(args: argparse.Namespace) -> contextlib.AbstractContextManager[Capacity]:
    # Importing Ray takes a second: a finished study, a plan or an error does without the import.
    from tuning.execution.session import ClusterOptions, ray_session

    return ray_session(ClusterOptions(args.address, args.cpus, args.gpus))


def _device(args: argparse.Namespace, study: Study) -> str:
    """Returns the class of device for expensive jobs, as far as known without a cluster."""
    device = likely_device(study, args.gpus)
    return "cpu x1" if device == "gpu" and args.allow_cpu else device


@dataclass(frozen=True)
class _Launch:
    """A launch that passed all checks, in the only process that runs the study on its store."""

    args: argparse.Namespace
    scheduler: Scheduler
    store: Store
    stop: StopRequest
    console: Console

    def run(self, capacity: Capacity | None) -> int:
        """Runs the unfinished jobs, writes and prints the results, and returns the exit code.

        Args:
            capacity: CPUs and GPUs of the Ray session; None if no session was started, so that no
                job runs.
        """
        with Projections(self.scheduler, self.store, self.args.tracking_uri) as projections:
            if capacity is not None:
                self._work(projections, capacity)
        for failure in projections.failures:
            print(f"warning: {failure}", file=sys.stderr)
        # If the store was removed meanwhile, `_close` must not say that finished jobs are kept.
        self.store.require_writable()
        try:
            self._put_pictures()
        except UNREADABLE as error:
            print(f"warning: pictures are missing: {error}; {NEXT_TIME}", file=sys.stderr)
        return self._close()

    def _work(self, projections: Projections, capacity: Capacity) -> None:
        """Runs the unfinished jobs in Ray."""
        from tuning.execution.runner import run_until_complete
        from tuning.execution.trainable import Execution

        rates, memory = Rates(self.store), GpuMemory(self.store)

        def on_stored(job: Job, manifest: Manifest) -> None:
            rates.note(job, manifest)
            memory.note(job, manifest)
            projections.stored(job, manifest)

        self.scheduler.on_stored = on_stored
        store, args = self.store, self.args
        settings: Any = self.scheduler.study.settings
        weights = settings.data.inception_weights
        execution = Execution(
            store_url=str(store.folder.resolve()) if store.is_local else store.url,
            data_root=str(data_root(settings).resolve()),
            inception_weights=str(local_path(weights).resolve()) if weights else None,
            batch_images=settings.execution.batch_images,
            autocast=settings.execution.autocast,
            compile=settings.execution.compile,
            timeouts=fields_of(settings.execution.timeouts),
            modules=own_modules(),
        )
        wanted = settings.execution.gpu_shares
        shares = GpuShares(wanted.train, wanted.sample or memory.share())
        concurrent = args.max_concurrent or int(capacity.cpus)
        gpus = Gpus(capacity.gpus, lambda job: gpu_share(job, shares)) if capacity.gpus else None
        device = _device(args, self.scheduler.study)
        with Display(self.scheduler, store, device, concurrent, self.console, gpus):
            run_until_complete(
                self.scheduler, execution, capacity, self.stop,
                shares=shares, max_concurrent=args.max_concurrent,
            )  # fmt: skip

    def _put_pictures(self) -> None:
        """Writes the figures and the sheets of samples to the store."""
        # Imported here: matplotlib takes half a second to import.
        from dashboards.pictures.samples import sample_sheets

        drawn = png_files(self.scheduler, self.store) | sample_sheets(self.scheduler, self.store)
        self.store.put_pictures(self.scheduler.study.id, drawn)

    def _close(self) -> int:
        """Prints the table and the next steps, and returns the exit code."""
        view, args = read_study(self.scheduler, self.store), self.args
        sys.stdout.write(render(view, "rich", self.console.width))
        again = f"{command_line('studies.run')} {options_given(args, RUN_FLAGS)}"
        if self.stop.is_set:
            print(f"\nStopped ({self.stop.reason}). Finished jobs are kept; to continue: {again}")
            return STOPPED
        for job, cause in self.scheduler.given_up.values():
            print(f"\nfailed: {job.title()}: {cause}")
        cells = [cell for cell in view.cells if cell.cell.is_measured]
        failed = [cell for cell in cells if cell.failed is not None]
        if failed:
            first = f"{failed[0].cell.name}: {failed[0].failed}"
            print(f"\n{len(failed)} of {len(cells)} cells failed; the first is {first}")
        if not self.scheduler.is_complete():
            print(f"\nThe study is not complete. To try again: {again}")
            return 1
        if len(failed) == len(cells) > 0:
            return 1
        print("\nNext:")
        if args.tracking_uri:
            print(f"  open {without_secrets(args.tracking_uri)}, experiment {view.study.full_name}")
        elsewhere = "" if args.store == DEFAULT_STORE else f" --store {shlex.quote(args.store)}"
        serve, report = command_line("dashboards.serve"), command_line("dashboards.report")
        print(f"  {serve}{elsewhere}   # shows results and MLflow in a browser")
        print(f"  {report} {options_given(args, ('module', 'scale', 'store'))}")
        if args.scale == "demo" and "paper" in find_study(args.name).scales:
            again = options_given(args, ("module",))
            print(f"  {command_line('studies.run')} {again} --scale paper --plan")
        return 0
