"""The checks that every study in miniature passes after it has run and is displayed."""

import importlib
import statistics
from unittest.mock import ANY

import pytest

from dashboards.drawing.charts import draw_chart
from dashboards.figures.class_gains import class_gains_of
from dashboards.figures.registry import figures
from dashboards.figures.training_curves import panels_of
from dashboards.pictures.samples import sample_sheets
from dashboards.records.mlflow_common import as_metric
from dashboards.records.mlflow_records import records
from dashboards.results.cells import read_study
from dashboards.results.halving_savings import halving_savings
from dashboards.results.verdicts import half_interval
from dashboards.text.answers import answer
from dashboards.text.table import FORMATS, render, table_data
from tests.drawing import numbers_drawn, numbers_on

SHEETS = {
    "cifar10_dlsm": ["samples_base.png", "samples_scaling.png", "samples_ours.png"],
    "mnist_initial_noise": [  # Figures 11 and 12
        "samples_L-4-sigma-1-0-17.png", "samples_L-5-sigma-1-5.png",
    ],
    "dlsm_scaling": [
        f"samples_{method}-alpha-{alpha}.png" for method in ("base", "ours") for alpha in (1, 10)
    ],
}  # fmt: skip
"""Names of the image sheets of some studies: the labels that all cells of a sheet share."""

TITLES = {
    "class_shares": [  # images of two seeds; labels of training images have no seed
        "Shares of the classes: L = 4, sigma_1 = 0.17, first seed",
        "Shares of the classes: L = 5, sigma_1 = 5, first seed",
        "Shares of the classes: training data",
    ],
}
"""Titles of the figures of some modules."""


class MiniatureContract:
    """Checks of every study; a subclass is parametrised by `finished`, the names of studies."""

    @pytest.fixture(scope="class")
    def recorded(self, finished):
        """Returns the MLflow records of the study; the last is the table's, with the figures.

        Drawing the figures takes as long as the study, so two tests share the files.
        """
        scheduler, store, *_ = finished
        return list(records(scheduler, store))

    def test_every_cell_is_measured_and_shown(self, finished):
        scheduler, store, ran, _ = finished
        assert scheduler.is_complete() and len({key for _, key in ran}) == len(ran)
        shown = read_study(scheduler, store)
        for cell in shown.cells:
            wanted = set(cell.cell.quantities) if cell.cell.is_measured else set()
            assert cell.measured.keys() == wanted and cell.failed is None, cell.cell.name
        for style in FORMATS:
            text = render(shown, style, width=110)
            assert "missing" not in text and "failed" not in text.replace(",failed,", "")
        assert len(table_data(shown)) == sum(len(cell.quantities) for cell in scheduler.study.cells)

    def test_the_plan_foretold_the_jobs(self, finished):
        *_, ran, planned = finished
        foretold = {row.stage: row.n_to_run for row in planned}
        made = {stage: sum(s == stage for s, _ in ran) for stage in foretold}
        assert made.keys() == {stage for stage, _ in ran}
        for stage, count in made.items():
            # The number is smaller if winners are also trials, or if a search skips snapshots.
            assert count <= foretold[stage] <= 2 * count + 2, stage

    def test_mlflow_has_every_cell_the_curves_and_the_gains_by_class(self, finished, recorded):
        scheduler, store, *_ = finished
        *made, table = recorded
        cells = {(r.tags["row"], r.tags["column"]): r for r in made if r.tags["kind"] == "cell"}
        shown = {(c.row, c.column): c for c in scheduler.study.cells if c.is_measured or c.reported}
        assert cells.keys() == shown.keys()
        assert len({record.key for record in cells.values()}) == len(cells)
        for name, cell in shown.items():
            for_paper = [v for n, v in cells[name].metrics.items() if n.startswith("reported_")]
            assert {result.value for result in cell.reported.values()} <= set(for_paper)
            assert ("frames.png" in cells[name].files) == bool(cell.frames)
        expected = {}
        for panel, lines in panels_of(scheduler).items():
            for label, points in lines.items():
                name = as_metric(f"{panel}/{label}")
                expected[name] = {step: statistics.fmean(of) for step, of in points.items()}
                if len(points[min(points)]) > 1:
                    halves = {step: half_interval(of) for step, of in points.items()}
                    expected[f"{name}_ half interval"] = halves
        gains = class_gains_of(scheduler, store)
        expected |= {as_metric(f"{row}/ours minus base by class"): of for row, of in gains.items()}
        assert {name: dict(of) for name, of in table.curves.items()} == expected

    def test_every_study_draws_what_it_holds(self, finished, recorded):
        scheduler, store, *_ = finished
        files = {name: data for name, data in recorded[-1].files.items() if name.endswith(".png")}
        described = list(figures(scheduler, store))
        assert files.keys() == {figure.file for figure in described if figure.file}
        drawn = files | sample_sheets(scheduler, store)
        assert drawn and all(data.startswith(b"\x89PNG") for data in drawn.values())
        shown = read_study(scheduler, store).cells
        sheets = {cell.first_images for cell in shown if cell.first_images}
        assert sheets >= {cell.scores[0].chunks()[0] for cell in shown if cell.scores}
        assert sum(name.startswith("samples_") for name in drawn) == len(sheets)
        fields = {name for name in drawn if name.startswith("score_fields")}
        for name, wanted in SHEETS.items():
            if scheduler.study.name == name:
                assert {n for n in drawn if n.startswith("samples_")} == set(wanted)
        if scheduler.study.name == "moons_score_mismatch":
            assert fields == {"score_fields.png", "score_fields_sigma-at-the-input.png"}

    def test_every_figure_that_a_study_names_is_described_and_charts_show_the_same(self, finished):
        scheduler, store, *_ = finished
        for name in scheduler.study.figures:
            module = importlib.import_module(f"dashboards.figures.{name}")
            described = list(module.figures(scheduler, store))
            assert described, name
            assert [figure.title for figure in described] == TITLES.get(name, ANY)
            for figure in described:
                chart = draw_chart(figure)
                assert chart.data, figure.title
                assert numbers_on(chart) == numbers_drawn(figure)

    def test_every_study_has_an_answer_from_its_numbers_and_charts(self, finished):
        scheduler, store, *_ = finished
        shown = read_study(scheduler, store)
        known = {f"{m.mean:.4g}" for cell in shown.cells for m in cell.measured.values()}
        first, second = answer(shown)
        assert any(number in first for number in known), first
        assert first.endswith(".") and second.endswith(".")
        drawn = list(figures(scheduler, store))
        assert len({figure.title for figure in drawn}) == len(drawn) > 0

    def test_halving_is_accounted_for(self, finished):
        scheduler, *_ = finished
        for run in scheduler.searches.values():
            spared = halving_savings(run)
            if spared is not None:
                assert 0 < spared.evaluations < spared.in_full
