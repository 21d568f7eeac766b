"""Tests that every registered figure passes, on miniature studies run by the real engine."""

import dataclasses
import sys

import pytest

from dashboards.drawing.png import draw_png
from dashboards.figures import losses, registry
from dashboards.figures.registry import FIGURES, figures, png_files, require_figures
from scorelib.errors import InputError
from studies.registry import STUDIES
from tests.studies.miniatures import miniature
from tests.tuning.draining import fill
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store, study = (
        Store(str(tmp_path_factory.mktemp("store")), create=True),
        miniature("noise_consistency"),
    )
    fill(study, store)
    return Scheduler(study, store), store


def test_every_figure_is_a_study_s():
    assert {figure for name in STUDIES for figure in miniature(name).figures} == set(FIGURES)


def test_a_file_holds_the_panels_of_its_figures_and_is_the_same_each_time(finished):
    files = png_files(*finished)
    drawn = [figure for figure in figures(*finished) if figure.file]
    assert files.keys() == {figure.file for figure in drawn}
    for name, data in files.items():
        first, *others = [figure for figure in drawn if figure.file == name]
        panels = [panel for figure in (first, *others) for panel in figure.panels]
        assert draw_png(dataclasses.replace(first, panels=panels)) == data


def test_files_are_made_without_reading_what_only_pages_show(finished, monkeypatch):
    scheduler, store = finished
    both = dataclasses.replace(scheduler.study, figures=("losses", *scheduler.study.figures))
    monkeypatch.setattr(losses, "losses_of", lambda *_: pytest.fail("the losses were read"))
    assert png_files(Scheduler(both, store), store) == png_files(scheduler, store)


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
