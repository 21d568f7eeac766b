"""Weights, inputs and answers of published architectures, tiny, from formulas; no published code.

`facts.json` has, for each architecture, the names and shapes of the tensors as the authors' program
saves them, in its order, and what the authors' network answers, in float64, when every tensor is
filled by `filled` and the images are those of `images`.
"""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch

from scorelib.networks import DdpmUNet, Ncsn, NcsnPp, Ncsnv2
from scorelib.schedules import GeometricSchedule

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())

NETWORKS = {
    "ncsn_32": Ncsn(ngf=6),
    "ncsnv2_32": Ncsnv2(ngf=6),
    "ncsnv2_deeper_64": Ncsnv2(ngf=4, multipliers=(1, 2, 2, 4, 4)),
    "ncsnv2_deepest_64": Ncsnv2(ngf=4, multipliers=(1, 2, 2, 2, 4, 4)),
    "unet_ddpm_32": DdpmUNet(width=64, centres_input=False),
    "ncsnpp_ve_32": NcsnPp(width=16, n_blocks=2),
}

LAYOUTS = {
    "ncsn_32": ("ncsn",),
    "ncsnv2_32": ("ncsnv2", "adversarial-score-matching"),
    "ncsnv2_deeper_64": ("ncsnv2", "adversarial-score-matching"),
    "ncsnv2_deepest_64": ("ncsnv2",),
    "unet_ddpm_32": ("adversarial-score-matching",),
    "ncsnpp_ve_32": ("score-sde",),
}


def hashed(n, k):
    """The n numbers v(i, k) in [-1, 1), i = 0 .. n - 1."""
    mask = np.uint64(0xFFFFFFFF)
    i = np.arange(n, dtype=np.uint64)
    h = (i * np.uint64(2654435761) + np.uint64(k * 2246822519 + 374761393 & 0xFFFFFFFF)) & mask
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(2246822519)) & mask
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(3266489917)) & mask
    h = h ^ (h >> np.uint64(16))
    return h.astype(np.float64) / 2**31 - 1


def filled(name, shape, k):
    """Tensor number k, of this name: float32."""
    v = hashed(math.prod(shape), k).reshape(shape)
    member = name.rsplit(".", 1)[-1]
    if name == "all_modules.0.W":
        v = 16 * v
    elif name.endswith("embed.weight"):
        v = 0.1 * v
        v[:, : 2 * shape[1] // 3] += 1
    elif member == "W":
        v = v * math.sqrt(3 / shape[0])
    elif member in ("bias", "beta", "b"):
        v = 0.1 * v
    elif member in ("alpha", "gamma") or len(shape) == 1:
        v = 1 + 0.1 * v
    else:
        v = v * math.sqrt(3 / math.prod(shape[1:]))
    return torch.from_numpy(v).float()


@cache
def weights(name):
    """The tensors by published name, in the published order, without ``sigmas``."""
    tensors = FACTS[name]["tensors"]
    numbers = {tensor: k for k, tensor in enumerate(sorted(tensors))}
    return {
        tensor: filled(tensor, shape, numbers[tensor])
        for tensor, shape in tensors.items()
        if tensor != "sigmas"
    }


@cache
def others(name):
    """Tensors that differ from all of `weights`, but for what is never trained."""
    return {n: t if n == "all_modules.0.W" else t + 1 for n, t in weights(name).items()}


def levels(name):
    """The schedule of an architecture."""
    sigma_1, sigma_L, n_levels = FACTS[name]["levels"]
    return GeometricSchedule(sigma_1=sigma_1, sigma_L=sigma_L, n_levels=n_levels)


def sigmas(name):
    """The buffer of levels as the authors make it, float64."""
    sigma_1, sigma_L, n_levels = FACTS[name]["levels"]
    return torch.linspace(math.log(sigma_1), math.log(sigma_L), n_levels, dtype=torch.float64).exp()


def images(name):
    """Noised images, (2, C, H, W), and their levels, (2,); float64."""
    shape = (2, *FACTS[name]["shape"])
    sigma = torch.tensor(FACTS[name]["sigma"], dtype=torch.float64)
    clean, noise = (torch.from_numpy(hashed(math.prod(shape), k)) for k in (1000003, 1000033))
    x = (clean + 1).reshape(shape) / 2
    return x + sigma.view(-1, 1, 1, 1) * math.sqrt(3) * noise.reshape(shape), sigma


def prefixed(state):
    return {f"module.{name}": t for name, t in state.items()}


def content(name, layout):
    """What the authors' program gives to ``torch.save``; where it averages, others are raw."""
    averaged = weights(name)
    if layout == "ncsn":
        return [prefixed(averaged), {"state": {}}]
    raw = others(name)
    if layout == "score-sde":
        shadow = [t for tensor, t in averaged.items() if tensor != "all_modules.0.W"]
        model = prefixed({"sigmas": sigmas(name)} | raw)
        ema = {"decay": 0.999, "num_updates": 7, "shadow_params": shadow}
        return {"optimizer": {"state": {}}, "model": model, "ema": ema, "step": 7}
    buffer = {"sigmas": sigmas(name).float()} if layout == "ncsnv2" else {}
    return [prefixed(buffer | raw), {"state": {0: {"step": 3}}}, 2, 7, averaged]


def write(path, saved, *, old=False):
    """Saves in the new container of torch or in the old one; returns the path."""
    torch.save(saved, path, _use_new_zipfile_serialization=not old)
    return path
