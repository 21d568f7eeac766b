"""Tests of the text in table cells whose search failed."""

from dashboards.results.cells import read_study
from tests.tuning.draining import drain
from tests.tuning.miniature import miniature_study
from tuning.scheduling.scheduler import Scheduler


def test_a_cell_whose_trials_all_failed_says_so_and_the_baselines_stand(store):
    study = miniature_study(train__optimizer__learning_rate="1e30", n_sigma="[1]")
    drain(study, store)
    shown = read_study(Scheduler(study, store), store)
    assert {cell.failed for cell in shown.cells} == {"every trial failed"}
    assert all(cell.is_done and not cell.measured for cell in shown.cells)
    assert all(baseline.distance for baseline in shown.baselines)
