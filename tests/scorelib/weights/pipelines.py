"""Small models made and saved by the diffusers library."""

import json

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.schedulers import ScoreSdeVeScheduler

DDPM = {
    "sample_size": 8, "in_channels": 1, "out_channels": 1, "block_out_channels": (8, 16),
    "layers_per_block": 1, "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"), "norm_num_groups": 4,
    "attention_head_dim": None,
}  # fmt: skip
NCSNPP = DDPM | {
    "in_channels": 3, "out_channels": 3,
    "center_input_sample": True, "time_embedding_type": "fourier",
    "down_block_types": ("SkipDownBlock2D", "AttnSkipDownBlock2D"),
    "up_block_types": ("AttnSkipUpBlock2D", "SkipUpBlock2D"), "mid_block_scale_factor": 2**0.5,
    "block_out_channels": (32, 32), "norm_num_groups": 32, "norm_eps": 1e-6,
}  # fmt: skip


def unet(seed=0, **config):
    """Returns a tiny U-Net of the library with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet2DModel(**(DDPM | config)).eval()


def ve_unet(seed=0):
    """Returns a tiny NCSN++ of the library with random weights."""
    return unet(seed, **NCSNPP)


def saved(folder, network=None, scheduler=None):
    """Saves a pipeline as the library does: two folders below."""
    pipeline = DDPMPipeline(unet=network or unet(), scheduler=scheduler or DDPMScheduler())
    pipeline.save_pretrained(folder)
    return folder


def saved_at_root(folder, network=None, scheduler=None):
    """Saves network and scheduler beside each other, as google/ddpm-cifar10-32 has them."""
    (network or unet()).save_pretrained(folder)
    (scheduler or DDPMScheduler()).save_pretrained(folder)
    index = {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def ve_scheduler():
    return ScoreSdeVeScheduler(num_train_timesteps=30, sigma_min=0.02, sigma_max=20.0)


def edited(file, **changes):
    """Changes entries of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
