"""The schedules report at paper scale: what is chosen on how many images, and what stands where."""

import pytest

from studies.registry import find_study
from studies.schedules.schedule_table import FEW_LEVELS
from tuning.stages.shares import REACHING

MANY = {"mnist_schedules": (30, 200), "cifar_schedules": (50, 200)}
"""sigma_1 and L of the many levels."""


def study_of(name):
    module = find_study(name)
    return module.study("paper", module.settings("paper"))


@pytest.mark.parametrize("name", MANY)
def test_a_snapshot_is_chosen_on_1000_images_raw_and_measured_on_10000(name):
    made = study_of(name)
    for search in made.searches:
        space = search.space
        assert (space.protocol.n_images, space.output) == (1000, "raw")
        assert [rung.n_images for rung in search.ladder] == [10_000]
        assert search.n_trials == len(space.parameters[0].values)
    measured = [cell for cell in made.cells if cell.is_measured]
    assert {cell.protocol.n_images for cell in measured} == {10_000}
    assert {cell.protocol.seeds for cell in measured} == {"fresh"}


@pytest.mark.parametrize(("name", "ends"), MANY.items())
def test_rows_are_families_and_columns_levels(name, ends):
    few, many = (FEW_LEVELS.sigma_1, FEW_LEVELS.n_levels), ends
    assert few == (1, 10)
    for cell in study_of(name).cells:
        sample = cell.search.space.template.sample
        schedule = sample.model.train.schedule
        assert schedule.name == cell.row.replace(" ", "_")
        is_few = cell.column.startswith("L = 10,")
        assert (schedule.sigma_1, schedule.n_levels) == (few if is_few else many)
        assert sample.sampler.n_sigma == 100
        assert bool(cell.reported) <= (not is_few)


def test_the_classes_the_report_reached_stand_beside_the_same_initial_noise():
    shown = {}
    for cell in study_of("mnist_initial_noise").cells:
        if REACHING in cell.quantities and cell.reported:
            sigma_1 = cell.job.sample.model.train.schedule.sigma_1
            assert cell.column.endswith(f"sigma_1 = {sigma_1:g}")
            shown[sigma_1] = cell.reported[REACHING].value
    assert shown == {1: 0, 30: 8}
