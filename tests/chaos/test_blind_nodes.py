"""Tests of a cluster with a node that lacks the store or a module: one line, promptly."""

import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.clusters import ROOT, static_cluster
from tests.miniature import OPTIONS
from tests.studies.own_study import TEXT

ONLY_HERE = """
import os

if "OF_THE_DRIVER" not in os.environ:
    raise ImportError("no licence for this machine")
"""
"""The beginning of a module that the driver can import and a worker cannot."""

HIDDEN = 'mount -t tmpfs none {} && exec "$@"'
"""Runs a command that does not see the content of a folder, within `unshare --mount`."""


@pytest.fixture(scope="module")
def cluster():
    """Yields a head without CPUs; tests add the nodes they need."""
    with static_cluster(cpus=0) as made:
        yield made


def study(cluster, store, *options, name=("cifar_sampling_eps", *OPTIONS)):
    return subprocess.Popen(
        [
            sys.executable, "-m", "studies.run", *name, "--address", cluster.address, "--store",
            str(store), *options,
        ],
        env=cluster.environment, cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def refusal(process):
    """Returns the one-line message of a driver that refuses to run, within a minute."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2, output + errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in errors, errors
    return lines[0]


def test_a_worker_that_cannot_import_a_module_refuses_before_the_store_exists(cluster, tmp_path):
    file = tmp_path / "my_study.py"
    file.write_text(ONLY_HERE + TEXT)
    driver = replace(cluster, environment=cluster.environment | {"OF_THE_DRIVER": "1"})
    line = refusal(study(driver, tmp_path / "store", "--cpus", "1", name=(str(file),)))
    assert "every worker must be able to import my_study, but on " in line
    assert f"{file}:5: ImportError: no licence for this machine" in line
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def shared(tmp_path):
    """Returns a folder that `add_blind_node` can hide."""
    probe = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if probe.returncode:
        pytest.skip(f"needs mount namespaces, to hide a folder from a node: {probe.stderr.strip()}")
    return tmp_path


def add_blind_node(cluster, folder):
    """Joins a node on which a folder is empty."""
    hide = ["unshare", "--mount", "sh", "-c", HIDDEN.format(folder), "sh"]
    cluster.add_node(cpus=1, prefix=hide)
    cluster.wait_until(cluster.workers, 30.0)


def test_a_node_without_the_store_ends_a_run_it_joins_and_is_refused_at_the_start(cluster, shared):
    process = study(cluster, shared / "store", "--cpus", "1")
    cluster.wait_until(lambda: (shared / "store" / "store.json").exists() or process.poll(), 60.0)
    add_blind_node(cluster, shared)
    line = refusal(process)
    assert "must be a store" in line and socket.gethostname() in line
    assert not list((shared / "store").glob("objects/*/*"))

    before = os.listdir(shared)
    line = refusal(study(cluster, shared / "another"))
    assert "the store must be visible on all nodes of the cluster" in line
    assert os.listdir(shared) == before
