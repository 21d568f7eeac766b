"""Rates: how fast jobs were measured to run, to foretell how long others take.

Kept in the store by class of device, under the names that jobs give them. Until there is one, time
follows from multiply-adds and a stated throughput, and is marked as an estimate.
"""

from tuning.jobs import Job, Stage, Work
from tuning.store.documents import as_name
from tuning.store.store import Manifest, Store

ASSUMED_MULTIPLY_ADDS_PER_SECOND = {"cpu": 2e10, "gpu": 1.5e13}
"""Stated throughput until measured: one CPU core in float32; a V100-class GPU in TF32 or FP32."""


class Rates:
    """Measured throughput by name of rate and class of device, kept in the store.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, job: Job, manifest: Manifest) -> None:
        """Adds what a finished job took to the totals of its device."""
        if "failed" in manifest.result:
            return  # it ended early
        device = as_name(str(manifest.cost["device"]))
        totals = self._store.document("rates", device) or {}
        n_jobs, seconds, multiply_adds = totals.get(job.rate_name, (0, 0.0, 0.0))
        done = float(manifest.cost["multiply_adds"]) * share_done(job, manifest)
        if done and not multiply_adds:
            n_jobs, seconds = 0, 0.0  # version 0.1 did not count the multiply-adds of all stages
        seconds += float(manifest.cost["seconds"])
        totals[job.rate_name] = (n_jobs + 1, seconds, multiply_adds + done)
        self._store.put_document("rates", device, totals)

    def hours(
        self, name: str, stage: Stage, work: Work, n_jobs: int, device: str
    ) -> tuple[float, bool]:
        """Hours that jobs take on one device, one after another, and whether that is an estimate.

        Args:
            name: of their rate.
            stage: theirs.
            work: what they do together.
            n_jobs: how many they are.
            device: class of device: "gpu", or such as "cpu x1".
        """
        measured = (self._store.document("rates", as_name(device)) or {}).get(name)
        if measured is not None:
            n_measured, seconds, multiply_adds = measured
            if multiply_adds:
                return work.multiply_adds / (multiply_adds / seconds) / 3600, False
            return n_jobs * seconds / n_measured / 3600, False
        if work.multiply_adds:
            sort = "cpu" if device.startswith("cpu") else "gpu"
            return work.multiply_adds / ASSUMED_MULTIPLY_ADDS_PER_SECOND[sort] / 3600, True
        return n_jobs * stage.assumed_seconds / 3600, True


def share_done(job: Job, manifest: Manifest) -> float:
    """Share of its work that a finished job did: in a chain, it went on from where another was."""
    if job.chain is None:
        return 1.0
    return 1 - int(manifest.cost.get("started_at", 0)) / job.position
