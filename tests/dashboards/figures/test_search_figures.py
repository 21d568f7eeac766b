"""Tests of the figures of searches: they show every trial.

The figures are distance against step size, parameters, and the Pareto front.
"""

import copy
from dataclasses import replace

import pytest

from dashboards.drawing.description import Span
from dashboards.figures import pareto_fronts, searches, step_sizes
from tests.studies.miniatures import miniature
from tests.tuning.draining import fill
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import pareto_front
from tuning.store.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Returns the schedulers of finished studies."""

    def worked_off(name):
        store = Store(str(tmp_path_factory.mktemp(name)), create=True)
        fill(miniature(name), store)
        return Scheduler(miniature(name), store), store

    return {name: worked_off(name) for name in ("cifar_sampling_eps", "dlsm_front")}


def test_every_step_size_tried_is_a_point_raw_and_denoised(finished):
    scheduler, store = finished["cifar_sampling_eps"]
    figures = list(step_sizes.figures(scheduler, store))
    groups = step_sizes.comparable_runs(scheduler.searches.values())
    assert [f"Distance against step size: {group.title}" for group in groups] == [
        figure.title for figure in figures
    ]
    values, colours = [], {}
    for group, figure in zip(groups, figures, strict=True):
        (panel,) = figure.panels
        drawn = [mark for mark in panel.marks if not isinstance(mark, Span)]
        lines = {line.label: line for line in drawn}
        assert len(lines) == len(drawn) == 2 * len(group.runs)
        for run in group.runs:
            sampler = type(run.search.space.sample.sampler).__name__.upper()
            for which, dash, marker in (("raw", "dash", "open"), ("denoised", "solid", "filled")):
                line = lines[f"{sampler}, {which}"]
                tried = sorted((t.values["epsilon"], t.result.of(which)) for t in run.trials)
                assert list(zip(line.x, line.y, strict=True)) == tried
                assert (line.style, line.marker) == (dash, marker)
                colours.setdefault(sampler, set()).add(line.colour)
                values += line.y
    (als,), (cas,) = colours.values()
    assert als != cas
    for figure in figures:
        assert figure.panels[0].y.limits == pytest.approx((0.85 * min(values), 6 * min(values)))
        assert figure.panels[0].x.is_log and figure.panels[0].y.is_log


def test_the_front_and_the_parameters_show_every_trial(finished):
    scheduler, store = finished["dlsm_front"]
    (run,) = scheduler.searches.values()
    (figure,) = pareto_fronts.figures(scheduler, store)
    joined, *loose = figure.panels[0].marks
    shown = [pair for line in (joined, *loose) for pair in zip(line.x, line.y, strict=True)]
    assert sorted(shown) == sorted(trial.numbers for trial in run.trials)
    best = [trial.numbers for trial in pareto_front(run)]
    assert list(zip(joined.x, joined.y, strict=True)) == best
    assert joined.style == "solid" and all(line.style == "" for line in loose)
    assert [text.count(",") for text in joined.texts] == [1] * len(best)
    history, each, *_ = searches.figures(scheduler, store)
    first = {trial.number: trial.numbers[0] for trial in run.trials}
    values, so_far = history.panels[0].marks
    assert dict(zip(values.x, values.y, strict=True)) == first
    assert so_far.y == [min(values.y[: n + 1]) for n in range(len(values.y))]
    for panel, name in zip(each.panels, run.distributions, strict=True):
        (points,) = panel.marks
        assert panel.title.split(" (")[0] == name
        tried = {t.number: (t.values[name], first[t.number]) for t in run.trials}
        pairs = zip(points.x, points.y, strict=True)
        assert dict(zip(points.values, pairs, strict=True)) == tried
    assert each.scale.limits == (0, max(first))


def test_a_number_that_is_zero_is_a_point_too(finished):
    (run,) = finished["dlsm_front"][0].searches.values()
    drawn = copy.copy(run)
    at_zero = [replace(trial, numbers=(0.0, *trial.numbers[1:])) for trial in run.trials]
    drawn.ranked = lambda trials: at_zero
    for panel in searches.slices(drawn, {}).panels:
        (points,) = panel.marks
        assert points.y == [0.0] * len(at_zero) and len(points.x) == len(points.values)


def test_a_band_shows_the_step_sizes_within_noise_of_the_best(finished):
    scheduler, store = finished["cifar_sampling_eps"]
    drawn = [
        mark for f in step_sizes.figures(scheduler, store) for p in f.panels for mark in p.marks
    ]
    spans = [mark.x for mark in drawn if isinstance(mark, Span)]
    runs = [run for run in scheduler.searches.values() if run.within_noise]
    assert runs and sorted(spans) == sorted(run.within_noise for run in runs)
