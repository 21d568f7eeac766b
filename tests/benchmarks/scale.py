"""Simulation of a study on up to 1,000 GPUs around the real scheduler, store and ledger.

Run with ``python -m tests.benchmarks scale`` (about two minutes, one CPU).

Virtual workers take virtual seconds, and the driver has a virtual clock too. The driver time of a
job is the sum of three parts: the time of the real scheduler, lease, commit and report, measured
during the simulation; the time that Ray Tune takes per trial (`TUNE_SECONDS`, from the benchmark
`overhead`); and, for an object store, its round trips. The results are the shares of the time in
which the GPUs and the driver are busy.
"""

import heapq
import tempfile
import time
from dataclasses import dataclass

from tests.miniature import miniature_study
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.store import Store

TUNE_SECONDS = 0.06
"""Driver time of one trial in Ray Tune with reused actors, in seconds, without our callbacks."""

OBJECT_STORE_SECONDS = 3 * 0.03
"""Time to create and remove a lease and to read a manifest, at 30 ms per request."""

OTHER_SECONDS = {"score": 5.0, "train": 60.0, "classifier": 60.0, "reference": 60.0,
                 "yardstick": 5.0}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Result of a simulated run: busy shares of GPUs and driver, and the duration in hours."""

    gpus_busy: float
    driver_busy: float
    hours: float
    n_jobs: int


def simulate(
    n_gpus: int, round_size: int, n_chunks: int, chunk_seconds: float, driver_seconds: float
) -> Outcome:
    """Simulates a study on a number of GPUs.

    Args:
        n_gpus: number of workers; each runs one job at a time.
        round_size: number of trials that each of the four searches proposes together.
        n_chunks: number of jobs that sample the images of a trial.
        chunk_seconds: virtual duration of a chunk, seconds.
        driver_seconds: driver time per job in addition to the measured time, seconds.
    """
    n_images = str(2 * n_chunks)
    study = miniature_study(
        search__n_trials="16", search__tolerance="0", search__round_size=str(round_size),
        search__n_images=n_images, search__top_images=n_images, n_images=n_images, chunk_images="2",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        store = Store(folder, create=True)
        with Driver(store) as driver:
            scheduler = Scheduler(study, store, leases=Leases(driver))
            return _run(scheduler, store, n_gpus, chunk_seconds, driver_seconds)


def _run(
    scheduler: Scheduler, store: Store, n_gpus: int, chunk_seconds: float, driver_seconds: float
) -> Outcome:
    ends: list[tuple[float, int, object]] = []
    now = driver_busy = gpus_busy = 0.0
    n = 0
    while True:
        started = time.process_time()
        job = scheduler.next_job() if len(ends) < n_gpus else Wait.NOTHING_READY
        spent = time.process_time() - started
        if not isinstance(job, Wait):
            seconds = chunk_seconds if job.stage == "sample" else OTHER_SECONDS[job.stage]
            spent += driver_seconds
            n += 1
            gpus_busy += seconds
            heapq.heappush(ends, (now + spent + seconds, n, job))
        elif ends:
            end, _, job = heapq.heappop(ends)
            now = max(now, end)
            distance = job.sample.sampler.epsilon if job.stage == "score" else None
            started = time.process_time()
            store.commit(
                job.stage, job.key, spec={}, result={"raw": distance, "denoised": distance},
                cost={}, files={},
            )  # fmt: skip
            scheduler.report_stored(job.key)
            spent += time.process_time() - started
        else:
            assert scheduler.is_complete()
            return Outcome(gpus_busy / (n_gpus * now), driver_busy / now, now / 3600, n)
        now += spent
        driver_busy += spent


CASES = (
    (8, 1, 10, 100.0), (64, 1, 10, 100.0), (64, 8, 10, 100.0), (256, 16, 20, 100.0),
    (1000, 16, 80, 100.0), (1000, 16, 80, 300.0),
)  # fmt: skip
"""Number of GPUs, trials per round, chunks per trial and seconds per chunk."""


def main() -> None:
    """Prints a table of simulated runs of four searches of 16 trials."""
    print("GPUs  trials a round  chunks a trial  chunk  store     jobs  GPUs busy  driver busy")
    for case in CASES:
        for name, seconds in (("folder", 0.0), ("s3", OBJECT_STORE_SECONDS)):
            outcome = simulate(*case, TUNE_SECONDS + seconds)
            n_gpus, round_size, n_chunks, chunk_seconds = case
            print(
                f"{n_gpus:4}  {round_size:14}  {n_chunks:14}  {chunk_seconds:3.0f} s  {name:6}"
                f"  {outcome.n_jobs:6,}  {100 * outcome.gpus_busy:8.0f}%"
                f"  {100 * outcome.driver_busy:10.0f}%"
            )


if __name__ == "__main__":
    main()
