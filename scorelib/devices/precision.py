"""The precision in which networks compute, which is part of a result.

"float32" is single precision; "bf16" computes convolutions, matrix products and what follows them
in bfloat16 (8 bits of mantissa), and keeps weights, losses, noise and the iterates of samplers in
float32. The output of a network then differs by 1.1 to 1.6 % (root mean square, NCSNv2 and the
U-Net on a CPU), so the precision is a field of the specs of trainings and samples.

TF32 (10 bits of mantissa in products) is what "float32" means on GPUs that have it. It counts as
hardware: results of different kinds of processors differ by the rounding of their float32.
"""

from typing import Literal

import torch

Precision = Literal["float32", "bf16"]


def computing_in(precision: Precision, device: torch.device | str) -> torch.autocast:
    """Returns the context in which networks compute in a precision.

    Args:
        precision: "float32" or "bf16".
        device: torch device on which the networks are.
    """
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16")
