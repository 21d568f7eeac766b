"""Ray sessions: one of our own on this machine, or a cluster joined; ended with all they started.

A session of our own has a token that only its user can read, and nothing of it is left when it
ends. A cluster is joined from one of its nodes: the driver stays here, beside its store, lock and
ledger. Its workers are given this very code (packages such as torch are theirs already, from their
image or set-up), and must see the store.
"""

import contextlib
import logging
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scorelib
from scorelib.errors import InputError
from tuning.execution.ray_import import AuthenticationTokenLoader, NodeAffinity, ray
from tuning.execution.resources import Capacity

_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
_ANSWER_SECONDS = 20.0
_PROBE_SECONDS = 60.0
_OBJECT_STORE_BYTES = 200_000_000  # nothing of ours travels through it


@dataclass(frozen=True)
class ClusterOptions:
    """Which Ray to use.

    Attributes:
        address: of a running cluster, "auto" on one of its nodes; None for one of our own here.
        cpus: CPUs of our own Ray, or those that a cluster may grow to; None for those found.
        gpus: GPUs, likewise.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None


@contextlib.contextmanager
def ray_session(options: ClusterOptions) -> Iterator[Capacity]:
    """Ray, connected to or started; ended, with all it started, on leaving.

    Yields:
        The most it can give, counting what its autoscaler is said to add.

    Raises:
        InputError: Ray cannot start here; no cluster answers at the address, or it has no CPUs and
            none are to come.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    # Tune prints a traceback for each worker lost; `searcher` tells what became of its job.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"ray\..*")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    with contextlib.ExitStack() as leaving:
        folder = Path(tempfile.mkdtemp(prefix="ray-"))
        leaving.callback(shutil.rmtree, folder, ignore_errors=True)
        # Ray keeps the first token that it reads: a session before this one had another.
        AuthenticationTokenLoader.instance().reset_cache()
        leaving.callback(ray.shutdown)
        if options.address is None:
            leaving.enter_context(_token_path(folder / "token"))
            _start(options, folder, quiet)
        else:
            _join(options.address, folder, quiet)
        yield _capacity(options)


@contextlib.contextmanager
def _token_path(path: Path) -> Iterator[None]:
    """Has Ray read its token from this file."""
    given = os.environ.get(_TOKEN_PATH)
    os.environ[_TOKEN_PATH] = str(path)
    try:
        yield
    finally:
        if given is None:
            del os.environ[_TOKEN_PATH]
        else:
            os.environ[_TOKEN_PATH] = given


def _start(options: ClusterOptions, folder: Path, quiet: dict[str, Any]) -> None:
    """Starts a Ray of our own, with a token of its own.

    Ray's default token is readable by every user of the machine.
    """
    try:
        token = Path(os.environ[_TOKEN_PATH])
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        ray.init(
            object_store_memory=_OBJECT_STORE_BYTES,
            num_cpus=options.cpus, num_gpus=options.gpus, include_dashboard=False,
            _temp_dir=str(folder), **quiet,
        )  # fmt: skip
    except (OSError, RuntimeError) as error:  # such as sockets' paths of more than 107 bytes
        raise InputError(
            f"Ray must be able to start in {folder}; got {str(error).strip().splitlines()[-1]}: "
            "set TMPDIR to a folder with room and a short path, such as /tmp"
        ) from error


def _join(address: str, folder: Path, quiet: dict[str, Any]) -> None:
    """Connects to a cluster, giving its workers this very code."""
    _require_private_token()
    _require_answer(address)
    runtime_env = None
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a submitted job brings its code along
        packages = [str(Path(str(scorelib.__file__)).parent), str(Path(__file__).parents[1])]
        runtime_env = {"py_modules": packages, "excludes": ["__pycache__"]}
    try:
        # From elsewhere: workers look for code in the driver's current folder first, and a node may
        # have an older copy there.
        with contextlib.chdir(folder):
            ray.init(address=address, runtime_env=runtime_env, **quiet)
    except (ConnectionError, RuntimeError) as error:
        raise _no_cluster(f"{address!r} does not answer: {error}") from error


def _require_private_token() -> None:
    """Raises InputError if the cluster's token lies where other users can read it."""
    given = os.environ.get(_TOKEN_PATH)
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    if os.environ["RAY_AUTH_MODE"] != "token" or "RAY_AUTH_TOKEN" in os.environ:
        return
    if not path.is_file():
        raise InputError(
            f"a cluster must have a token; there is none at {path}: set RAY_AUTH_TOKEN_PATH to the "
            "cluster's, or RAY_AUTH_MODE=disabled if it has none"
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(f"the cluster's token must be yours alone to read: chmod 600 {path}")


def _require_answer(address: str) -> None:
    """Raises InputError unless a cluster answers and takes our token.

    Asked in a process of its own: Ray's client tries for long, and prints each attempt.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        raise _no_cluster(f"{address!r} did not answer within {_ANSWER_SECONDS:g} s") from None
    if asked.returncode == 0:
        return
    if "InvalidAuthToken" in asked.stderr:
        raise InputError(
            f"the cluster at {address!r} must be given its own token, and was given another or "
            "none: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to a file that holds it"
        )
    why = (asked.stderr.strip() or asked.stdout.strip() or "no reason given").splitlines()[-1]
    raise _no_cluster(f"got {address!r}: {why}")


def _no_cluster(account: str) -> InputError:
    return InputError(f"the address must name a running Ray cluster; {account}", "address")


def require_visible(store_folder: str) -> None:
    """Refuses a store in a local folder that some node of the cluster does not see.

    Args:
        store_folder: its path, of which the end need not be there yet.

    Raises:
        InputError: naming the node; or the folder cannot be written to.
    """
    folder = Path(store_folder).resolve()
    while not folder.exists():
        folder = folder.parent
    probe = folder / f".visible-{uuid.uuid4().hex[:12]}"
    try:
        probe.touch()
    except OSError as error:
        raise InputError(
            f"the store must be in a folder that can be written to; {str(folder)!r}: "
            f"{error.strerror}",
            "store",
        ) from error
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        look = ray.remote(num_cpus=0, max_retries=0)(os.path.exists)
        asked = {
            look.options(scheduling_strategy=NodeAffinity(node["NodeID"], soft=False)).remote(
                str(probe)
            ): node["NodeManagerHostname"]
            for node in nodes
        }
        answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_SECONDS)
        blind = [asked[ref] for ref in answered if not _saw(ref)] + [asked[ref] for ref in silent]
    finally:
        probe.unlink()
    if blind:
        raise InputError(
            f"the store must be visible on all nodes of the cluster; {store_folder!r} is not on "
            f"{', '.join(sorted(blind)[:3])}: use a folder that all nodes mount, or s3:// or gs://",
            "store",
        )


def _saw(answer: Any) -> bool:
    try:
        return bool(ray.get(answer))
    except ray.exceptions.RayError:
        return True  # the node went away: not what is asked here


def _capacity(options: ClusterOptions) -> Capacity:
    """What there is, or what the cluster may grow to: Ray does not tell how far that is."""
    found = ray.cluster_resources()
    capacity = Capacity(
        cpus=max(float(found.get("CPU", 0)), float(options.cpus or 0)),
        gpus=max(float(found.get("GPU", 0)), float(options.gpus or 0)),
    )
    if not capacity.cpus:
        raise InputError(
            "the cluster must have CPUs; it has none now: if it grows by itself, say how far",
            "cpus",
            "gpus",
        )
    return capacity
