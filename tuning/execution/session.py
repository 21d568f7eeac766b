"""Ray sessions: a local Ray on this machine, or the connection to a running cluster.

A local Ray has a token that only its user can read, and leaves nothing behind when it ends. A
cluster is joined from one of its nodes, and the driver runs on this node. The workers of the
cluster receive the code of the driver; they have packages such as torch from their image or setup.
All nodes must be able to access the store.

If the process is connected to a Ray already, as in a notebook that uses Ray for other purposes, the
session uses this Ray as it is: its token, its workers and its connection stay.
"""

import contextlib
import logging
import os
import secrets
import stat
import subprocess
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scorelib
from scorelib.errors import InputError
from tuning.addresses import local_path
from tuning.drivers.scratch import scratch_folder
from tuning.execution.connected import is_connected, require_usable
from tuning.execution.ray_import import AuthenticationTokenLoader, NodeAffinity, ray
from tuning.execution.resources import Capacity
from tuning.execution.watch import guarded, watching
from tuning.own_modules import OwnModule, import_all, own_modules

_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
_ANSWER_SECONDS = 20.0
_PROBE_SECONDS = 60.0
_OBJECT_STORE_BYTES = 200_000_000  # small, because jobs do not use Ray's object store


@dataclass(frozen=True)
class ClusterOptions:
    """The options that select and size Ray.

    Attributes:
        address: address of a running cluster, or "auto" on one of its nodes; None for a local Ray.
        cpus: number of CPUs of a local Ray, or maximum number to which a cluster may grow; None for
            the number of CPUs found.
        gpus: number of GPUs, defined like `cpus`.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None


@contextlib.contextmanager
def ray_session(
    options: ClusterOptions, on_lost: Callable[[str], None] | None = None
) -> Iterator[Capacity]:
    """Starts a local Ray or connects to a cluster, and ends the session on leaving.

    A Ray to which this process is connected already is used and not ended. However this process
    ends, a local Ray leaves no process and no file (`tuning.execution.watch`).

    Args:
        options: address of the cluster and numbers of CPUs and GPUs.
        on_lost: function that is called with an account, on another thread, if a local Ray dies
            before the session ends.

    Yields:
        The numbers of CPUs and GPUs, including the nodes that may be added according to `options`.

    Raises:
        InputError: if a local Ray cannot start, if no cluster answers at the address, if this
            process is connected to another cluster, or if the cluster has no CPUs and `options`
            names none that may be added.
    """
    warnings.filterwarnings("ignore", module=r"ray\..*")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    with contextlib.ExitStack() as leaving:
        # Tune prints a traceback for each lost worker; `searcher` already reports the lost job.
        for name, level in (("ray", logging.ERROR), ("ray.tune", logging.CRITICAL)):
            logger = logging.getLogger(name)
            leaving.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        if is_connected():
            require_usable(options.address)
            yield _capacity(options)
            return
        folder = leaving.enter_context(scratch_folder("ray-"))
        # Ray caches the first token that it reads, but each session has a token of its own.
        AuthenticationTokenLoader.instance().reset_cache()
        leaving.callback(AuthenticationTokenLoader.instance().reset_cache)
        if options.address is None:
            leaving.enter_context(guarded(folder))
            leaving.enter_context(_token_path(folder / "token"))
            leaving.callback(ray.shutdown)
            _start(options, folder, quiet)
            leaving.enter_context(watching(on_lost or (lambda account: None)))
        else:
            leaving.callback(ray.shutdown)
            _join(options.address, folder, quiet)
        yield _capacity(options)


@contextlib.contextmanager
def _token_path(path: Path) -> Iterator[None]:
    """Makes Ray read its token from a file while the context is active."""
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
    """Starts a local Ray with a new token.

    Every user of the machine could read Ray's default token. Ray opens its folder to all users, so
    the folder lies in one that is closed to them; its name is short, as paths of sockets must be.
    An address of a cluster in the environment is ignored.
    """
    try:
        token = Path(os.environ[_TOKEN_PATH])
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        # Workers look for code in the driver's current folder first, where a folder may be named
        # as one of our packages. So Ray starts from another folder.
        with contextlib.chdir(folder), _only_what_runs_jobs():
            ray.init(
                address="local", object_store_memory=_OBJECT_STORE_BYTES,
                num_cpus=options.cpus, num_gpus=options.gpus, include_dashboard=False,
                _temp_dir=str(folder / "r"), **quiet,
            )  # fmt: skip
    except (OSError, RuntimeError) as error:  # e.g. a socket path of more than 107 bytes
        raise InputError(
            f"Ray must be able to start in {folder}, but got "
            f"{str(error).strip().splitlines()[-1]}: set TMPDIR to a folder with free space and a "
            "short path, such as /tmp"
        ) from error
    except Exception as error:
        if type(error) is not Exception:  # the class that Ray raises if a process starts too slowly
            raise
        raise InputError(
            f"Ray must start within half a minute, but got {' '.join(str(error).split())} Run the "
            "command again when the machine has less to do"
        ) from error


@contextlib.contextmanager
def _only_what_runs_jobs() -> Iterator[None]:
    """Makes Ray start no process that only a cluster needs, while the context is active.

    The server of the dashboard (which Ray starts also without a dashboard), the forwarder of logs
    and the autoscaler take two seconds of processor time, and Ray waits for the first. Ray has no
    public setting for this; see `tuning.execution.actor_cache` on private classes.
    """
    node = ray._private.node.Node
    names = ("start_api_server", "start_log_monitor", "start_monitor")
    given = {name: getattr(node, name) for name in names}
    for name in names:
        setattr(node, name, lambda self, **_: None)
    try:
        yield
    finally:
        for name in names:
            setattr(node, name, given[name])


def _join(address: str, folder: Path, quiet: dict[str, Any]) -> None:
    """Connects to a cluster and sends the code of this driver to its workers."""
    _require_private_token()
    _require_answer(address)
    runtime_env = None
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a submitted job includes its code
        ours = Path(__file__).parents[1]
        packages = [str(Path(str(scorelib.__file__)).parent), str(ours)]
        packages += [str(ours.with_name("studies"))]  # which a study in a file may import
        packages += sorted({str(own.package) for own in own_modules() if own.package})
        runtime_env = {"py_modules": packages, "excludes": ["__pycache__"]}
    try:
        # Workers look for code in the driver's current folder first, and a node may have an older
        # copy of the code in that folder. So the driver connects from another folder.
        with contextlib.chdir(folder):
            ray.init(address=address, runtime_env=runtime_env, **quiet)
    except (ConnectionError, RuntimeError) as error:
        raise _no_cluster(f"{address!r} does not answer: {error}") from error


def _require_private_token() -> None:
    """Raises InputError if the cluster's token is missing or other users can read it."""
    given = os.environ.get(_TOKEN_PATH)
    path = local_path(given or "~/.ray/auth_token")
    if os.environ.get("RAY_AUTH_MODE", "token") != "token" or "RAY_AUTH_TOKEN" in os.environ:
        return
    if not path.is_file():
        raise InputError(
            f"a cluster must have a token, but there is none at {path}: set RAY_AUTH_TOKEN_PATH to "
            "the file of the cluster's token, or RAY_AUTH_MODE=disabled if the cluster has none"
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(
            "the cluster's token must be readable by you alone, but other users can read it: run "
            f"chmod 600 {path}"
        )


def _require_answer(address: str) -> None:
    """Raises InputError unless a cluster answers and accepts the token.

    A separate process sends the request, because Ray's client retries for a long time and prints
    each attempt.
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
            f"the token must be that of the cluster at {address!r}, but the cluster got another "
            "token or no token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to a file with the "
            "cluster's token"
        )
    why = (asked.stderr.strip() or asked.stdout.strip() or "no reason given").splitlines()[-1]
    raise _no_cluster(f"got {address!r}: {why}")


def _no_cluster(account: str) -> InputError:
    return InputError(f"the address must name a running Ray cluster, but {account}", "address")


def require_visible(store_folder: str) -> None:
    """Raises InputError if a node of the cluster cannot see the local folder of a store.

    Args:
        store_folder: path of the store's folder; the folder need not exist yet.

    Raises:
        InputError: if a node cannot see the folder (the message names the node), or if the folder
            cannot be written to.
    """
    folder = Path(store_folder).resolve()
    while not folder.exists():
        folder = folder.parent
    probe = folder / f".visible-{uuid.uuid4().hex[:12]}"
    try:
        probe.touch()
    except OSError as error:
        raise InputError(
            f"the store must be in a writable folder, but got {str(folder)!r} "
            f"({error.strerror}): fix its permissions or choose another folder",
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
            f"the store must be visible on all nodes of the cluster, but {store_folder!r} is "
            f"missing on {', '.join(sorted(blind)[:3])}: use a folder that all nodes mount, or "
            "s3:// or gs://",
            "store",
        )


def require_modules() -> None:
    """Raises InputError if a node of the cluster cannot import the user's own modules."""
    modules = own_modules()
    if not modules:
        return
    probe = ray.remote(num_cpus=0, max_retries=0)(_import_problem)
    for node in (node for node in ray.nodes() if node["Alive"]):
        place = NodeAffinity(node["NodeID"], soft=False)
        try:
            problem = ray.get(
                probe.options(scheduling_strategy=place).remote(modules), timeout=_PROBE_SECONDS
            )
        except ray.exceptions.RayError:
            continue  # the node was lost or is busy: its workers report the problem
        if problem:
            raise InputError(
                f"every worker must be able to import {', '.join(m.name for m in modules)}, but on "
                f"{node['NodeManagerHostname']} {problem}: install what is missing there, or put "
                f"modules that import each other into one package"
            )


def _import_problem(modules: tuple[OwnModule, ...]) -> str:
    """Returns why modules cannot be imported in this process; "" if they can."""
    try:
        import_all(modules)
    except InputError as error:
        return str(error)
    return ""


def _saw(answer: Any) -> bool:
    try:
        return bool(ray.get(answer))
    except ray.exceptions.RayError:
        return True  # the node was lost, which says nothing about the folder


def _capacity(options: ClusterOptions) -> Capacity:
    """Returns the numbers of CPUs and GPUs that Ray has found or the options state, if larger.

    The options state the maximum size of a growing cluster, because Ray does not report this size.
    """
    found = ray.cluster_resources()
    capacity = Capacity(
        cpus=max(float(found.get("CPU", 0)), float(options.cpus or 0)),
        gpus=max(float(found.get("GPU", 0)), float(options.gpus or 0)),
    )
    if not capacity.cpus:
        raise InputError(
            "the cluster must have CPUs, but it has none now: if it adds nodes on demand, give the "
            "maximum numbers of CPUs and GPUs",
            "cpus",
            "gpus",
        )
    return capacity
