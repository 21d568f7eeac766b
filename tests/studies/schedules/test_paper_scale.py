"""Tests of the schedules report at paper scale: image counts of choices, reported numbers."""

import pytest
import torch

from scorelib.networks import n_parameters
from studies.registry import find_study
from studies.reported import _rows
from studies.schedules.schedule_table import FEW_LEVELS
from tuning.stages import GeneratedShares
from tuning.stages.shares import REACHING

MANY = {"mnist_schedules": (30, 200), "cifar_schedules": (50, 200)}
"""sigma_1 and L of the schedules with many levels."""


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


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_the_shares_of_several_seeds_differ_in_the_images_seeds_alone(scale):
    module = find_study("mnist_initial_noise")
    one, three = (
        module.study(scale, module.settings(scale).replace(seeds=n)).cells for n in (1, 3)
    )
    for single, several in zip(one, three, strict=True):
        first, *more = several.jobs(None)
        assert (first,) == single.jobs(None)
        of_images = isinstance(first, GeneratedShares)
        assert several.n_seeds == (3 if of_images else 1)
        if of_images:
            assert first.sample.seed == 1
            assert more == [first.replace(sample=first.sample.replace(seed=s)) for s in (2, 3)]


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", ["mnist_schedules", "cifar_schedules"])
def test_the_report_s_five_families_are_compared_whatever_others_there_are(name, scale):
    families = find_study(name).settings(scale).families
    assert families == ("geometric", "linear", "cosine", "squared_cosine", "sigmoid")


def test_all_distances_of_the_report_on_schedules_stand_beside_ours_with_their_schedule():
    found = [
        (cell.row.replace(" ", "_"), cell.search.space.sample.model.train, result.value)
        for name in ("mnist_schedules", "cifar_schedules", "cars_schedules")
        for cell in find_study(name).study("paper", find_study(name).settings("paper")).cells
        for result in cell.reported.values()
    ]
    rows = [row for row in _rows() if row["paper"] == "schedules" and row["metric"] == "fid"]
    shown = sorted((f"schedule={family}", value) for family, _, value in found)
    assert shown == sorted((row["row"], float(row["value"])) for row in rows) and len(rows) == 8
    for family, train, _ in found:
        schedule = train.schedule
        assert schedule.name == family and schedule.n_levels == 200
        assert schedule.sigma_1 == (30 if train.data.name == "mnist" else 50)
        assert train.network.schedule == schedule and n_parameters_at(train) > 0


def n_parameters_at(train):
    with torch.device("meta"):
        return n_parameters(train.network.build(train.data.shape))


def test_the_langevin_step_of_song_and_ermon_is_half_of_it_for_us():
    at = find_study("mnist_schedules").settings("paper")
    assert at.sampler.epsilon == 1e-5 and at.sampler.n_sigma == 100
    assert at.sampler.epsilon / 0.01**2 == pytest.approx(0.1)
