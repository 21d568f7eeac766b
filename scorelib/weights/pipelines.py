"""Folders of the diffusers library: an unconditional U-Net with its weights and its noise schedule.

    FOLDER/model_index.json, FOLDER/unet/..., FOLDER/scheduler/scheduler_config.json
    FOLDER/config.json, FOLDER/diffusion_pytorch_model.safetensors, FOLDER/scheduler_config.json

The second layout is that of google/ddpm-cifar10-32 and others. Weights are read as safetensors
alone. The schedule tells the noise levels; see `scorelib.networks.diffusers_unet`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks.diffusers_unet import (
    BETA_SCHEDULES,
    PREDICTIONS,
    DiffusersUnet,
    Prediction,
    Times,
    VpTimes,
    config_text,
)
from scorelib.schedules import GeometricSchedule, Schedule, n_levels_for_coverage

FORMAT = "diffusers"
INDEX, CONFIG, SCHEDULER = "model_index.json", "config.json", "scheduler_config.json"
UNET_WEIGHTS = "diffusion_pytorch_model.safetensors"

_LATENT = ("vae", "vqvae", "movq", "text_encoder", "image_encoder", "bert")
_OLD_CLASSES = ("UNetModel", "UNetUnconditionalModel", "NCSNpp")
_OLD_KEYS = ("ch", "ch_mult", "num_res_blocks", "block_channels")
_VP_SCHEDULERS = (
    "DDPM", "DDIM", "DDIMInverse", "PNDM", "DEISMultistep", "DPMSolverMultistep",
    "DPMSolverSinglestep", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete",
    "KDPM2Discrete", "KDPM2AncestralDiscrete", "LMSDiscrete", "UniPCMultistep",
)  # fmt: skip
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

_SIGMA_1, _SIGMA_L = 0.9, 0.01
"""Of the levels at which a DDPM is sampled: the largest, in units of sqrt(D) for D values of an
image in [0, 1] (50 for CIFAR-10: Song and Ermon 2020, Technique 1), and the smallest (that of all
published NCSN)."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What a folder of diffusers tells, apart from the weights.

    Attributes:
        network: the architecture.
        schedule: noise levels for data in [0, 1]; None if the folder does not tell the size of the
            images, on which their number depends.
        weights: the file of weights.
    """

    network: DiffusersUnet
    schedule: Schedule | None
    weights: Path


def is_pipeline(folder: Path) -> bool:
    """Returns whether a folder is one of diffusers, of any age."""
    try:
        config = _object(folder / CONFIG)
    except InputError:
        config = {}
    return (
        (folder / INDEX).exists()
        or (folder / "unet").is_dir()
        or "_class_name" in config
        or bool(list(folder.glob("diffusion_*")))
    )


def pipeline_weights(folder: Path) -> Path:
    """Returns the path of the file of weights in a folder of diffusers, which need not exist."""
    return _unet_folder(folder) / UNET_WEIGHTS


def read_pipeline(
    folder: Path, times: Times | None = None, prediction: Prediction | None = None
) -> Pipeline:
    """Returns what a folder of diffusers tells, after checking it.

    Args:
        folder: the folder, in either layout.
        times: time of a level between those of two training times; None for the usual one of the
            network: interpolated, or nearest for a learned table.
        prediction: what the network predicts; None for what the folder says.

    Raises:
        InputError: the folder is of an old revision, of a latent or conditional model, or lacks a
            file.
    """
    _require_unconditional_pixels(folder)
    unet = _unet_folder(folder)
    config = _object(unet / CONFIG)
    _require_unet(unet / CONFIG, config)
    weights = unet / UNET_WEIGHTS
    _require_safetensors(weights)
    scheduler = _object(_scheduler_file(folder))
    text = config_text(config)
    if str(scheduler.get("_class_name")) == "ScoreSdeVeScheduler":
        if times or prediction:
            raise InputError(
                f"times and prediction must not be given for {folder}, whose network takes the "
                "noise level and answers the score",
                "times" if times else "prediction",
            )
        return Pipeline(_made(config=text), _exploding(scheduler), weights)
    usual: Times = "nearest" if config.get("time_embedding_type") == "learned" else "interpolated"
    network = _made(
        config=text,
        times=_vp_times(scheduler, folder, times or usual),
        prediction=prediction or _prediction(scheduler),
    )
    return Pipeline(network, _preserving(network), weights)


def _made(**fields: Any) -> DiffusersUnet:
    try:
        return DiffusersUnet(**fields)
    except InputError as error:
        raise InputError(str(error), *(error.fields or ("path",))) from error


def our_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of a file of weights by our names; old attentions are renamed."""

    def renamed(name: str) -> str:
        *before, layer, last = f".{name}".split(".")
        layer = _OLD_ATTENTION.get(layer, layer) if "attentions" in before else layer
        return ".".join([*before, layer, last]).removeprefix(".")

    return {f"unet.{renamed(name)}": t for name, t in tensors.items()}


def _unet_folder(folder: Path) -> Path:
    return folder / "unet" if (folder / "unet").is_dir() else folder


def _scheduler_file(folder: Path) -> Path:
    below = folder / "scheduler" / SCHEDULER
    return below if below.exists() else folder / SCHEDULER


