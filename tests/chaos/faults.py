"""Scenarios of processes that are killed with their litter, and of documents that are damaged."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from dashboards.web.child_servers import listens
from studies.cli.command import STOPPED
from tests.chaos.drivers import require_single_runs, wait_for_work
from tests.clusters import descendants
from tests.launches import (
    csv,
    finish,
    launch,
    left_of,
    manifests,
    undisturbed,
    wait_for,
    workers_of,
)

_GRACE_SECONDS = 30.0
"""Time between SIGTERM and SIGKILL, as Slurm's KillWait."""

_MOMENTS = ("locks/*", "leases/*", "checkpoints/*/*", "objects/score/*/manifest.json")
"""Moments of a stop, as files just written: before Ray starts, as the first job starts, in a
training, between scores."""

_PARTS = ("gcs_server", "raylet")
"""Processes of Ray that the memory killer may end alone."""

_DAMAGES = (b"", b"[1]", b'{"a":', b"null", b"\xff\xfe", b"[" * 100_000)
_FOLDERS = ("rates", "gpu-memory", "code", "studies", "launches")
"""Documents that a running study reads and writes, of which a damaged one is made again."""


def stop_as_slurm(folder: Path) -> str:
    """Sends SIGTERM to every process and SIGKILL later, at several moments; kills parts of Ray."""
    reference, store, temporary = undisturbed(), folder / "store", folder / "tmp"
    temporary.mkdir()
    slowest = 0.0
    for pattern in _MOMENTS:
        process = launch(store, folder, environment={"TMPDIR": str(temporary)})
        wait_for(store, pattern, len(list(store.glob(pattern))) + 1, process)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGTERM)
        for pid, _ in left_of(process):  # Ray puts some into groups of their own
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        seconds = time.monotonic() - began
        slowest = max(slowest, seconds)
        for pid, _ in left_of(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == STOPPED, (pattern, process.returncode, output)
        assert output.count("Stopped (") == 1 and "Traceback" not in output, output
        require_gone(process, temporary)
    for part in _PARTS:
        launched = time.time()  # a lease of the run before may be left
        process = launch(store, folder, environment={"TMPDIR": str(temporary)})
        wait_for_work(store, launched, process)
        (pid,) = [pid for pid, command in left_of(process) if part in command.split("\0")[0]]
        os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == STOPPED and output.count("Stopped (") == 1, (part, output)
        require_gone(process, temporary)
    output = finish(store, folder, environment={"TMPDIR": str(temporary)})
    assert csv(store) == csv(reference) and manifests(store) == manifests(reference), output
    return (
        f"exit code {STOPPED} each of {len(_MOMENTS)} times, within {slowest:.0f} s, and after "
        f"kill -9 of {' and of '.join(_PARTS)}; same table"
    )


def require_gone(process: "subprocess.Popen[str]", temporary: Path, seconds: float = 20.0) -> None:
    """Asserts that soon no process and no temporary folder of a driver is left."""
    until = time.monotonic() + seconds
    while left := [*left_of(process), *temporary.glob("ray-*"), *temporary.glob("tune-*")]:
        assert time.monotonic() < until, left
        time.sleep(0.1)


def kill_workers(folder: Path) -> str:
    """Kills workers alone, some in the middle of a write, and looks for what they left."""
    reference, store = undisturbed(), folder / "store"
    process = launch(store, folder)
    kills = 0
    for count in (2, 6, 10, 14):
        wait_for(store, "objects/*/*/manifest.json", count, process)
        # A file that is being written, or one of a result without its manifest, lives for an
        # instant: a worker that is stopped just then is killed with it.
        for worker in workers_of(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                kills += 1
    plant(store)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert csv(store) == csv(reference) and manifests(store) == manifests(reference)
    require_single_runs(store, reference)
    left = litter(store)
    finish(store, folder)
    assert litter(store) == [], litter(store)
    return f"{kills} workers killed: same table; {len(left)} files left, removed by the next start"


def plant(store: Path) -> None:
    """Leaves what a worker leaves that is killed in each of the two instants of a commit."""
    code = (
        "import os, signal, sys\n"
        "from tuning.store import files, store as module\n"
        "die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "if sys.argv[2] == 'file':\n    os.replace = die\n"
        "else:\n    module.as_json = die\n"
        "module.Store(sys.argv[1]).commit(\n"
        "    'score', '0' * 32, spec={}, result={}, cost={}, files={'a': b'1'})\n"
    )
    for instant in ("file", "manifest"):
        done = subprocess.run([sys.executable, "-c", code, str(store), instant], check=False)
        assert done.returncode == -signal.SIGKILL
    assert len(litter(store)) >= 2


def litter(store: Path) -> list[str]:
    """Returns the hidden files of a store, and the files that no manifest names."""
    named = set()
    for manifest in store.glob("objects/*/*/manifest.json"):
        files = json.loads(manifest.read_text())["files"].values()
        named |= {manifest, *(manifest.parent / entry["path"] for entry in files)}
    found = {path for path in store.rglob("*") if path.is_file()}
    stray = {path for path in found if path.is_relative_to(store / "objects")} - named
    hidden = {path for path in found if path.name.startswith(".")}
    return sorted(str(path.relative_to(store)) for path in stray | hidden)


def kill_serve(folder: Path) -> str:
    """Kills the served page with kill -9 while a study runs: its servers end, the study goes on."""
    reference, store = undisturbed(), folder / "store"
    process = launch(store, folder)
    wait_for(store, "*.db", 2, process)
    slowest = 0.0
    for _ in range(3):
        page, urls = serve(store)
        ports = [int(url.rsplit(":", 1)[1].split("/")[0]) for url in urls]
        assert len(ports) == 3, urls
        until = time.monotonic() + _GRACE_SECONDS * 4
        while not all(map(listens, ports)):
            assert time.monotonic() < until, "a server does not start"
            time.sleep(0.2)
        children = descendants(page.pid)
        assert len(children) >= 4, "two guards and two servers"
        waiting = [os.pidfd_open(pid) for pid in children]
        began = time.monotonic()
        page.kill()
        page.wait()
        while waiting:
            ready, _, _ = select.select(waiting, [], [], 20.0)
            assert ready, "a server outlives the page"
            waiting = [one for one in waiting if one not in ready]
        slowest = max(slowest, time.monotonic() - began)
        for port in ports:  # free again
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert csv(store) == csv(reference) and manifests(store) == manifests(reference)
    require_single_runs(store, reference)
    return f"3 kills: all servers gone and ports free within {slowest:.1f} s; the study unharmed"


def serve(store: Path) -> tuple["subprocess.Popen[str]", list[str]]:
    """Starts the served page of a store; returns the process and the addresses that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboards.serve", "--store", str(store)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    urls, said = [], []
    for line in process.stdout:
        said.append(line)
        urls += re.findall(r"http://127\.0\.0\.1:\d+/?\S*", line)
        if line.startswith("Press Ctrl-C"):
            break
    assert urls, said
    with urllib.request.urlopen(urls[0], timeout=60) as answer:
        assert answer.status == 200
    return process, urls


def damage_documents(folder: Path) -> str:
    """Damages documents of a running store again and again; the study ends with the same table."""
    reference, store = undisturbed(), folder / "store"
    process, n = launch(store, folder), 0
    for count in (1, 4, 8, 12, 16):
        wait_for(store, "objects/*/*/manifest.json", count, process)
        for name in _FOLDERS:
            for path in sorted(store.glob(f"{name}/*.json")):
                path.write_bytes(_DAMAGES[n % len(_DAMAGES)])
                n += 1
    output, _ = process.communicate(timeout=300)
    assert "Traceback" not in output and "report it" not in output, output
    again = finish(store, folder)
    assert "Traceback" not in again, again
    assert manifests(store) == manifests(reference) and csv(store) == csv(reference)
    corrupt = sorted(store.glob("objects/score/*/manifest.json"))[::3]
    for path in corrupt:
        path.write_bytes(b"{}")
    finish(store, folder)
    assert manifests(store) == manifests(reference) and csv(store) == csv(reference)
    (facts, *_) = store.glob("data/*.json")
    facts.write_bytes(b"[1]")
    corrupt[0].unlink()  # so that there is a job to run, for which the data are looked at
    process = launch(store, folder)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 2 and f"data/{facts.name}" in output, output
    assert output.count("error: ") == 1 and "Traceback" not in output, output
    facts.unlink()
    finish(store, folder)
    assert manifests(store) == manifests(reference) and csv(store) == csv(reference)
    return (
        f"{n} documents damaged during the run (exit code {process.returncode}), {len(corrupt)} "
        "manifests after it: set aside, made again; facts of data refused by name; same table"
    )
