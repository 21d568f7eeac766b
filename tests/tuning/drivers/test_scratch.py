"""Tests of the folders for temporary files: what killed processes left is removed, no more."""

import json
import os
import stat
import subprocess
import sys

import pytest

from tuning.drivers.scratch import scratch_folder
from tuning.store.processes import host_name

HOLD = """
import sys
from tuning.drivers.scratch import scratch_folder
with scratch_folder("ray-") as folder:
    (folder / "token").write_text("secret")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def hold():
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_a_folder_is_closed_to_others_and_removed(temporary):
    with pytest.raises(KeyError), scratch_folder("ray-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        raise KeyError
    assert not list(temporary.iterdir())


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(temporary):
    killed, left = hold()
    living, kept = hold()
    killed.kill()
    killed.wait()
    assert os.path.isdir(left)
    with scratch_folder("tune-"):
        assert os.path.isdir(left), "a folder of another use"
    with scratch_folder("ray-"):
        assert not os.path.exists(left) and os.path.isdir(kept)
    living.communicate()
    assert not list(temporary.iterdir())


def test_what_belongs_to_others_stays(temporary):
    owners = {
        "none": None, "no JSON": "{", "of another shape": "3",
        "elsewhere": json.dumps(["h/1", 1, "1"]),
        "unknown": json.dumps([host_name(), os.getpid(), None]),
    }  # fmt: skip
    for name, text in owners.items():
        (temporary / f"ray-{name}").mkdir()
        if text is not None:
            (temporary / f"ray-{name}" / "owner").write_text(text)
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "owner").write_text(json.dumps([host_name(), os.getpid(), "1"]))
    (temporary / "ray-link").symlink_to(elsewhere)
    before = sorted(temporary.rglob("*"))
    with scratch_folder("ray-"):
        pass
    assert sorted(temporary.rglob("*")) == before
