"""Tests of the order in which shares of the tests start, and of their recorded times."""

import json
from types import SimpleNamespace

from tests import shares
from tests.shares import DurationRecorder, longest_first, share


def test_the_longest_share_begins_first_and_a_new_one_before_all():
    seconds = {"a": 3.0, "b": 40.5, "c": 0.1, "gone": 99.0}
    assert longest_first(["a", "new", "b", "c", "newer"], seconds) == [
        "new", "newer", "b", "a", "c",
    ]  # fmt: skip
    assert longest_first([], seconds) == []


def test_tests_that_share_servers_or_ray_are_one_share_and_others_are_their_files():
    assert share("tests/services/test_mlflow.py::test_x[1]") == "tests/services"
    runner = "tests/tuning/execution/runner"
    assert share(f"{runner}/test_runner.py::test_x") == runner
    whole = "tests/studies/whole"
    assert share("tests/dashboards/test_whole_studies.py::test_x") == whole
    assert share(f"{whole}/test_keys.py::test_x") == whole
    assert share("tests/scorelib/test_optim.py::TestIt::test_x") == "tests/scorelib/test_optim.py"


def report(nodeid, duration):
    return SimpleNamespace(nodeid=nodeid, duration=duration)


def test_what_ran_is_recorded_what_did_not_is_kept_and_what_is_gone_is_dropped(
    tmp_path, monkeypatch
):
    file = tmp_path / "durations.json"
    monkeypatch.setattr(shares, "DURATIONS", file)
    monkeypatch.setattr(shares, "ROOT", tmp_path)
    for name in ("test_ran.py", "test_rested.py"):
        (tmp_path / name).touch()
    file.write_text(json.dumps({"test_ran.py": 9.0, "test_rested.py": 5.0, "test_gone.py": 7.0}))
    recorder = DurationRecorder()
    for nodeid, seconds in (("test_ran.py::one", 0.25), ("test_ran.py::two[x]", 1.0),
                            ("tests/services/test_s.py::a", 2.0),
                            ("tests/services/test_t.py::b", 3.0)):  # fmt: skip
        recorder.pytest_runtest_logreport(report(nodeid, seconds))
    recorder.pytest_sessionfinish()
    assert json.loads(file.read_text()) == {
        "test_ran.py": 1.2, "test_rested.py": 5.0, "tests/services": 5.0,
    }  # fmt: skip
