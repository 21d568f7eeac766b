"""What every registered figure keeps to, on studies in miniature worked off by the real engine."""

import dataclasses
import importlib
import sys

import pytest

from dashboards.drawing.charts import draw_chart
from dashboards.drawing.png import draw_png
from dashboards.figures import registry
from dashboards.figures.registry import FIGURES, figures, png_files, require_figures
from scorelib.errors import InputError
from studies.registry import STUDIES, find_study
from tests.drawing import numbers_drawn, numbers_on
from tests.studies.miniatures import miniature
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

STUDIES_WITH_ALL = (
    "cifar_lambda_nd", "mnist_schedules", "cifar_sampling_eps", "noise_consistency", "dlsm_front",
    "moons_score_mismatch", "likelihood_renormalisation", "cifar10_dlsm", "mnist_initial_noise",
)  # fmt: skip


@pytest.fixture(scope="module", params=STUDIES_WITH_ALL)
def finished(request, tmp_path_factory):
    store, study = (
        Store(str(tmp_path_factory.mktemp("store")), create=True),
        miniature(request.param),
    )
    drain(study, store)
    return Scheduler(study, store), store


def test_the_studies_here_have_every_figure_and_every_figure_is_a_study_s():
    for names in (STUDIES_WITH_ALL, STUDIES):
        named = {figure for name in names for figure in miniature(name).figures}
        assert named == set(FIGURES)


def test_both_backends_draw_the_numbers_of_every_description(finished):
    drawn = list(figures(*finished))
    assert drawn
    for figure in drawn:
        chart = draw_chart(figure)
        assert chart.data, figure.title
        assert numbers_on(chart) == numbers_drawn(figure) or figure.draw


def test_every_name_of_a_study_makes_a_figure_and_files_are_the_same_each_time(finished):
    scheduler, store = finished
    for name in scheduler.study.figures:
        module = importlib.import_module(f"dashboards.figures.{name}")
        assert list(module.figures(scheduler, store)), name
    files = png_files(scheduler, store)
    drawn = [figure for figure in figures(scheduler, store) if figure.file]
    assert files.keys() == {figure.file for figure in drawn}
    for name, data in files.items():
        first, *others = [figure for figure in drawn if figure.file == name]
        panels = [panel for figure in (first, *others) for panel in figure.panels]
        assert draw_png(dataclasses.replace(first, panels=panels)) == data


def test_an_unknown_figure_is_refused_with_the_nearest_name(store):
    study = dataclasses.replace(miniature("noise_consistency"), figures=("noise_level",))
    with pytest.raises(InputError, match="got 'noise_level', did you mean 'noise_levels'"):
        require_figures(study)
    with pytest.raises(InputError, match="noise_consistency"):
        png_files(Scheduler(study, store), store)


def test_a_figure_of_ones_own_is_a_module_and_a_name(store, monkeypatch):
    study = dataclasses.replace(miniature("noise_consistency"), figures=("mine",))
    own = type(sys)("dashboards.figures.mine")
    own.figures = lambda scheduler, store: ["described"]
    monkeypatch.setitem(sys.modules, own.__name__, own)
    monkeypatch.setattr(registry, "FIGURES", (*FIGURES, "mine"))
    assert list(figures(Scheduler(study, store), store)) == ["described"]


def test_every_study_names_figures_that_there_are_at_either_scale():
    for name in STUDIES:
        for scale in ("demo", "paper"):
            made = find_study(name).study(scale, find_study(name).settings(scale))
            require_figures(made)
            assert made.figures