def _object(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise InputError(
            f"a folder of diffusers must hold {file.name}; there is no {file}: save the whole "
            "pipeline, or the scheduler beside the network, with save_pretrained",
            "path",
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} must be JSON, but reading failed ({error})", "path") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} must be a JSON object, but is another value", "path")
    return found


def _require_unconditional_pixels(folder: Path) -> None:
    index = _object(folder / INDEX) if (folder / INDEX).exists() else {}
    latent = [name for name in _LATENT if name in index or (folder / name).is_dir()]
    name = str(index.get("_class_name", "a pipeline"))
    if latent or "Latent" in name or "LDM" in name:
        raise InputError(
            f"a model must be of pixels without conditions; {folder} is {name} with "
            f"{', '.join(latent) or 'latent variables'}, a latent or guided model: give a model "
            "such as a DDPMPipeline",
            "path",
        )


def _require_unet(file: Path, config: Mapping[str, Any]) -> None:
    name, old = config.get("_class_name"), [key for key in _OLD_KEYS if key in config]
    if name in _OLD_CLASSES or old:
        raise InputError(
            f"{file} must be of a UNet2DModel as diffusers has saved it since version 0.3; got "
            f"{name}{f' with {old[0]}' if old else ''}, an old revision: load it with a version of "
            "its time and save it again, or take a newer revision",
            "path",
        )
    if name != "UNet2DModel":
        raise InputError(
            f"{file} must be of a UNet2DModel; got {name}: no such network is read here", "path"
        )
    conditions = [k for k in ("class_embed_type", "num_class_embeds") if config.get(k) is not None]
    if conditions:
        raise InputError(
            f"{file} must be of a network without classes; got {conditions[0]} = "
            f"{config[conditions[0]]!r}, a class-conditional model: give an unconditional one",
            "path",
        )


def _require_safetensors(weights: Path) -> None:
    if weights.is_file():
        return
    others = sorted(p.name for p in weights.parent.glob("diffusion_*"))
    if not others:
        raise InputError(
            f"a folder of diffusers must hold the weights {weights.name}; {weights.parent} has "
            "none: save the network with save_pretrained",
            "path",
        )
    old = "diffusion_model" in others[0]
    raise InputError(
        f"weights must be one file {weights.name}; {weights.parent} holds {', '.join(others)}"
        f"{', an old revision' if old else ''}: convert where you trust the file, "
        "UNet2DModel.from_pretrained(FOLDER, use_safetensors=False).save_pretrained(FOLDER)",
        "path",
    )


def _vp_times(scheduler: Mapping[str, Any], folder: Path, between: Times) -> VpTimes:
    name = str(scheduler.get("_class_name", "no class"))
    kind = name.removesuffix("Scheduler").removesuffix("Parallel")
    if kind not in _VP_SCHEDULERS:
        raise InputError(
            f"the scheduler of {folder} must be of a DDPM or of a variance exploding model; got "
            f"{name}: no rule from its times to noise levels is known here",
            "path",
        )
    family = scheduler.get("beta_schedule", "linear")
    trained = scheduler.get("trained_betas")
    if family not in BETA_SCHEDULES and trained is None:
        raise InputError(
            f"beta_schedule of {folder} must be one of {', '.join(BETA_SCHEDULES)}; got {family!r}",
            "path",
        )
    if scheduler.get("rescale_betas_zero_snr"):
        raise InputError(
            f"the last time of {folder} must have a finite noise level; got rescale_betas_zero_snr,"
            " at whose last time nothing is left of the data: no such model is read here",
            "path",
        )
    fields: dict[str, Any] = {"between": between}
    if trained is not None:
        fields |= {"trained_betas": tuple(trained), "n_times": len(trained)}
    else:
        fields |= {"betas": family, "n_times": scheduler.get("num_train_timesteps", 1000)}
        if family != "squaredcos_cap_v2":
            fields |= {
                name: scheduler.get(name, default)
                for name, default in (("beta_start", 1e-4), ("beta_end", 0.02))
            }
    try:
        return VpTimes(**fields)
    except (InputError, TypeError) as error:
        raise InputError(f"{_scheduler_file(folder)}: {error}", "path") from error


def _prediction(scheduler: Mapping[str, Any]) -> Any:
    found = scheduler.get("prediction_type", "epsilon")
    if found not in PREDICTIONS:
        raise InputError(
            f"prediction_type must be one of {', '.join(PREDICTIONS)}; got {found!r}: no such "
            "network is read here",
            "prediction",
        )
    return found


def _exploding(scheduler: Mapping[str, Any]) -> Schedule:
    return GeometricSchedule(
        sigma_1=float(scheduler.get("sigma_max", 1348.0)),
        sigma_L=float(scheduler.get("sigma_min", 0.01)),
        n_levels=int(scheduler.get("num_train_timesteps", 2000)),
    )


def _preserving(network: DiffusersUnet) -> Schedule | None:
    """The levels at which a DDPM is sampled by default: those of NCSNv2, within its training."""
    if network.shape is None or network.times is None:
        return None
    n_values = math.prod(network.shape)
    most, least = network.times.sigmas
    sigma_1 = min(float(f"{_SIGMA_1 * math.sqrt(n_values):.2g}"), most)
    sigma_L = max(_SIGMA_L, least)
    n_levels = n_levels_for_coverage(sigma_1, sigma_L, n_values)
    return GeometricSchedule(sigma_1=sigma_1, sigma_L=sigma_L, n_levels=n_levels)
