"""The iterations at which a training saves snapshots."""

from scorelib.errors import require_input


def snapshot_iterations(every: int, iterations: int) -> range:
    """Returns the iterations of all snapshots of a training: the multiples of `every`.

    Args:
        every: iterations between snapshots, >= 1.
        iterations: length of the training, in iterations.

    Raises:
        InputError: `every` is below 1.
    """
    require_input(every >= 1, f"snapshot_every must be at least 1, but got {every}")
    return range(every, iterations + 1, every)


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
