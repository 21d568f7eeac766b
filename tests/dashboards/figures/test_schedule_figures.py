"""Tests of the figures of noise schedules and of class shares."""

import pytest

from dashboards.drawing.description import BLUE, BROWN
from dashboards.figures.class_shares import shares_panel
from dashboards.figures.noise_schedules import schedule_figure
from scorelib.schedules import SCHEDULES, ExplicitSchedule


def test_every_family_has_its_line_on_both_sides():
    every = [f(sigma_1=1.0, sigma_L=0.01, n_levels=10) for f in SCHEDULES.values()]
    figure = schedule_figure([(schedule, 64) for schedule in every], "schedules.png")
    left, right = figure.panels
    for schedule, levels, coverages in zip(every, left.marks, right.marks, strict=True):
        assert (levels.label, coverages.label) == (schedule.title, schedule.title)
        assert levels.x == list(range(1, 11)) and levels.y == list(schedule.sigmas)
        assert coverages.x == levels.x[1:] and coverages.y == list(schedule.coverages(64))
        assert levels.colour == coverages.colour
    assert len({line.colour for line in left.marks}) == len(every)
    alone = schedule_figure([(every[-1], 64)], "")
    assert alone.panels[0].marks[0].colour == left.marks[-1].colour


@pytest.mark.parametrize(("upper", "reaches"), [(0.26, True), (0.24, False)])
def test_a_bar_is_blue_if_its_interval_holds_the_equal_share(upper, reaches):
    of_classes = [(0.2, 0.15, upper), (0.35, 0.3, 0.4), (0.35, 0.3, 0.4), (0.1, 0.05, 0.15)]
    panel = shares_panel("images", of_classes)
    bars, level = panel.marks
    assert bars.y == [share for share, *_ in of_classes] and set(level.y) == {0.25}
    assert bars.colours == [BLUE if reaches else BROWN, BROWN, BROWN, BROWN]
    for share, below, above, (_, low, high) in zip(bars.y, *bars.errors, of_classes, strict=True):
        assert (share - below, share + above) == pytest.approx((low, high))
    assert panel.title == f"images: {int(reaches)} of 4 reach 25%"


def test_lists_of_levels_have_lines_of_their_own():
    ends = {"sigma_1": 4.0, "sigma_L": 0.5, "n_levels": 4}
    lists = [ExplicitSchedule(sigmas=(4.0, middle, 1.0, 0.5)) for middle in (2.0, 3.0)]
    both = [(s, 64) for s in (SCHEDULES["geometric"](**ends), *lists)]
    lines = schedule_figure(both, "").panels[0].marks
    assert [line.y for line in lines[1:]] == [list(s.sigmas) for s in lists]
    assert len({line.colour for line in lines}) == len({line.label for line in lines}) == 3
