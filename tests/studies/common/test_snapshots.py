"""Tests of the iterations at which snapshots are made, and of refused settings."""

import pytest

from scorelib.errors import InputError
from studies.common.snapshots import require_snapshot, snapshot_iterations


@pytest.mark.parametrize(
    ("every", "iterations", "made"),
    [(2, 6, (2, 4, 6)), (2, 7, (2, 4, 6)), (5, 5, (5,)), (6, 5, ()), (1, 0, ())],
)
def test_snapshots_are_the_multiples_up_to_the_end(every, iterations, made):
    snapshots = snapshot_iterations(every, iterations)
    assert tuple(snapshots) == made
    for iteration in range(10):
        if iteration in made:
            require_snapshot(iteration, snapshots, "iteration")
        else:
            some = rf"^iteration must .*={every},.* got {iteration}"
            none = rf"^a training must have at least snapshot_every={every} .* got {iterations}$"
            with pytest.raises(InputError, match=some if made else none):
                require_snapshot(iteration, snapshots, "iteration")


@pytest.mark.parametrize("every", [0, -1])
def test_snapshots_of_no_iterations_are_refused(every):
    with pytest.raises(InputError, match="snapshot_every must be at least 1"):
        snapshot_iterations(every, 10)
