"""Joining a cluster: what is refused, in one line and promptly, and what its workers are given."""

import os
import socket
import subprocess
import sys
import tempfile

import pytest

from scorelib.errors import InputError
from tests.clusters import ROOT, free_port, static_cluster
from tests.miniature import OPTIONS
from tuning.execution import session
from tuning.execution.session import ClusterOptions, ray_session

HIDDEN = 'mount -t tmpfs none {} && exec "$@"'
"""Runs a command that does not see what is in a folder, from within `unshare --mount`."""


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs; tests add the nodes they need."""
    with static_cluster(cpus=0) as made:
        yield made


@pytest.fixture
def join(cluster, monkeypatch):
    """Joins the cluster, or another address, with a changed environment."""

    def joining(address=None, **changes):
        for name, value in (cluster.environment | changes).items():
            if name.startswith("RAY_AUTH"):
                monkeypatch.setenv(name, value)
        with ray_session(ClusterOptions(address or cluster.address)):
            pass

    return joining


def test_a_token_that_others_can_read_is_refused(join, tmp_path):
    token = tmp_path / "token"
    token.touch(mode=0o644)
    with pytest.raises(InputError, match=f"yours alone to read: chmod 600 {token}"):
        join(RAY_AUTH_TOKEN_PATH=str(token))


def test_a_missing_token_is_refused(join, tmp_path):
    with pytest.raises(InputError, match=r"there is none at .*: set RAY_AUTH_TOKEN_PATH"):
        join(RAY_AUTH_TOKEN_PATH=str(tmp_path / "none"))


@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_a_wrong_token_or_none_is_one_line_and_no_wait(join, tmp_path, mode, capfd):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("ab" * 32)
    with pytest.raises(InputError, match="must be given its own token") as refused:
        join(RAY_AUTH_TOKEN_PATH=str(token), RAY_AUTH_MODE=mode)
    assert "\n" not in str(refused.value) and "abab" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("listens", [True, False])
def test_an_address_that_does_not_answer_is_refused(join, monkeypatch, listens, capfd):
    monkeypatch.setattr(session, "_ANSWER_SECONDS", 4.0)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1] if listens else free_port()
        with pytest.raises(InputError, match=rf"127.0.0.1:{port}' did not answer within 4 s"):
            join(f"127.0.0.1:{port}")
    assert capfd.readouterr() == ("", "")


def test_the_code_of_this_driver_reaches_the_workers(cluster, tmp_path):
    code = (
        "import sys\n"
        "from tuning.execution.ray_import import ray\n"
        "from tuning.execution.session import ClusterOptions, ray_session\n"
        "def where():\n"
        "    import scorelib, tuning.stages\n"
        "    return scorelib.__file__, tuning.stages.__file__\n"
        "with ray_session(ClusterOptions(sys.argv[1], cpus=1)):\n"
        "    print(*ray.get(ray.remote(num_cpus=0)(where).remote()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, cluster.address], env=cluster.environment, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for file in done.stdout.split():
        assert file.startswith(str(cluster.folder)) and "/runtime_resources/" in file


def study(cluster, store, *options):
    return subprocess.Popen(
        [
            sys.executable, "-m", "studies.run", "cifar_sampling_eps", *OPTIONS, "--address",
            cluster.address, "--store", str(store), *options,
        ],
        env=cluster.environment, cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def refusal(process):
    """The one line of a driver that refuses, within a minute."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2, output + errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in errors, errors
    return lines[0]


def test_a_cluster_without_cpus_asks_how_far_it_may_grow(cluster, tmp_path):
    line = refusal(study(cluster, tmp_path / "store"))
    assert "must have CPUs; it has none now" in line and "--cpus" in line
    assert not (tmp_path / "store").exists()


@pytest.fixture
def shared(tmp_path):
    """A folder that `add_blind_node` can hide."""
    probe = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if probe.returncode:
        pytest.skip(f"needs mount namespaces, to hide a folder from a node: {probe.stderr.strip()}")
    return tmp_path


def test_a_folder_too_long_for_rays_sockets_is_refused_and_another_session_starts(
    tmp_path, monkeypatch
):
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    message = r"Ray must be able to start in .*AF_UNIX path length .*: set TMPDIR"
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        with pytest.raises(InputError, match=message), ray_session(ClusterOptions(cpus=1)):
            pass
    assert os.listdir(folder) == []
    # Ray has read the first session's token, which is of no use to the second.
    with ray_session(ClusterOptions(cpus=1)) as capacity:
        assert capacity.cpus == 1
    assert os.environ.get("RAY_AUTH_TOKEN_PATH") == given


def add_blind_node(cluster, folder):
    """Joins a node for which a folder is empty."""
    hide = ["unshare", "--mount", "sh", "-c", HIDDEN.format(folder), "sh"]
    cluster.add_node(cpus=1, prefix=hide)
    cluster.wait_until(cluster.workers, 30.0)


def test_a_node_without_the_store_ends_a_run_it_joins_and_is_refused_at_the_start(cluster, shared):
    process = study(cluster, shared / "store", "--cpus", "1")
    cluster.wait_until(lambda: (shared / "store" / "store.json").exists() or process.poll(), 60.0)
    add_blind_node(cluster, shared)
    line = refusal(process)
    assert "must hold a store" in line and socket.gethostname() in line
    assert not list((shared / "store").glob("objects/*/*"))

    before = os.listdir(shared)
    line = refusal(study(cluster, shared / "another"))
    assert "the store must be visible on all nodes of the cluster" in line
    assert os.listdir(shared) == before
