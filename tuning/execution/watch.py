"""Watches the processes of a local Ray; the driver stops within seconds if one of them ends.

Signals to all processes of a job (Slurm, systemd, ``timeout``) and the memory killer end Ray's
control service or node manager before the driver. A call into Ray then waits for a minute, after
which Ray's library aborts the process.
"""

import contextlib
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tuning.execution import guard
from tuning.execution.ray_import import ray

_WATCHED = ("gcs_server", "raylet")
_GUARD_SECONDS = 10.0


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Runs a guard that cleans up after a local Ray (`tuning.execution.guard`), also on leaving.

    Args:
        folder: the scratch folder of the Ray.
    """
    with subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd="/",
    ) as process:  # fmt: skip
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GUARD_SECONDS)


@contextlib.contextmanager
def watching(on_lost: Callable[[str], None]) -> Iterator[None]:
    """Reports the death of a process of the local Ray of this process, while the context is active.

    Args:
        on_lost: function that is called with an account, on another thread, if a process dies.
    """
    processes = ray._private.worker._global_node.all_processes
    watched = {
        os.pidfd_open(found.process.pid): name for name in _WATCHED for found in processes[name]
    }
    end, leave = os.pipe()

    def watch() -> None:
        ready, _, _ = select.select([*watched, end], [], [])
        if end not in ready:
            on_lost(f"because Ray's process {watched[ready[0]]} ended")

    thread = threading.Thread(target=watch, daemon=True, name="watch")
    thread.start()
    try:
        yield
    finally:
        os.close(leave)
        thread.join()
        for descriptor in (*watched, end):
            os.close(descriptor)
