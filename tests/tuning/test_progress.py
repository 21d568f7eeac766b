"""The display: plain lines where there is no terminal, a table in place where there is one."""

import io
import re

import pytest
from rich.console import Console

from tests.miniature import miniature_study
from tests.tuning.draining import drain
from tuning import progress
from tuning.forecast import StageForecast
from tuning.jobs import Progress, Work
from tuning.progress import Display, duration
from tuning.scheduler import Scheduler


@pytest.fixture
def display(store, monkeypatch):
    """A display over a study in the middle of its searches, redrawn at once."""
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0.01)
    drain(miniature_study(), store, most=20)
    scheduler = Scheduler(miniature_study(), store)

    def shown(*, terminal):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=120)
        made = Display(scheduler, store, "cpu x1", 2, console)
        job = scheduler.next_job()
        scheduler.report_progress(job.key, Progress(3, 7, "steps"))
        with made:
            while "ETA" not in out.getvalue():
                made._thread.join(0.01)
        return out.getvalue()

    return shown


def test_without_a_terminal_it_is_one_plain_line_at_a_time(display):
    lines = display(terminal=False).splitlines()
    assert all(re.match(r"\d+s \| .*train 2/2.*sample \d+/\d+.* \| .*ETA", x) for x in lines)
    assert "als n_sigma=1, non-adversarial: best" in lines[0] and "\x1b" not in "".join(lines)


def test_in_a_terminal_it_shows_stages_what_runs_and_the_best_so_far(display):
    text = display(terminal=True)
    for part in ("stage", "rate", "3/7 steps", "als n_sigma=1, non-adversarial: best", "ETA"):
        assert part in text


def test_durations_as_people_say_them():
    assert [duration(s) for s in (0.4, 59, 61, 3599, 3661)] == [
        "0s", "59s", "1m01s", "59m59s", "1h01m",
    ]  # fmt: skip


def test_what_a_running_job_has_done_is_taken_off_its_own_share_alone(store):
    study = miniature_study(columns='["non-adversarial", "adversarial"]')
    scheduler = Scheduler(study, store)
    display = Display(scheduler, store, "cpu x1", 1, Console(file=io.StringIO()))
    while (job := scheduler.next_job()).stage != "train":
        pass
    rows = [StageForecast("train", 0, 4, Work(), 1.0, False)]
    assert display._eta(rows) == "1h00m"
    scheduler.report_progress(job.key, Progress(30, 60, "iterations"))
    assert display._eta(rows) == "52m30s", "half of one of four trainings"
