"""The launch of a study, which the command line and the Python interface share.

A launch checks its input, opens the store, runs the unfinished jobs and writes the figures. The
same launch starts a study and continues the study after an interruption. If all jobs are finished,
no job runs.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from dashboards.figures.registry import png_files, require_figures
from dashboards.records.projections import Projections, require_displays
from scorelib.data import DataSpec
from scorelib.data.facts import DataFacts
from scorelib.errors import InputError
from scorelib.spec import fields_of, is_ours
from studies.cli.importing import Imports, read_weights, store_weights
from studies.cli.launch_options import LaunchOptions
from studies.cli.pieces import Pieces, pieces_of
from studies.cli.preflight import (
    data_root,
    require_data,
    require_enough_gpus,
    require_local_gpus,
    require_own_modules,
    require_servers,
    require_visible_store,
    warnings_of,
)
from studies.common.execution_settings import require_optuna
from studies.opening.cli_common import NEXT_TIME, UNREADABLE
from studies.opening.open_study import changed_since_last_run, record_last_run, require_origin
from tuning.addresses import local_path
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.drivers.lock import StudyLock
from tuning.execution.resources import Capacity, GpuMemory, GpuShares, gpu_share, likely_device
from tuning.execution.stop import StopRequest
from tuning.jobs import Job
from tuning.own_modules import adopt, own_modules
from tuning.scheduling.forecast import forecast
from tuning.scheduling.progress import Display, Gpus
from tuning.scheduling.rates import Rates
from tuning.scheduling.scheduler import Scheduler
from tuning.scheduling.status import Status
from tuning.stages import ImportedWeights
from tuning.stages.models.imported import SPOT_CHECK
from tuning.store.data_records import record_data
from tuning.store.documents import StoreError
from tuning.store.history import note_start, put_status
from tuning.store.provenance import note_launch
from tuning.store.sources import require_own_sources
from tuning.store.store import Manifest, Store
from tuning.study import Study


@dataclass(frozen=True)
class Launched:
    """A study whose jobs a launch has run as far as it could.

    Attributes:
        scheduler: scheduler of the study, which knows the jobs that were given up.
        store: store of the study.
        stop: request to stop that the launch obeyed, if it is set.
    """

    scheduler: Scheduler
    store: Store
    stop: StopRequest


@contextlib.contextmanager
def launched_study(
    study: Study,
    options: LaunchOptions,
    console: Console,
    tell: Callable[[str], None],
    stop: StopRequest,
    on_status: Callable[[Status], None] = lambda status: None,
) -> Iterator[Launched]:
    """Runs the unfinished jobs of a study and writes its pictures and displays.

    All checks precede the creation of the store and every write. SIGINT, SIGTERM and SIGHUP stop
    the launch after the running jobs have reported; a second SIGINT raises KeyboardInterrupt at
    once. The launch also stops if a local Ray dies. Ray and the lock of the study are released on
    leaving the context.

    Args:
        study: the study to run.
        options: where and how the study is run.
        console: console that shows the progress.
        tell: function that receives the notes and warnings of the launch, one line each.
        stop: request that ends the launch early once it is set.
        on_status: function that receives the status of the launch every few seconds.

    Yields:
        The study after the launch.

    Raises:
        InputError: an option or a setting is wrong, or the study cannot run here.
    """
    known = existing_store(options)
    scheduler = Scheduler(study, known)
    rows = forecast(scheduler, known, assumed_device(options, study))
    adopt(name for spec in study.specs() if not is_ours(name := type(spec).__module__))
    require_own_sources(known, study.specs())
    require_origin(known, study)
    require_servers(options)
    require_optuna(study, options.store)
    require_displays(study, known, options.tracking_uri)
    require_figures(study)
    with stop.listening(), contextlib.ExitStack() as stack:
        capacity, facts = None, dict[DataSpec, DataFacts]()
        imports, pieces = Imports(), Pieces()
        left = not scheduler.is_complete()  # jobs to run, or proposals with all results stored
        joins = options.address is not None or _has_ray()
        if left:
            pieces = pieces_of(study, known)
            if not joins:
                require_local_gpus(options, study, known, rows)
            facts = require_data(study, known)
            imports = read_weights(study, known)
        if left and joins:
            capacity = stack.enter_context(_ray(options, stop))
            require_enough_gpus(options, study, known, rows, capacity)
            require_visible_store(options.store)
            require_own_modules()
        store = Store(options.store, create=True)
        store.require_writable()
        driver = stack.enter_context(Driver(store, on_lost=stop.request))
        stack.enter_context(StudyLock(driver, study.id))
        require_own_sources(store, study.specs(), note=True)
        if left and capacity is None and not stop.is_set:
            capacity = _started(stack, _ray(options, stop), stop)
        _record_start(study, store, facts, left, tell)
        imported = store_weights(imports, study, store)
        for job, manifest in imported:
            tell(f"{job.title()}: {manifest.result[SPOT_CHECK]}")
        scheduler = Scheduler(study, store, leases=_without_dead(driver, store))
        if not (left and stop.is_set):  # else nothing has changed
            launch = _Launch(options, scheduler, store, stop, console, tell, pieces, on_status)
            launch.run(capacity, imported)
        yield Launched(scheduler, store, stop)


def _record_start(
    study: Study,
    store: Store,
    facts: Mapping[DataSpec, DataFacts],
    left: bool,
    tell: Callable[[str], None],
) -> None:
    """Records the launch in the store and tells its notes; not before, as a refusal is one line."""
    changed = changed_since_last_run(store, study)
    record_last_run(store, study)
    of_data = (note for data, found in facts.items() for note in found.notes(data))
    for note in (*(warnings_of(study) if left else ()), *of_data):
        tell(note)
    if left:
        noted = note_launch(store, study.id, record_data(store, facts))
        note_start(store, study.id, noted.commit, changed)


def _without_dead(driver: Driver, store: Store) -> Leases:
    """Returns the leases of jobs after removing what dead processes have left in the store."""
    leases = Leases(driver)
    leases.remove_dead()
    driver.remove_dead_drivers()
    store.remove_litter()
    return leases


def _started(
    stack: contextlib.ExitStack,
    session: contextlib.AbstractContextManager[Capacity],
    stop: StopRequest,
) -> Capacity | None:
    """Starts Ray and returns its capacity, or None if a stop is requested meanwhile."""
    if stop.is_set:
        return None
    try:
        return stack.enter_context(session)
    except InputError:  # a signal to all processes ends a Ray that is starting
        if stop.is_set:
            return None
        raise


def existing_store(options: LaunchOptions) -> Store:
    """Returns the store if there is one, else an empty store that nothing is written to."""
    url = options.store
    return Store(url) if Store.exists(url) else Store("memory://none", create=True)


def _has_ray() -> bool:
    """Returns whether this process is connected to a Ray that others have started."""
    if "ray" not in sys.modules:
        return False
    from tuning.execution.connected import is_connected

    return is_connected()


def _ray(options: LaunchOptions, stop: StopRequest) -> contextlib.AbstractContextManager[Capacity]:
    # Importing Ray takes a second: a finished study, a plan or an error does without the import.
    from tuning.execution.session import ClusterOptions, ray_session

    return ray_session(ClusterOptions(options.address, options.cpus, options.gpus), stop.require)


def assumed_device(options: LaunchOptions, study: Study) -> str:
    """Returns the class of device for expensive jobs, as far as known without a cluster."""
    device = likely_device(study, options.gpus)
    return "cpu x1" if device == "gpu" and options.allow_cpu else device


@dataclass(frozen=True)
class _Launch:
    """A launch that passed all checks, in the only process that runs the study on its store."""

    options: LaunchOptions
    scheduler: Scheduler
    store: Store
    stop: StopRequest
    console: Console
    tell: Callable[[str], None]
    pieces: Pieces
    on_status: Callable[[Status], None]

    def run(
        self, capacity: Capacity | None, imported: Sequence[tuple[ImportedWeights, Manifest]]
    ) -> None:
        """Runs the unfinished jobs and writes the results to the displays and the pictures.

        Args:
            capacity: CPUs and GPUs of the Ray session; None if no session was started, so that no
                job runs.
            imported: weights that this launch has imported, with their manifests.
        """
        with Projections(self.scheduler, self.store, self.options.tracking_uri) as projections:
            for job, manifest in imported:
                projections.stored(job, manifest)
            if capacity is not None:
                self._work(projections, capacity)
        for failure in projections.failures:
            self.tell(f"warning: {failure}")
        # If the store was removed meanwhile, nobody must say that finished jobs are kept.
        self.store.require_writable()
        try:
            self._put_pictures()
        except UNREADABLE as error:
            self.tell(f"warning: pictures are missing: {error}; {NEXT_TIME}")

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
        store, options = self.store, self.options
        settings: Any = self.scheduler.study.settings
        weights = settings.data.inception_weights
        execution = Execution(
            store_url=str(store.folder.resolve()) if store.is_local else store.url,
            data_root=str(data_root(settings).resolve()),
            inception_weights=str(local_path(weights).resolve()) if weights else None,
            weights=tuple(str(local_path(file).resolve()) for file in settings.data.weights),
            spot_check=settings.data.spot_check,
            pieces=self.pieces,
            batch_images=settings.execution.batch_images,
            compile=settings.execution.compile,
            timeouts=fields_of(settings.execution.timeouts),
            modules=own_modules(),
        )
        wanted = settings.execution.gpu_shares
        shares = GpuShares(wanted.train, wanted.sample or memory.share())
        concurrent = options.max_concurrent or int(capacity.cpus)
        gpus = Gpus(capacity.gpus, lambda job: gpu_share(job, shares)) if capacity.gpus else None
        device = assumed_device(options, self.scheduler.study)
        display = Display(
            self.scheduler, store, device, concurrent, self.console, gpus, self._note_status
        )
        with display:
            run_until_complete(
                self.scheduler, execution, capacity, self.stop,
                shares=shares, max_concurrent=options.max_concurrent,
            )  # fmt: skip

    def _note_status(self, status: Status) -> None:
        with contextlib.suppress(StoreError):  # the running jobs report the error of the store
            put_status(self.store, self.scheduler.study.id, status)
        self.on_status(status)

    def _put_pictures(self) -> None:
        """Writes the figures and the sheets of samples to the store."""
        # Imported here: matplotlib takes half a second to import.
        from dashboards.pictures.samples import sample_sheets

        drawn = png_files(self.scheduler, self.store) | sample_sheets(self.scheduler, self.store)
        self.store.put_pictures(self.scheduler.study.id, drawn)
