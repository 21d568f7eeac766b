"""Tests of the table of the Pareto front of a search by several numbers."""

from dashboards.results.pareto_fronts import pareto_table
from tests.tuning.draining import drain
from tests.tuning.miniature import front_study
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import pareto_front


def test_a_front_has_a_row_for_each_of_its_trials(store):
    drain(front_study(), store)
    (run,) = Scheduler(front_study(), store).searches.values()
    assert list(run.search.space.number_names) == ["fd[digits-cnn]", "coverage[digits-cnn]"]
    assert len(pareto_table(run)) == len(pareto_front(run)) > 0
