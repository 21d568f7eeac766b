"""NCSNv2 and NCSN written as plainly as their papers describe them, from the weights of ours."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Norm = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""InstanceNorm++ of (x, alpha, gamma, beta), shapes (B, C, H, W) and (C,)."""


def refinenet(
    w: Mapping[str, Tensor], x: Tensor, norm_of: Norm, level: int | None = None
) -> Tensor:
    """Computes NCSNv2, or NCSN at a level, with any number of stages.

    Args:
        w: parameters by name.
        x: images, in [0, 1] before the noise is added, shape (B, C, H, W).
        norm_of: the normalisation.
        level: index of the noise level; None for NCSNv2.
    """

    def conv(h: Tensor, name: str, d: int = 1) -> Tensor:
        kernel = w[f"{name}.weight"]
        pad = d * (kernel.shape[-1] // 2)
        return F.conv2d(h, kernel, w.get(f"{name}.bias"), padding=pad, dilation=d)

    def norm(h: Tensor, name: str) -> Tensor:
        own = [w[f"{name}.{p}"] for p in ("alpha", "gamma", "beta")]
        return norm_of(h, *(p if level is None else p[level] for p in own))

    def norm_in_refinements(h: Tensor, name: str) -> Tensor:
        return h if level is None else norm(h, name)

    def context(h: Tensor) -> Tensor:
        if level is None:
            return F.max_pool2d(h, 5, 1, 2)
        window = torch.ones(h.shape[1], 1, 5, 5, dtype=h.dtype) / 25  # zeros outside count
        return F.conv2d(h, window, padding=2, groups=h.shape[1])

    def pool(h: Tensor) -> Tensor:
        return (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4

    def block(h: Tensor, name: str, down: bool, d: int) -> Tensor:
        pooled = pool if down and d == 1 else (lambda t: t)
        out = conv(F.elu(norm(h, f"{name}.norm1")), f"{name}.conv1", d)
        out = pooled(conv(F.elu(norm(out, f"{name}.norm2")), f"{name}.conv2", d))
        return out + (pooled(conv(h, f"{name}.shortcut", d)) if down else h)

    def unit(h: Tensor, name: str) -> Tensor:
        out = conv(F.elu(norm_in_refinements(h, f"{name}.norm1")), f"{name}.conv1")
        return h + conv(F.elu(norm_in_refinements(out, f"{name}.norm2")), f"{name}.conv2")

    h, layers = conv(2 * x - 1, "first"), []
    n_stages = len({name.split(".")[1] for name in w if name.startswith("stages.")})
    for i, d in enumerate((*[1] * (n_stages - 2), 2, 4)):
        h = block(h, f"stages.{i}.0", i > 0, d)
        h = block(h, f"stages.{i}.1", False, d)
        layers.append(h)
    refined = None
    for i, layer in enumerate(reversed(layers)):
        name = f"refinements.{i}"
        parts = [layer] if refined is None else [layer, refined]
        for j in range(len(parts)):
            for k in range(2):
                parts[j] = unit(parts[j], f"{name}.adapters.{j}.{k}")
        if len(parts) == 2:
            for j in range(2):
                fused = norm_in_refinements(parts[j], f"{name}.fuser_norms.{j}")
                fused = conv(fused, f"{name}.fusers.{j}")
                parts[j] = F.interpolate(
                    fused, size=layer.shape[2:], mode="bilinear", align_corners=True
                )
        total = path = F.elu(sum(parts))
        for k in range(2):
            path = context(norm_in_refinements(path, f"{name}.context_norms.{k}"))
            path = conv(path, f"{name}.context.{k}")
            total = total + path
        for k in range(3 if i == n_stages - 1 else 1):
            total = unit(total, f"{name}.output.{k}")
        refined = total
    return conv(F.elu(norm(refined, "norm")), "last")
