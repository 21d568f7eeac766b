"""Benchmark of the overhead of the system against plain Ray Tune: same Ray session, same run.

Run with ``python -m tests.benchmarks overhead`` (about six minutes, two CPUs, 2 GB). It measures:

1. Trivial trials: Tune's defaults on a function that returns at once, and a study of 2,000 jobs of
   a few milliseconds, with its store, leases, ledger and MLflow.
2. Trials of ten seconds: the share of the time of two CPUs that is spent outside the jobs.
3. MLflow and Optuna: the same study with their writers and without.
"""

import contextlib
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from dashboards.records.projections import Projections
from tests.miniature import first_score, miniature_study
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.execution.ray_import import tune
from tuning.execution.runner import run_until_complete
from tuning.execution.session import ClusterOptions, ray_session
from tuning.execution.stop import StopRequest
from tuning.execution.trainable import Execution
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

N_BARE = 16
CPUS = 2
TRIVIAL = {
    "search__n_trials": "10", "search__tolerance": "0", "search__n_images": "48",
    "search__top_images": "48", "chunk_images": "1", "n_images": "48", "train__network__width": "4",
}  # fmt: skip
"""Settings of a study of about 2,000 jobs. Nearly all of them sample a chunk of one image."""

LONG_SECONDS = 10.0
N_LONG = 4  # chunks in each of two searches and two cells


def bare(capacity_cpus: int) -> float:
    """Returns the seconds per trial of Tune's defaults on a function that returns at once."""

    def trivial(config: dict[str, float]) -> dict[str, float]:
        return {"loss": config["x"]}

    started = time.monotonic()
    tune.Tuner(
        tune.with_resources(trivial, {"cpu": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=N_BARE, max_concurrent_trials=capacity_cpus),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0),
    ).fit()
    return (time.monotonic() - started) / N_BARE


class Run:
    """A study that the runner has finished, with the measurements of the run.

    Args:
        study: the study.
        folder: folder of its store.
        capacity: capacity of the Ray session.
        mlflow: whether to write MLflow records, as `studies.run` does.
    """

    def __init__(self, study, folder, capacity, *, mlflow):  # type: ignore[no-untyped-def]
        store = Store(str(folder), create=True)
        self.times: list[float] = []
        self.own_bytes: list[int] = []
        self.seconds: dict[str, list[float]] = {}
        with Driver(store) as driver, contextlib.ExitStack() as stack:
            scheduler = Scheduler(study, store, leases=Leases(driver))
            shown = stack.enter_context(Projections(scheduler, store, None)) if mlflow else None

            def note(job, manifest):  # type: ignore[no-untyped-def]
                self.times.append(time.monotonic())
                self.own_bytes.append(own_bytes())
                self.seconds.setdefault(job.stage, []).append(float(manifest.cost["seconds"]))
                if shown:
                    shown.stored(job, manifest)

            scheduler.on_stored = note
            run_until_complete(scheduler, Execution(store_url=store.url), capacity, StopRequest())
            assert scheduler.is_complete(), scheduler.given_up


def own_bytes() -> int:
    """Returns the private memory of this process in bytes, without mapped library files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


def print_trivial(run: Run, bare_seconds: float) -> None:
    """Prints time per trial and memory of a study of trivial jobs, at its start and its end."""
    n, quarter = len(run.times), len(run.times) // 4
    first = (run.times[quarter] - run.times[0]) / quarter
    last = (run.times[-1] - run.times[-quarter]) / quarter
    each = (run.times[-1] - run.times[0]) / (n - 1)
    print(f"Tune's defaults   {bare_seconds:6.3f} s per trial ({N_BARE} trials)")
    print(f"this system       {each:6.3f} s per trial ({n:,} trials)")
    print(f"  first quarter   {first:6.3f} s, last quarter {last:.3f} s")
    megabytes = [run.own_bytes[i] / 1e6 for i in (quarter, -1)]
    print(f"  driver memory   {megabytes[0]:6.0f} MB after a quarter, {megabytes[1]:.0f} MB at end")
    print(f"ratio {bare_seconds / each:.1f}")


def long_study():  # type: ignore[no-untyped-def]
    """Returns a study of chunks of about ten seconds each, timed on this machine."""
    tiny = {"search__n_trials": "1", "search__n_images": str(8 * N_LONG), "chunk_images": "8",
            "search__top_images": str(8 * N_LONG), "n_images": str(8 * N_LONG),
            "n_sigma": "[1]"}  # fmt: skip
    levels = 200
    with tempfile.TemporaryDirectory() as folder:
        place = ExecutionContext(store=Store(folder, create=True))
        study = miniature_study(**tiny, train__schedule__n_levels=str(levels))
        score = first_score(study, "als n_sigma=1, non-adversarial", n_images=16)
        chunk, second = score.chunks()
        for needed in (*_inputs(chunk), chunk, second):
            for _ in execute(needed, place):
                pass
        warm = place.manifest(second).cost["seconds"]
    levels = round(levels * LONG_SECONDS / float(warm))
    return miniature_study(**tiny, train__schedule__n_levels=str(levels))


def _inputs(job):  # type: ignore[no-untyped-def]
    for needed in job.inputs():
        yield from _inputs(needed)
        yield needed


def main() -> None:
    """Prints the three comparisons."""
    torch.set_num_threads(1)
    counter = itertools.count()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        long = long_study()
        with ray_session(ClusterOptions(cpus=CPUS)) as capacity:

            def run(study, **options):  # type: ignore[no-untyped-def]
                return Run(study, Path(folder) / str(next(counter)), capacity, **options)

            bare_seconds = bare(CPUS)
            print_trivial(run(miniature_study(**TRIVIAL), mlflow=True), bare_seconds)
            at_work, alone = (run(long, mlflow=mlflow) for mlflow in (True, False))
    for name, measured in (("with MLflow", at_work), ("without", alone)):
        inside = measured.seconds["sample"]
        wall = measured.times[-1] - measured.times[0]
        share = 1 - sum(inside) / (CPUS * wall)
        print(
            f"{len(inside)} trials of {statistics.median(inside):.1f} s, {name}: "
            f"{100 * share:.1f}% of {CPUS} CPUs' time outside the jobs"
        )


if __name__ == "__main__":
    main()
