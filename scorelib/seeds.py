"""Seeds of independent random streams, each derived from the purpose of the stream.

A stream is seeded from its purpose and position, such as ``"train", seed, iteration``, and not from
the order of the draws. Any part of a computation can therefore be repeated or resumed on its own,
without the state of a random generator. Random numbers are drawn on the CPU, whatever the device of
the computation, so the results do not depend on the kind of GPU beyond float rounding.
"""

import contextlib
import hashlib
from collections.abc import Iterator

import torch


def seed_of(*purpose: str | int) -> int:
    """Returns a 63-bit seed for the stream named by `purpose`."""
    name = "/".join(map(str, purpose))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator_of(*purpose: str | int) -> torch.Generator:
    """Returns a CPU generator at the start of the stream named by `purpose`."""
    return torch.Generator().manual_seed(seed_of(*purpose))


@contextlib.contextmanager
def seeded(*purpose: str | int) -> Iterator[None]:
    """Sets torch's global CPU generator to the start of a stream, and restores it on exit."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed absent devices, which takes a millisecond.
        torch.default_generator.manual_seed(seed_of(*purpose))
        yield
