"""A real lack of memory: the batch is halved until it fits, and the images stay the same."""

from collections.abc import Callable

import torch
from torch import nn

from scorelib.networks import Ncsnv2
from scorelib.networks.layout import laid_out
from scorelib.samplers import Cas
from tests.gpu.equality import SHAPE, chain
from tests.gpu.machine import Machine, set_tf32
from tests.gpu.sizes import Sizes

GPU_IMAGES, CPU_IMAGES = 512, 64
_SHARE = 8
"""The memory is that of one pass of this part of the images, and a half more."""


def check_memory(machine: Machine, sizes: Sizes) -> None:
    """Halves a batch after exhausted memory, as a worker does, and compares the images.

    A GPU is given little more memory than one pass of an eighth of the images takes. On a CPU a
    hook refuses large batches instead. Computes without TF32.
    """
    from tuning.execution.batches import BatchSizes

    set_tf32(False)
    n = GPU_IMAGES if machine.is_gpu else CPU_IMAGES
    torch.manual_seed(0)
    network = laid_out(Ncsnv2(ngf=sizes.width).build(SHAPE), SHAPE).eval().requires_grad_(False)
    sampler, device = Cas(epsilon=0.15), machine.device
    exact = chain(network, sampler, device, n=n, most=n).x
    limited, batches = _limit(machine, network, n), BatchSizes()
    tried: list[int] = []
    try:
        found = None
        while found is None:
            tried.append(batches.of("sample", n))
            try:
                found = chain(network, sampler, device, n=n, most=tried[-1]).x
            except torch.OutOfMemoryError:
                if batches.halve("sample", n) is None:
                    raise RuntimeError("not even one image fits") from None
                if machine.is_gpu:
                    torch.cuda.empty_cache()
    finally:
        limited()
        set_tf32(True)
    machine.check(f"memory: batches tried {tried}, one must be too large", -len(tried), -2)
    error = float((found - exact).norm() / exact.norm())
    machine.check("memory: images of the halved batch", error, 1e-3)


def _limit(machine: Machine, network: nn.Module, n: int) -> Callable[[], None]:
    """Limits the memory; returns the function that takes the limit away."""
    if not machine.is_gpu:

        def refuse(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if len(inputs[0]) > n // _SHARE:
                raise torch.OutOfMemoryError("simulated: no GPU")

        return network.register_forward_pre_hook(refuse).remove
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(machine.device)
    chain(network, Cas(epsilon=0.15), machine.device, n=n, most=n // _SHARE)
    needed = torch.cuda.max_memory_reserved(machine.device)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(machine.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * needed / total), machine.device)

    def free() -> None:
        torch.cuda.set_per_process_memory_fraction(1.0, machine.device)

    return free
