"""The iterations at which a training makes snapshots."""

from scorelib.errors import require_input


def snapshot_iterations(every: int, iterations: int) -> range:
    """The iterations of all snapshots of a training.

    Args:
        every: iterations between snapshots, >= 1.
        iterations: length of the training.

    Raises:
        InputError: `every` is below 1.
    """
    require_input(every >= 1, f"snapshot_every must be at least 1; got {every}")
    return range(every, iterations + 1, every)


def require_snapshot(iteration: int, snapshots: range, field: str) -> None:
    """Raises InputError, which names the field, if no snapshot is made at an iteration."""
    require_input(
        len(snapshots) > 0,
        f"a training must have at least snapshot_every={snapshots.step} iterations; got "
        f"{snapshots.stop - 1}",
    )
    require_input(
        iteration in snapshots,
        f"{field} must be a multiple of snapshot_every={snapshots.step}, from "
        f"{snapshots.start} to {snapshots.stop - 1}; got {iteration}",
    )
