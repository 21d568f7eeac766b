"""Tests of notices and of options of output; `test_own_studies` runs a study with both."""

import logging
import shlex

import pytest

from studies.cli import notices
from studies.cli.notices import Notices
from studies.run import main

NAME = "noise_consistency"


def told(tmp_path, *, code=0):
    """Returns a command that writes what it is told to a file, and the file."""
    file = tmp_path / "told"
    command = f"(echo $SCORE_STUDIES_EVENT $SCORE_STUDIES_STUDY; cat) >> {shlex.quote(str(file))}"
    return f"{command}; exit {code}", file


def status(done=0, failures=(), running=()):
    return {"stages": [{"done": done}], "failures": list(failures), "running": list(running)}


def test_each_event_is_told_once_and_the_end_always(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(notices.time, "monotonic", lambda: now[0])
    command, file = told(tmp_path)
    of = Notices(command, "study-demo")
    lost = {"job": "train", "cause": "no\nluck at https://me:secret@host/x", "then": "tried again"}
    of.on_status(status(failures=[lost]))
    for seconds in (599.0, 1.0, 1.0):
        now[0] += seconds
        of.on_status(status(failures=[lost]))
    of.wait()
    of.on_status(status(1, [lost | {"then": "given up"}]))
    of.on_status(status(2, [lost | {"then": "given up"}]))
    of.wait()
    of.tell("failing", "incomplete", is_last=True)
    of.wait()
    lines = file.read_text().splitlines()
    assert lines[0::2] == ["stuck study-demo", "failing study-demo", "failing study-demo"]
    assert lines[1] == "study-demo: stuck: nothing has moved for 10m00s"
    assert (
        lines[3].startswith("study-demo: failing: train: no luck at ") and "secret" not in lines[3]
    )
    assert lines[5] == "study-demo: failing: incomplete"


def test_progress_inside_a_job_is_no_standstill(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(notices.time, "monotonic", lambda: now[0])
    command, file = told(tmp_path)
    of = Notices(command, "study-demo")
    for done in range(5):
        now[0] += 599.0
        of.on_status(status(running=[{"job": "train", "done": done}]))
    of.end(ValueError("the store is full"))
    of.wait()
    assert file.read_text().splitlines()[1] == "study-demo: failing: the store is full"


def test_a_command_that_fails_is_one_warning_without_the_command(tmp_path, caplog):
    command, _ = told(tmp_path, code=3)
    of = Notices(command, "study-demo")
    with caplog.at_level(logging.WARNING):
        of.tell("done", "complete")
        of.wait()
    (record,) = caplog.records
    text = record.getMessage()
    assert "ended with exit code 3" in text and "'done'" in text and command not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--quiet", "--json"], "--quiet and --json exclude each other"),
        (["--notify", " "], "the command must not be empty, but got none (--notify COMMAND)"),
    ],
)
def test_wrong_options_are_refused_in_one_line(capsys, tmp_path, options, said):
    assert main([NAME, "--store", str(tmp_path / "store"), *options]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "store").exists()
