"""The machine and its clock."""

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class Machine:
    """A device, the time that is left, and what was found so far.

    Attributes:
        device: device to try.
        seconds: time limit of the whole run, seconds.
        checks: one line for each comparison: its name, whether it passed, value and limit.
        skipped: what was left out, with the reason.
    """

    device: torch.device
    seconds: float
    checks: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def is_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.started)

    def check(self, name: str, value: float, limit: float) -> None:
        """Records a comparison: it passes if the value is at most the limit."""
        self.checks.append(
            {"name": name, "passed": bool(value <= limit), "value": value, "limit": limit}
        )

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Runs a part of the script: an error in it is a failed check and does not end the script.

        A part that does not fit into the time or the memory, or that needs a package that is not
        there, is skipped and named.

        Args:
            name: name of the part.
        """
        try:
            yield
        except OutOfTime:
            self.skipped.append(f"{name}: no time was left")
        except ModuleNotFoundError as error:
            self.skipped.append(f"{name}: {error.name} is missing")
        except torch.OutOfMemoryError:
            self.skipped.append(f"{name}: the memory of the device is too small")
        except Exception as error:  # whatever happens on a machine not seen before
            cause = f"{type(error).__name__}: {error}"[:500]
            self.checks.append({"name": name, "passed": False, "error": cause})
        if self.is_gpu:
            torch.cuda.empty_cache()

    def require(self, seconds: float) -> None:
        """Raises `OutOfTime` if fewer seconds are left."""
        if self.left < seconds:
            raise OutOfTime

    def wait(self) -> None:
        """Waits until the device has done its work."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def time(self, run: Callable[[], object]) -> float:
        """Returns the seconds that a run takes on the device; raises `OutOfTime` without time."""
        self.require(0)
        self.wait()
        started = time.perf_counter()
        run()
        self.wait()
        return time.perf_counter() - started

    def busy(self, run: Callable[[], object]) -> float | None:
        """Returns the share of a run in which the GPU computes or copies; None on a CPU."""
        if not self.is_gpu:
            return None
        from torch.profiler import ProfilerActivity, profile

        try:
            with profile(activities=[ProfilerActivity.CUDA]) as found:
                seconds = self.time(run)
        except RuntimeError as error:  # a driver may forbid profiling
            self.skipped.append(f"share of time in which the GPU is busy: {error}")
            return None
        return sum(e.self_device_time_total for e in found.key_averages()) / 1e6 / seconds

    def peak(self, side: int, dtype: torch.dtype) -> float:
        """Returns the multiply-adds per second of a matrix product, the roof of the rooflines.

        Args:
            side: number of rows and columns of the matrices.
            dtype: float32 (TF32 where the device has it) or bfloat16.
        """
        a, b = torch.ones(2, side, side, dtype=dtype, device=self.device)

        def multiply() -> Tensor:
            return a @ b

        multiply()
        return side**3 / statistics.median(self.time(multiply) for _ in range(7))

    def described(self) -> dict[str, Any]:
        """Returns the names of the machine's parts."""
        name = platform.processor() or platform.machine()
        found: dict[str, Any] = {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": name,
        }
        if self.is_gpu:
            about = torch.cuda.get_device_properties(self.device)
            found |= {"device": about.name, "memory_bytes": about.total_memory}
        return found


class OutOfTime(Exception):
    """The time that is left is too short for a part."""


def set_tf32(on: bool) -> None:
    """Sets whether a GPU computes float32 products in TF32; jobs of studies do."""
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on
