"""The iterations at which a training saves snapshots."""

from scorelib.errors import require_input
from scorelib.limits import MOST_SNAPSHOTS


def snapshot_iterations(every: int, iterations: int, field: str = "snapshot_every") -> range:
    """Returns the iterations of all snapshots of a training: the multiples of `every`.

    Args:
        every: iterations between snapshots, >= 1.
        iterations: length of the training, in iterations.
        field: name of the setting that gives `every`, for the message.

    Raises:
        InputError: `every` is below 1, or so small that there are too many.
    """
    require_input(every >= 1, f"{field} must be at least 1, but got {every}")
    found = range(every, iterations + 1, every)
    require_input(
        len(found) <= MOST_SNAPSHOTS,
        f"{field} must divide a training into at most {MOST_SNAPSHOTS:,} parts, but {every:,} "
        f"divides {iterations:,} iterations into {len(found):,}: raise {field}",
    )
    return found


def require_snapshot(iteration: int, snapshots: range, field: str) -> None:
    """Raises InputError if a training saves no snapshot at an iteration.

    Args:
        iteration: iteration of the snapshot that is needed.
        snapshots: iterations of all snapshots, as `snapshot_iterations` returns them.
        field: name of the setting that gives `iteration`, for the message.
    """
    require_input(
        len(snapshots) > 0,
        f"a training must have at least snapshot_every={snapshots.step} iterations, but got "
        f"{snapshots.stop - 1}",
    )
    require_input(
        iteration in snapshots,
        f"{field} must be a multiple of snapshot_every={snapshots.step}, from "
        f"{snapshots.start} to {snapshots.stop - 1}, but got {iteration}",
    )
