"""Tests of joining a cluster: prompt refusals in one line, and the environment of workers."""

import logging
import os
import socket
import subprocess
import sys
import tempfile

import pytest

from scorelib.errors import InputError
from tests.clusters import ROOT, static_cluster
from tuning.execution import connected, session
from tuning.execution.session import ClusterOptions, ray_session
from tuning.own_modules import OwnModule


@pytest.fixture(scope="module")
def cluster():
    """Yields a head without CPUs; tests add the nodes they need."""
    with static_cluster(cpus=0) as made:
        yield made


@pytest.fixture
def join(cluster, monkeypatch):
    """Returns a function that joins the cluster, or another address, with a changed environment."""

    def joining(address=None, **changes):
        for name, value in (cluster.environment | changes).items():
            if name.startswith("RAY_AUTH"):
                monkeypatch.setenv(name, value)
        with ray_session(ClusterOptions(address or cluster.address)):
            pass

    return joining


def test_a_token_that_others_can_read_is_refused(join, tmp_path):
    token = tmp_path / "token"
    token.touch()
    token.chmod(0o644)  # whatever the umask
    with pytest.raises(InputError, match=f"other users can read it: run chmod 600 {token}"):
        join(RAY_AUTH_TOKEN_PATH=str(token))


def test_a_missing_token_is_refused(join, tmp_path):
    with pytest.raises(InputError, match=r"there is none at .*: set RAY_AUTH_TOKEN_PATH"):
        join(RAY_AUTH_TOKEN_PATH=str(tmp_path / "none"))


@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_a_wrong_token_or_none_is_one_line_and_no_wait(join, tmp_path, mode, capfd):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("ab" * 32)
    with pytest.raises(InputError, match="must be that of the cluster") as refused:
        join(RAY_AUTH_TOKEN_PATH=str(token), RAY_AUTH_MODE=mode)
    assert "\n" not in str(refused.value) and "abab" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("listens", [True, False])
def test_an_address_that_does_not_answer_is_refused(join, monkeypatch, listens, capfd):
    monkeypatch.setattr(session, "_ANSWER_SECONDS", 4.0)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))  # held, so that nobody else listens there
        if listens:
            one.listen()
        port = one.getsockname()[1]
        with pytest.raises(InputError, match=rf"127.0.0.1:{port}' did not answer within 4 s"):
            join(f"127.0.0.1:{port}")
    assert capfd.readouterr() == ("", "")


def test_a_cluster_without_cpus_asks_how_far_it_may_grow(join):
    with pytest.raises(InputError, match="must have CPUs, but it has none now") as refused:
        join()
    assert refused.value.fields == ("cpus", "gpus")


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


def test_a_session_in_a_process_that_has_ray_uses_this_ray_and_leaves_it(cluster, monkeypatch):
    for name, value in cluster.environment.items():
        if name.startswith("RAY_AUTH"):
            monkeypatch.setenv(name, value)
    given = os.environ["RAY_AUTH_TOKEN_PATH"], logging.getLogger("ray").level
    assert not connected.is_connected()
    with ray_session(ClusterOptions(cluster.address, cpus=1)):
        for address in (None, "auto", cluster.address):
            with ray_session(ClusterOptions(address, cpus=3)) as capacity:
                assert capacity.cpus == 3 and session.ray.nodes()
                assert os.environ["RAY_AUTH_TOKEN_PATH"] == given[0]
            assert connected.is_connected()
        with pytest.raises(
            InputError, match=r"must be that of the Ray .*, but got '127\.0\.0\.1:1'"
        ):
            connected.require_usable("127.0.0.1:1")
        monkeypatch.setattr(connected.ray_client, "is_connected", lambda: True)
        with pytest.raises(InputError, match="is connected by a ray:// address"):
            connected.require_usable(None)
    assert not connected.is_connected()
    assert (os.environ["RAY_AUTH_TOKEN_PATH"], logging.getLogger("ray").level) == given


def test_a_ray_that_starts_too_slowly_is_one_line_and_leaves_no_folder(monkeypatch, tmp_path):
    def init(**_):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(session.ray, "init", init)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    message = "within half a minute, but got The current node timed out during startup. Run the"
    with pytest.raises(InputError, match=message), ray_session(ClusterOptions(cpus=1)):
        pass
    assert os.listdir(tmp_path) == []


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
    # Ray has read the token of the first session, which is not valid for the second.
    with ray_session(ClusterOptions(cpus=1)) as capacity:
        assert capacity.cpus == 1
    assert os.environ.get("RAY_AUTH_TOKEN_PATH") == given


def test_a_node_says_why_it_cannot_import_a_users_module(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    lacking = OwnModule(
        "mine_lacking", "/user/mine_lacking.py", "import no_such_package\n", "/user"
    )
    problem = session._import_problem((lacking,))
    assert "mine_lacking.py:1: ModuleNotFoundError" in problem and "no_such_package" in problem
    whole = OwnModule("mine_whole", "/user/mine_whole.py", "value = 1\n", "/user")
    assert session._import_problem((whole,)) == ""
