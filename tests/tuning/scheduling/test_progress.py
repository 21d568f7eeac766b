"""Tests of the progress display: plain lines without a terminal, an updating table with one."""

import io
import re

import pytest
from rich.console import Console

from tests.tuning.draining import drain
from tests.tuning.miniature import miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Progress, Work
from tuning.scheduling import progress
from tuning.scheduling.amounts import duration
from tuning.scheduling.forecast import StageForecast
from tuning.scheduling.pace import Pace
from tuning.scheduling.progress import Display, Gpus
from tuning.scheduling.scheduler import Failure, Scheduler
from tuning.store.documents import StoreReadError


@pytest.fixture
def display(store, monkeypatch):
    """Returns a display of a study in the middle of its searches, which redraws at once."""
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


def test_a_store_away_for_a_moment_does_not_end_the_display(display, monkeypatch):
    known, times = progress.forecast, iter(range(2))

    def away(*arguments):
        if next(times, None) is not None:
            raise StoreReadError("the file system is away")
        return known(*arguments)

    monkeypatch.setattr(progress, "forecast", away)
    assert "ETA" in display(terminal=False) and next(times, None) is None


def test_in_a_terminal_it_shows_stages_what_runs_and_the_best_so_far(display):
    text = display(terminal=True)
    for part in ("stage", "rate", "3/7 steps", "als n_sigma=1, non-adversarial: best", "ETA"):
        assert part in text


def test_failures_are_shown_with_their_cause_and_what_becomes_of_them(store):
    scheduler = Scheduler(miniature_study(), store)
    display = Display(scheduler, store, "cpu x1", 1, Console(file=io.StringIO()))
    rows = [StageForecast("train", 0, 4, Work(), 1.0, False)]
    assert "failed" not in display._line(rows)
    job = scheduler.next_job()
    for then in ("tried again", "tried again", "given up"):
        assert scheduler.progress or scheduler.next_job() == job
        scheduler.report_failure(job.key, "RuntimeError:\n no luck")
        assert f"failed ({then}): {job.title()}: RuntimeError: no luck" in display._line(rows)
    console = Console(file=io.StringIO(), width=120)
    console.print(display._panel(rows))
    assert "failed (given up)" in console.file.getvalue()


def test_settings_that_diverge_are_a_result_and_shown_as_one(store):
    study = miniature_study(train__optimizer__learning_rate="1e30")
    scheduler, place = Scheduler(study, store), ExecutionContext(store=store)
    while (job := scheduler.next_job()).stage != "train":
        pass
    for _ in execute(job, place):
        pass
    scheduler.report_stored(job.key)
    (shown,) = Display(scheduler, store, "cpu x1", 1, Console(file=io.StringIO()))._failures()
    assert shown.startswith(f"failed (a result): {job.title()}: dsm loss is ")


def test_of_many_failures_the_latest_are_shown_and_one_that_is_mended_is_not(store):
    study = miniature_study()
    scheduler, place = Scheduler(study, store), ExecutionContext(store=store)
    display = Display(scheduler, store, "cpu x1", 1, Console(file=io.StringIO()))
    job = scheduler.next_job()
    scheduler.report_failure(job.key, "lost")
    assert scheduler.next_job() == job
    for _ in execute(job, place):
        pass
    scheduler.report_stored(job.key)
    assert display._failures() == []
    for number in range(5):
        scheduler.failures[str(number)] = Failure(job, f"cause {number}", "given up")
    lines = display._failures()
    assert lines[0] == "2 failures before these"
    assert [line[-7:] for line in lines[1:]] == ["cause 2", "cause 3", "cause 4"]


def test_the_gpus_that_running_jobs_take_are_counted(store):
    scheduler = Scheduler(miniature_study(), store)
    gpus = Gpus(2, lambda job: 0.5)
    display = Display(scheduler, store, "gpu", 1, Console(file=io.StringIO()), gpus)
    rows = [StageForecast("train", 0, 4, Work(), 1.0, False)]
    job, waiting = scheduler.next_job(), scheduler.next_job()
    assert waiting != job and "GPUs in use: 0 of 2" in display._line(rows)
    scheduler.report_progress(job.key, Progress(1, 7, "steps"))
    assert "GPUs in use: 0.5 of 2" in display._line(rows)


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


def test_a_line_says_how_far_inside_a_long_job_it_is(store):
    scheduler = Scheduler(miniature_study(), store)
    display = Display(scheduler, store, "cpu x1", 1, Console(file=io.StringIO()))
    rows = [StageForecast("train", 0, 2, Work(), 1.0, False)]
    assert " train 0/2 | ETA" in display._line(rows)
    while (job := scheduler.next_job()).stage != "train":
        pass
    scheduler.report_progress(job.key, Progress(1234, 6000, "iterations"))
    assert " train 0/2 (1,234/6,000 iterations) | ETA" in display._line(rows)
    scheduler.progress["another"] = job, Progress(1, 4, "steps")
    assert " train 0/2 (2 running, 23% on average) | ETA" in display._line(rows)


def test_a_wrong_estimate_is_corrected_by_the_progress_of_what_runs(store):
    study = miniature_study()
    job = next(job for job in study.fixed_jobs if job.stage == "train")
    pace = Pace(lambda job: 100.0)
    assert pace.factor("train") == 1.0
    pace.note([(job, None)], 0.0)
    pace.note([(job, Progress(10, 100, "steps"))], 50.0)
    pace.note([(job, Progress(10, 100, "steps"))], 60.0)
    assert pace.factor("train") == 1.0, "nothing is measured yet"
    pace.note([(job, Progress(30, 100, "steps"))], 110.0)  # 20 of 100 steps in 60 s: 300 s in all
    assert pace.factor("train") == pytest.approx(3.0) and pace.factor("sample") == 1.0
    pace.note([(job, Progress(5, 100, "steps"))], 120.0)  # started again
    pace.note([(job, Progress(55, 100, "steps"))], 170.0)
    assert pace.factor("train") == pytest.approx(1.0)


def test_the_remaining_time_follows_what_was_measured(store, monkeypatch):
    out = io.StringIO()
    scheduler = Scheduler(miniature_study(), store)
    display = Display(scheduler, store, "cpu x1", 1, Console(file=out, width=300))
    while (job := scheduler.next_job()).stage != "train":
        pass
    monkeypatch.setattr(
        progress, "forecast", lambda *_: [StageForecast("train", 0, 2, Work(), 2.0, True)]
    )
    monkeypatch.setattr(display._pace, "_predicted", lambda job: 3600.0)
    for now, done in ((1000.0, 0), (1000.0 + 1080, 10)):
        monkeypatch.setattr(progress.time, "monotonic", lambda now=now: now)
        scheduler.report_progress(job.key, Progress(done, 100, "steps"))
        display._draw()
    lines = out.getvalue().splitlines()
    assert lines[0].endswith("ETA est. 2h00m")  # 2 jobs of an hour each
    assert lines[1].endswith("ETA est. 5h42m")  # 2 jobs of 3 hours each, without a tenth of one
