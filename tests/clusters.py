"""Ray clusters of several nodes on this machine: ordinary clusters, and autoscaling heads.

Each cluster has its own folder. All processes of a cluster name the folder in their command line or
environment; by this name they are found and, at the end, stopped. No other process is touched. The
path of the folder is short, because Ray keeps sockets below it.

The autoscaler is Ray's own, but starts raylets on this machine instead of new machines.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).parents[1]
RAY = str(Path(sys.executable).with_name("ray"))
HEAD_ID = "f" * 51 + "00000"
"""Node id of the head, which the node provider must know in advance."""

_OBJECT_STORE_BYTES = 80_000_000
_NODE_COMMANDS = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
    "head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files",
    "rsync_exclude", "rsync_filter",
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A node as reported by the head of the cluster.

    Attributes:
        id: id of the node, hexadecimal.
        resources: total resources of the node.
        came: time at which the node was first seen alive, on `time.monotonic`.
        went: time at which the node was first seen dead; None while it is alive.
    """

    id: str
    resources: Mapping[str, float]
    came: float
    went: float | None = None


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: folder that all processes of the cluster name.
        address: address of the head.
        environment: environment variables for processes that join the cluster.
    """

    folder: Path
    address: str
    environment: dict[str, str]
    _seen: dict[str, Node] = field(default_factory=dict)
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def token(self) -> Path:
        """Returns the file with the token of the cluster."""
        return self.folder / "token"

    def nodes(self) -> list[Node]:
        """Returns all nodes ever seen, in order of appearance, including the head."""
        with self._news:
            return sorted(self._seen.values(), key=lambda node: node.came)

    def workers(self) -> list[Node]:
        """Returns the nodes that are alive, without the head."""
        return [node for node in self.nodes() if node.went is None and not is_head(node)]

    def wait_until(self, condition: Callable[[], object], seconds: float) -> None:
        """Waits for a condition; checks it when a node joins or leaves, and ten times a second."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {seconds:g} s; nodes: {self.nodes()}")
            with self._news:
                self._news.wait(min(left, 0.1))

    def raylet(self, node_id: str) -> int:
        """Returns the process id of the raylet of a node."""
        for pid in processes(self.folder):
            if _is_raylet(pid) and node_of_raylet(pid) == node_id:
                return pid
        raise AssertionError(f"no raylet of node {node_id}")

    def kill_node(self, node_id: str) -> None:
        """Ends a node as a power failure would: SIGKILL to its raylet and all child processes."""
        raylet = self.raylet(node_id)
        doomed = [raylet, *descendants(raylet)]
        for pid in doomed:
            os.kill(pid, signal.SIGSTOP)  # first, so that no process reports the end of another
        for pid in reversed(doomed):
            os.kill(pid, signal.SIGKILL)

    def drain_node(self, node_id: str) -> None:
        """Announces that a node will end in one second, as a cloud does for a spot machine."""
        subprocess.run(
            [
                RAY, "drain-node", f"--address={self.address}", f"--node-id={node_id}",
                "--reason=DRAIN_NODE_REASON_PREEMPTION", "--reason-message=test",
                "--deadline-remaining-seconds=1",
            ],
            env=self.environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def watch(self) -> contextlib.AbstractContextManager[None]:
        """Records when nodes join and leave, while active."""
        return _watching(self)

    def add_node(
        self, *, cpus: int, gpus: int = 0, prefix: Sequence[str] = (), **environment: str
    ) -> None:
        """Joins one more ordinary node.

        Args:
            cpus: CPUs of the node.
            gpus: GPUs of the node.
            prefix: command that runs the node, such as one that hides folders from it.
            environment: additional environment variables.
        """
        _start(
            [
                *prefix, RAY, "start", f"--address={self.address}", f"--num-cpus={cpus}",
                f"--num-gpus={gpus}",
            ],
            self.environment | environment, self.folder,
        )  # fmt: skip


def is_head(node: Node) -> bool:
    """Returns whether a node is the head."""
    return "node:__internal_head__" in node.resources


def processes(folder: Path) -> list[int]:
    """Returns the processes that name a folder in command line or environment, except this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
            if str(folder).encode() in text and int(path.name) != os.getpid():
                found.append(int(path.name))
    return found


def parent(pid: int) -> int:
    """Returns the parent of a process; 0 if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return int(stat.rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    """Returns the children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        children.setdefault(parent(int(path.name)), []).append(int(path.name))
    found, left = [], [pid]
    while left:
        young = children.get(left.pop(), [])
        found += young
        left += young
    return found


def node_of(pid: int) -> str | None:
    """Returns the id of the node that a worker process belongs to; None if the process is gone."""
    return node_of_raylet(parent(pid))


def node_of_raylet(pid: int) -> str | None:
    """Returns the id of the node whose raylet a process is; None if it is no raylet."""
    for argument in _command(pid):
        if argument.startswith("--node_id="):
            return argument.partition("=")[2]
    return None


def _is_raylet(pid: int) -> bool:
    return Path(next(iter(_command(pid)), "")).name == "raylet"


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


@contextlib.contextmanager
def autoscaling_head(
    *, v2: bool, worker: Mapping[str, float], max_workers: int, idle_seconds: float = 6.0
) -> Iterator[Cluster]:
    """Yields a head without CPUs whose autoscaler starts workers on this machine on demand.

    Args:
        v2: whether to use the second version of Ray's autoscaler instead of the first.
        worker: resources of a worker node, such as {"CPU": 1, "GPU": 1}.
        max_workers: maximum number of worker nodes at a time.
        idle_seconds: seconds after which an idle worker node is stopped.
    """
    port = free_port()
    with _cluster(port) as cluster:
        config = cluster.folder / "autoscaler.json"
        config.write_text(
            json.dumps(_autoscaler(cluster.address, v2, worker, max_workers, idle_seconds))
        )
        environment = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        if v2:
            environment |= {
                "RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
                "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
            }  # fmt: skip
        _start_head(cluster, port, 0, 0, environment, f"--autoscaling-config={config}")
        with cluster.watch():
            yield cluster


def _autoscaler(
    address: str, v2: bool, worker: Mapping[str, float], max_workers: int, idle_seconds: float
) -> dict[str, object]:
    provider = {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "use_node_id_as_ip": True, "disable_node_updaters": True,
        "disable_launch_config_check": True, "gcs_address": address, "head_node_id": HEAD_ID,
        "launch_multiple": v2,  # the first version calls once per node in any case
    }  # fmt: skip
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    resources = {**worker, "object_store_memory": _OBJECT_STORE_BYTES}
    workers = {
        "resources": resources, "node_config": {}, "min_workers": 0, "max_workers": max_workers,
    }  # fmt: skip
    return {
        "cluster_name": "test", "max_workers": max_workers, "upscaling_speed": 1.0,
        "idle_timeout_minutes": idle_seconds / 60, "provider": provider,
        "available_node_types": {"ray.head.default": head, "worker": workers},
        "head_node_type": "ray.head.default", "auth": {}, "docker": {}, "file_mounts": {},
        "file_mounts_sync_continuously": False,
    } | {name: [] for name in _NODE_COMMANDS}  # fmt: skip


@contextlib.contextmanager
def static_cluster(*, cpus: int, gpus: int = 0) -> Iterator[Cluster]:
    """Yields an ordinary head, to which `Cluster.add_node` adds nodes.

    Args:
        cpus: CPUs of the head.
        gpus: GPUs of the head.
    """
    with contextlib.ExitStack() as stack:
        try:
            cluster = _started(stack, cpus, gpus)
        except _NotStarted:  # Ray gives its server half a minute, also on a busy machine
            stack.close()
            cluster = _started(stack, cpus, gpus)
        with cluster.watch():
            yield cluster


def _started(stack: contextlib.ExitStack, cpus: int, gpus: int) -> Cluster:
    port = free_port()
    cluster = stack.enter_context(_cluster(port))
    _start_head(cluster, port, cpus, gpus, {})
    return cluster


@contextlib.contextmanager
def _cluster(port: int) -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = kept | {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "OMP_NUM_THREADS": "1",
        # A lost node is detected in seconds instead of a quarter of a minute.
        "RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3",
        "RAY_health_check_timeout_ms": "5000",
    }  # fmt: skip
    try:
        yield Cluster(folder, f"127.0.0.1:{port}", environment)
    finally:
        _end(folder)


def _start_head(
    cluster: Cluster, port: int, cpus: int, gpus: int, environment: dict[str, str], *options: str
) -> None:
    _start(
        [
            RAY, "start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}",
            f"--temp-dir={cluster.folder}/r", "--include-dashboard=false", f"--num-cpus={cpus}",
            f"--num-gpus={gpus}", *options,
        ],
        cluster.environment | environment, cluster.folder,
    )  # fmt: skip


class _NotStarted(Exception):
    """Raised with Ray's output if a node does not start."""


def _start(command: list[str], environment: dict[str, str], folder: Path) -> None:
    common = [
        "--disable-usage-stats", "--min-worker-port=0", "--max-worker-port=0",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
    ]  # fmt: skip
    done = subprocess.run(
        [*command, *common], env=environment, cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise _NotStarted(done.stdout)


def _end(folder: Path) -> None:
    """Sends SIGTERM, then SIGKILL, to exactly the processes that name the folder."""
    for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
        end = time.monotonic() + seconds
        for pid in processes(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while (left := processes(folder)) and time.monotonic() < end:
            _wait_for_end(left[0], end - time.monotonic())
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for_end(pid: int, seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], max(0.0, seconds))
        finally:
            os.close(descriptor)


# The list of nodes is followed in a separate process: Ray reads its token once per process.
_WATCH = """
import json, sys, time
from ray._raylet import GcsClient
head, known = GcsClient(address=sys.argv[1]), None
while True:
    nodes = head.get_all_node_info().items()
    found = {id.hex(): [n.state == 0, dict(n.resources_total)] for id, n in nodes}
    if found != known:
        print(json.dumps(found), flush=True)
        known = found
    time.sleep(0.1)
"""


@contextlib.contextmanager
def _watching(cluster: Cluster) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCH, cluster.address], env=cluster.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    thread = threading.Thread(target=_follow, args=(cluster, process.stdout), daemon=True)
    thread.start()
    try:
        cluster.wait_until(lambda: any(map(is_head, cluster.nodes())), 90.0)
        yield
    finally:
        process.kill()
        process.wait()
        thread.join()
        process.stdout.close()


def _follow(cluster: Cluster, lines: Iterator[str]) -> None:
    for line in lines:
        now = time.monotonic()
        with cluster._news:
            for node_id, (alive, resources) in json.loads(line).items():
                known = cluster._seen.get(node_id)
                came = known.came if known else now
                kept = resources or (known.resources if known else {})
                went = None if alive else (known.went if known and known.went else now)
                cluster._seen[node_id] = Node(node_id, kept, came, went)
            cluster._news.notify_all()
