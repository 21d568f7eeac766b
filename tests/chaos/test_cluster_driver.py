"""Tests that the studies of the long tests on clusters can be made, without a cluster."""

import pytest

from tests.chaos.cluster_driver import small_study


@pytest.mark.parametrize("alone", [True, False])
def test_further_trainings_run_first_alone_or_before_the_study(alone):
    study = small_study(trainings=2, iterations=30, alone=alone)
    assert [snapshot.train.seed for snapshot in study.snapshots[:2]] == [1, 2]
    assert {snapshot.iteration for snapshot in study.snapshots[:2]} == {30}
    assert (len(study.snapshots) == 2) == alone == (not study.cells)
