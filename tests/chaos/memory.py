"""Scenario of a machine out of memory: Ray kills workers, and with them a whole `fit()`."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

from tests.launches import csv, launch, undisturbed, wait_for

_MARGIN_BYTES = 3_000_000_000
_HOG = """
import sys
held = b"x" * int(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def run_out_of_memory(folder: Path) -> str:
    """Fills the memory from another program; the study continues with fewer parallel jobs."""
    reference, store = undisturbed(), folder / "store"
    total, available = memory()
    threshold = (total - available + _MARGIN_BYTES) / total
    process = launch(
        store, folder,
        environment={
            "RAY_memory_usage_threshold": f"{threshold:.4f}",
            "RAY_memory_monitor_refresh_ms": "100",
        },
    )  # fmt: skip
    wait_for(store, "objects/sample/*/manifest.json", 2, process)
    said: list[str] = []
    used = total - memory()[1]
    with hog(round(threshold * total) - used + _MARGIN_BYTES // 3):
        ran_out = threading.Event()
        reader = threading.Thread(target=listen, args=(process, said, ran_out))
        reader.start()
        assert ran_out.wait(120), f"nothing was killed: {said}"
    reader.join(300)
    process.wait(timeout=300)
    again = 0
    while process.returncode == 1 and again < 3:  # the study gave up while no memory was available
        process, again = launch(store, folder), again + 1
        process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert csv(store) == csv(reference)
    fewer = sum("memory ran out" in line for line in said)
    ended = fewer + sum("Ray Tune ended early" in line for line in said)
    return (
        f"{ended} fits ended by Ray's monitor, the next with fewer jobs {fewer} times; "
        f"same table after {again} further launches"
    )


def listen(process: subprocess.Popen[str], said: list[str], ran_out: threading.Event) -> None:
    """Reads the output of the driver until it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "memory ran out" in line or "Ray Tune ended early" in line:
            ran_out.set()


@contextlib.contextmanager
def hog(n_bytes: int):  # type: ignore[no-untyped-def]
    """Runs a process that holds memory while this context manager is active."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOG, str(n_bytes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield
    finally:
        process.kill()
        process.wait()


def memory() -> tuple[int, int]:
    """Returns the total and the available memory in bytes."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return 1024 * total, 1024 * available
