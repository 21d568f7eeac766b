"""Tests of the studies of the report on noise schedules in miniature."""

import base64
import io

import pytest
from PIL import Image

from dashboards.figures.registry import figures
from dashboards.pictures.report_pictures import Budget, pictures
from dashboards.pictures.samples import sample_sheets
from dashboards.records.mlflow_records import table_records
from dashboards.records.mlflow_searches import trial_records
from dashboards.results.cells import read_study
from dashboards.text.table import render, table_data
from tests.studies.miniature_contract import MiniatureContract
from tests.studies.miniatures import studies_of
from tuning.stages.frames import FRAMES_FILE, SIGMAS


@pytest.mark.parametrize("finished", studies_of("schedules"), indirect=True)
class TestEveryStudy(MiniatureContract):
    """The checks for every study, on the studies of this report."""


def test_a_table_of_schedules_shows_no_step_in_units_of_the_schedule(worked_off):
    scheduler, store, *_ = worked_off("cifar_schedules")
    made = scheduler.study
    shown = read_study(scheduler, store)
    data = table_data(shown)
    assert set(data["row"]) == {"geometric", "sigmoid"}
    assert data["r"].isna().all() and (data["epsilon"] == 1e-5).all()
    for style in ("rich", "markdown"):
        text = render(shown, style, width=200)
        assert "follows the schedule" not in text and text.count("Chosen by searches") == 1
        assert all(name in text for name in scheduler.searches)
    for record in (*trial_records(scheduler), *table_records(scheduler, store)):
        assert record.metrics.get("r") is None
    drawn = {figure.file for figure in figures(scheduler, store) if figure.file}
    assert drawn == {"schedules.png", "search_iteration.png"}
    frames = [name for name in sample_sheets(scheduler, store) if name.startswith("frames_")]
    assert len(frames) == len(made.cells)


def test_frames_along_the_chain_are_the_stores_own_pixels_with_their_noise(worked_off):
    scheduler, store, *_ = worked_off("cifar_schedules")
    made = scheduler.study
    found = pictures(scheduler, store, Budget(10**7))
    assert len(found) == len(made.cells) == 4
    for cell, picture in zip(read_study(scheduler, store).cells, found, strict=True):
        manifest = store.manifest(cell.frames.stage, cell.frames.key)
        data = store.read(cell.frames.stage, cell.frames.key, FRAMES_FILE)
        assert base64.b64decode(picture.data.split(",")[1]) == data
        levels = ", ".join(f"{sigma:.2g}" for sigma in manifest.result[SIGMAS])
        assert picture.title.startswith(cell.cell.name) and picture.title.endswith(levels)
        # The image is stored enlarged an even number of times: at half the size pixels are still
        # whole.
        assert (picture.width, picture.height) == tuple(
            side / 2 for side in Image.open(io.BytesIO(data)).size
        )
    for picture in pictures(scheduler, store, Budget(0)):
        assert picture.data == "" and "pictures/cifar_schedules-demo of the store" in picture.title
