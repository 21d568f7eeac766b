"""The numbers of images per network call in a worker, chosen by the memory of its device.

A stage starts with the number of the settings, which is also the largest. The number is halved when
the memory is exhausted. It is doubled after a job whose measured peak shows that twice as much fits
into the memory that is free by then: the memory may have been taken by another job on the same GPU,
or by a larger network. A number that exhausted the memory twice is not tried again. The number
changes results by rounding only.
"""

from collections import Counter
from dataclasses import dataclass

import torch

_HEADROOM = 1.25
"""Factor on the expected peak, for what the allocator cannot use."""
_MOST_TRIALS = 2


@dataclass(frozen=True)
class Memory:
    """Memory of a device that a job has just used.

    Attributes:
        peak_bytes: largest number of bytes that tensors of the job took.
        available_bytes: bytes that tensors of this process could take now.
    """

    peak_bytes: int
    available_bytes: int


def memory_of(device: str) -> Memory | None:
    """Returns the memory of a GPU, with the peak since the start of the job; None for a CPU."""
    if not device.startswith("cuda"):
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return Memory(
        peak_bytes=torch.cuda.max_memory_allocated(device),
        available_bytes=free + torch.cuda.memory_reserved(device),
    )


class BatchSizes:
    """The numbers of images per network call, by stage."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._exhausted: Counter[tuple[str, int]] = Counter()

    def of(self, stage: str, largest: int) -> int:
        """Returns the number for a stage.

        Args:
            stage: name of the stage.
            largest: number of the settings, >= 1.
        """
        return min(self._sizes.get(stage, largest), largest)

    def halve(self, stage: str, largest: int) -> int | None:
        """Halves the number after exhausted memory; returns it, or None if it was 1.

        Arguments are those of `of`.
        """
        size = self.of(stage, largest)
        if size == 1:
            return None
        self._exhausted[stage, size] += 1
        self._sizes[stage] = size // 2
        return size // 2

    def grow(self, stage: str, largest: int, memory: Memory | None) -> None:
        """Doubles a number that was halved, if twice the measured peak fits.

        Args:
            stage: name of the stage.
            largest: number of the settings, >= 1.
            memory: memory after a job of the stage; None if it was not measured.
        """
        size = self.of(stage, largest)
        larger = min(2 * size, largest)
        if memory is None or larger == size or self._exhausted[stage, larger] >= _MOST_TRIALS:
            return
        if memory.peak_bytes * larger / size * _HEADROOM <= memory.available_bytes:
            self._sizes[stage] = larger
