"""Tests of a study submitted as a job to a real Ray head: it continues without its submitter."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.miniature import OPTIONS, miniature_study
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
PACKAGES = ("dashboards", "scorelib", "studies", "tuning")
BIN = Path(sys.executable).parent
NAME = "cifar_sampling_eps"
LONGER = [
    text
    for setting in ("search.n_trials=4", *(f"{n}=6000" for n in ("iterations", "iteration")),
                    "snapshot_every=3000")
    for text in ("--set", setting)
]  # fmt: skip
"""Trainings of several seconds, so that a job is still running when it is stopped."""


class Head:
    """A separate Ray head with free ports, a private token and one folder for all its files."""

    def __init__(self, folder):
        self.folder, self.token = folder, secrets.token_hex(32)
        file = folder / "token"
        file.touch(mode=0o600)
        file.write_text(f"{self.token}\n")
        port, client, dashboard, agent, agent_grpc, metrics = free_ports(6)
        self.url = f"http://127.0.0.1:{dashboard}"
        others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.environment = others | {
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file),
            "RAY_API_SERVER_ADDRESS": self.url,
            "PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1", "COLUMNS": "120",
        }  # fmt: skip
        self.output = folder / "head.log"
        with self.output.open("w") as log:
            self.process = subprocess.Popen(
                [
                    "ray", "start", "--head", "--block", f"--temp-dir={folder}/r",
                    "--node-ip-address=127.0.0.1", f"--port={port}",
                    "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
                    f"--dashboard-agent-listen-port={agent}",
                    f"--dashboard-agent-grpc-port={agent_grpc}",
                    f"--metrics-export-port={metrics}",
                    f"--ray-client-server-port={client}",
                    "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats",
                    "--num-cpus=2", "--num-gpus=0", "--object-store-memory=100000000",
                ],
                cwd=folder, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ask(self, path, method="GET", token=None):
        """Returns the dashboard's answer to a request with a token, by default the head's own."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.ask("/api/jobs/") == []
        return False

    def job(self, submission):
        return self.ask(f"/api/jobs/{submission}")

    def log(self, submission):
        return self.ask(f"/api/jobs/{submission}/logs")["logs"]

    def wait_until(self, condition):
        """Waits until a condition holds; fails if the head ends first."""
        while not condition():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
                pytest.fail(f"the head ended: {self.output.read_text()}")

    def has_ended(self, submission):
        return self.job(submission)["status"] not in ("PENDING", "RUNNING")

    def wait_for_end(self, submission):
        """Waits until a job ends and returns the job."""
        self.wait_until(lambda: self.has_ended(submission))
        return self.job(submission)

    def processes(self):
        """Returns command lines by process id of all processes that name this folder."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_text(errors="replace")
                if str(self.folder) in command + (folder / "environ").read_text(errors="replace"):
                    found[int(folder.name)] = command
        return found

    def stop(self):
        """Sends SIGTERM, then SIGKILL, to exactly the processes of this head."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
        shutil.rmtree(self.folder, ignore_errors=True)


def submit(head, laptop, store, *options, study_options=()):
    """Starts the submission command of docs/clusters.md and returns its process."""
    command = [
        "ray", "job", "submit", *options, "--runtime-env", "tuning/cluster/runtime_env.yaml", "--",
        "python", "-m", "studies.run", NAME, *OPTIONS, *LONGER,
        "--address", "auto", "--store", str(store), *study_options,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=laptop, env=head.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def manifests(store):
    """Returns when each finished job was stored, by its stage and key."""
    found = Path(store).glob("objects/*/*/manifest.json")
    return {path.parts[-3:-1]: path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def head():
    made = Head(Path(tempfile.mkdtemp(prefix="h-", dir="/tmp")))  # short: Ray keeps sockets in it
    try:
        made.wait_until(made.is_ready)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    """Returns a folder with the project's code, changed after the cluster started.

    The folder also contains files that must not be uploaded.
    """
    folder = tmp_path_factory.mktemp("laptop")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    spec, line = folder / "scorelib" / "spec.py", "    VERSION: ClassVar[int] = {}\n"
    assert line.format(1) in spec.read_text()
    spec.write_text(spec.read_text().replace(line.format(1), line.format(7)))
    for name in ("data/images", "store/objects/x", "results/x", ".venv/lib/x", "credentials"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("stays here")
    return folder


@pytest.fixture(scope="module")
def story(head, laptop, tmp_path_factory):
    """Submits, follows, leaves, stops and resubmits a study; submits one with a wrong option."""
    store = tmp_path_factory.mktemp("shared") / "store"
    seen = SimpleNamespace(store=store)
    wrong = submit(
        head, laptop, store, "--no-wait", "--submission-id=wrong",
        study_options=("--set", "n_imagse=1"),
    )  # fmt: skip
    follower = submit(head, laptop, store, "--submission-id=first")
    head.wait_until(lambda: manifests(store))
    follower.kill()  # not Ctrl-C, after which `ray job submit` may follow for half a minute
    follower.wait()
    with_follower = len(manifests(store))
    head.wait_until(lambda: len(manifests(store)) > with_follower or head.has_ended("first"))
    seen.alone = head.job("first")["status"]
    head.ask("/api/jobs/first/stop", "POST")  # the request that `ray job stop` sends
    seen.stopped = head.wait_for_end("first")
    seen.locks = list((store / "locks").iterdir())
    seen.before = manifests(store)
    assert wrong.wait() == 0
    seen.wrong = head.wait_for_end("wrong")
    seen.submitted = submit(head, laptop, store, "--no-wait", "--submission-id=second").wait()
    seen.finished = head.wait_for_end("second")
    seen.after = manifests(store)
    return seen


def test_the_job_goes_on_when_where_it_was_submitted_from_is_gone(story):
    assert story.alone == "RUNNING"


def test_a_stopped_job_ends_cleanly_and_releases_its_study(story, head):
    assert story.stopped["status"] == "STOPPED"
    assert "Finished jobs are kept; to continue: python -m studies.run" in head.log("first")
    assert story.locks == []
    assert 0 < len(story.before) < len(story.after), "it was stopped at work"
    head.wait_until(lambda: not any("Trainable" in c for c in head.processes().values()))


def test_submitted_again_the_study_goes_on_and_its_exit_code_is_the_jobs(story, head):
    assert story.submitted == 0
    assert story.finished["status"] == "SUCCEEDED" and story.finished["driver_exit_code"] == 0
    assert "consistent (n_sigma = 5)" in head.log("second")
    kept = {job: story.after[job] for job in story.before}
    assert kept == story.before, "a stored job was stored again"
    # Two trials for the snapshot, at least one for each of four step sizes, and four cells.
    assert sum(stage == "score" for stage, _ in story.after) >= 10


def test_driver_and_workers_run_the_submitted_code_and_nothing_else_travels(story, head):
    # Its keys differ from those of the code that is installed on the head.
    trained = {key for stage, key in story.after if stage == "train"}
    assert len(trained) == 2
    assert trained.isdisjoint(snapshot.key for snapshot in miniature_study().snapshots)
    travelled = head.folder.glob("r/session_2*/runtime_resources/working_dir_files/*/*")
    assert sorted(path.name for path in travelled) == list(PACKAGES)


def test_a_wrong_option_fails_the_job_with_one_line(story, head):
    assert story.wrong["status"] == "FAILED" and story.wrong["driver_exit_code"] == 2
    assert "error: " in head.log("wrong") and "Traceback" not in head.log("wrong")


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_without_the_token_nothing_is_answered(head, token):
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        head.ask("/api/jobs/", token=token)
