"""Draws random numbers on the CPU one step ahead and copies them to a GPU.

Random numbers are drawn on the CPU (see `scorelib.seeds`). If they were drawn and copied when a
step needs them, the GPU would wait. A thread therefore draws the numbers of the next step while the
GPU computes, into page-locked memory, from which copies run beside the computation. The thread
makes the same calls in the same order as a loop would, so the numbers are the same. On a CPU, a
second thread would take time from the computation, so the numbers are drawn when a step needs them.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

_LARGEST_SHARE = 0.25
_END = object()


def draws_ahead(device: torch.device) -> bool:
    """Returns whether a thread makes the values for a device: true for a CUDA device."""
    return device.type == "cuda"


def ahead(values: Iterator[T], device: torch.device) -> Generator[T, None, None]:
    """Yields values on a device; a thread makes them one step ahead unless the device is a CPU.

    Close the iterator to end the thread before the values end (`contextlib.closing`). At most one
    value is made and not used.

    Args:
        values: iterator over tensors, or tuples of tensors and other values, on the CPU. Only one
            thread at a time calls it.
        device: device to copy the tensors to.

    Raises:
        BaseException: any exception that `values` raises, at the step that needs the value.
    """
    if not draws_ahead(device):
        for value in values:
            yield _mapped(value, lambda t: t.to(device))
        return

    def made() -> Any:
        return _mapped(next(values, _END), pinned)

    def pinned(tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if device.type == "cuda" else tensor

    with ThreadPoolExecutor(1, "draws") as thread:
        coming = thread.submit(made)
        while (value := coming.result()) is not _END:
            coming = thread.submit(made)
            yield _mapped(value, lambda t: t.to(device, non_blocking=True))


def resident(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a data set on a device if it takes at most a quarter of the free memory there.

    Args:
        tensor: data set on the CPU.
        device: device of the computation.

    Returns:
        The tensor on the device, or `tensor` itself.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if tensor.nbytes > _LARGEST_SHARE * free:
            return tensor
    return tensor.to(device)


def _mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Returns a value with all tensors in it, and in the tuples in it, replaced."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple):
        parts = [_mapped(part, function) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
