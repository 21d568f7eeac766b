"""Seeds: every source of randomness is named by what it is for, never by when it is drawn.

A stream is seeded from its purpose and position (``"train", seed, iteration``), so any part of a
computation can be repeated or resumed on its own, with nothing of the past to carry along. Draws
are made on the CPU on every device: a study's numbers then do not depend on the kind of GPU
beyond float rounding.
"""

import hashlib

import torch


def seed_of(*purpose: str | int) -> int:
    """A 63-bit seed for the stream named by `purpose`."""
    name = "/".join(map(str, purpose))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator_of(*purpose: str | int) -> torch.Generator:
    """A CPU generator at the start of the stream named by `purpose`."""
    return torch.Generator().manual_seed(seed_of(*purpose))
