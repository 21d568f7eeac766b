"""Tests of folders of diffusers: both layouts, old files, and what is refused."""

import json

import huggingface_hub
import pytest
import safetensors.torch
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from scorelib.errors import InputError
from scorelib.networks import VpTimes
from scorelib.networks.diffusers_unet import _Preserving
from scorelib.schedules import GeometricSchedule
from scorelib.weights import Used, denoises, load, read, save
from scorelib.weights.opening import fetched, file_sha256, is_hub_name
from scorelib.weights.pipelines import SCHEDULER, UNET_WEIGHTS
from tests.scorelib.networks.test_diffusers_unet import MEAN, VARIANCE, VP, Gaussian
from tests.scorelib.weights.pipelines import (
    edited,
    saved,
    saved_at_root,
    unet,
    ve_scheduler,
    ve_unet,
)


@pytest.mark.parametrize("save_pipeline", [saved, saved_at_root])
@pytest.mark.parametrize("scheduler", [DDPMScheduler(), DDIMScheduler()])
def test_a_folder_is_read_in_either_layout(tmp_path, save_pipeline, scheduler):
    folder = save_pipeline(tmp_path / "pipeline", scheduler=scheduler)
    found = read(folder, "diffusers")
    assert found.format == "diffusers" and found.shape == (1, 8, 8)
    assert found.network.times == VP and found.network.prediction == "epsilon"
    (file,) = folder.rglob(UNET_WEIGHTS)
    assert found.sha256 == file_sha256(folder) == file_sha256(file)
    x, sigma = torch.rand(2, 1, 8, 8), torch.tensor([0.3, 2.0])
    network = found.build()
    with torch.no_grad():
        scaled = (2 * x - 1) / (1 + 4 * sigma**2).sqrt().view(-1, 1, 1, 1)
        wanted = -unet()(scaled, network._time(2 * sigma)).sample
        assert torch.allclose(network(x, sigma), wanted, atol=1e-6)


def test_a_ddpm_is_sampled_where_it_was_trained(tmp_path):
    folder = saved(tmp_path / "pipeline")
    levels = read(folder).require_schedule()
    assert (levels.sigma_1, levels.sigma_L) == (7.2, 0.01)  # 0.9 times 8, the smallest of NCSN
    short = saved(tmp_path / "short", scheduler=DDPMScheduler(beta_end=0.002))
    highest = read(short).network.times.sigmas[0]
    assert read(short).schedule.sigma_1 == highest < 7.2
    within = GeometricSchedule(sigma_1=60.0, sigma_L=0.02, n_levels=7)
    assert read(folder, schedule=within).schedule == within
    for outside in (within.replace(sigma_1=90.0), within.replace(sigma_L=0.004)):
        with pytest.raises(InputError, match="levels must lie where the network was trained"):
            read(folder, schedule=outside)


def test_ncsnpp_has_the_levels_of_its_scheduler(tmp_path):
    folder = saved_at_root(tmp_path / "pipeline", ve_unet(), ve_scheduler())
    found = read(folder)
    assert found.schedule == GeometricSchedule(sigma_1=20.0, sigma_L=0.02, n_levels=30)
    assert found.network.times is None
    x, sigma = torch.rand(2, 3, 8, 8), torch.tensor(0.7)
    with torch.no_grad():
        assert torch.allclose(found.build()(x, sigma), 0.7 * ve_unet()(x, sigma).sample, atol=1e-5)


def test_times_and_prediction_are_settings(tmp_path):
    folder = saved(tmp_path / "a", scheduler=DDPMScheduler(prediction_type="v_prediction"))
    assert read(folder).network.prediction == "v_prediction"
    other = read(folder, times="nearest", prediction="sample").network
    assert (other.times.between, other.prediction) == ("nearest", "sample")
    table = unet(time_embedding_type="learned", num_train_timesteps=1000)
    assert read(saved(tmp_path / "b", table)).network.times.between == "nearest"


def test_betas_of_ones_own_and_other_families_are_taken(tmp_path):
    for i, given in enumerate(
        ({"beta_schedule": "squaredcos_cap_v2"}, {"trained_betas": [0.01] * 40},
         {"num_train_timesteps": 50, "beta_start": 0.001, "beta_end": 0.3})
    ):  # fmt: skip
        scheduler = DDPMScheduler(**given)
        times = read(saved(tmp_path / str(i), scheduler=scheduler)).network.times
        ab = scheduler.alphas_cumprod.double()
        assert torch.allclose(times.log_levels.exp(), ((1 - ab) / ab).sqrt(), rtol=2e-3)


def test_old_names_of_attentions_are_read(tmp_path):
    folder = saved(tmp_path / "pipeline")
    (file,) = folder.rglob(UNET_WEIGHTS)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = safetensors.torch.load_file(file)
    for new, name in old.items():
        state = {k.replace(f".{new}.", f".{name}."): t for k, t in state.items()}
    assert any(".query." in name for name in state)
    before = read(folder).state
    safetensors.torch.save_file(state, file)
    after = read(folder).state
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)


def test_a_network_that_was_read_is_saved_and_loaded(tmp_path):
    found = read(saved(tmp_path / "pipeline"))
    save(tmp_path / "ours", found.network, found.schedule, found.state, shape=found.shape)
    network, schedule = load(tmp_path / "ours")
    x, sigma = torch.rand(1, 1, 8, 8), torch.tensor(1.5)
    with torch.no_grad():
        assert torch.equal(network(x, sigma), found.build()(x, sigma))
    assert schedule == found.schedule
    assert read(tmp_path / "ours").format == "safetensors"


def test_averages_in_the_config_are_no_arguments(tmp_path):
    folder = saved(tmp_path / "pipeline")
    network = read(folder).network
    edited(folder / "unet" / "config.json", decay=0.9999, power=0.75, optimization_step=10)
    assert read(folder).network == network


def a_bin(folder):
    (file,) = folder.rglob(UNET_WEIGHTS)
    file.rename(file.with_suffix(".bin"))


def without(*names):
    def change(folder):
        for name in names:
            (folder / name).unlink()

    return change


def config(**changes):
    return lambda folder: edited(folder / "unet" / "config.json", **changes)


def scheduler(**changes):
    return lambda folder: edited(folder / "scheduler" / SCHEDULER, **changes)


def old_revision(folder):
    (folder / "unet" / UNET_WEIGHTS).rename(folder / "unet" / "diffusion_model.pt")


def latent(folder):
    edited(folder / "model_index.json", _class_name="LDMPipeline", vqvae=["diffusers", "VQModel"])


def cut(folder):
    (file,) = folder.rglob(UNET_WEIGHTS)
    file.write_bytes(file.read_bytes()[:-100])


def other_weights(folder):
    (file,) = folder.rglob(UNET_WEIGHTS)
    state = safetensors.torch.load_file(file)
    state.pop("conv_in.bias")
    safetensors.torch.save_file(state, file)


def half(folder):
    (file,) = folder.rglob(UNET_WEIGHTS)
    state = safetensors.torch.load_file(file)
    safetensors.torch.save_file({k: t.half() for k, t in state.items()}, file)


REFUSED = {
    "an old class": (config(_class_name="UNetUnconditionalModel"), "UNetUncond.*an old revision"),
    "old names": (config(ch=128, ch_mult=[1, 2]), "with ch, an old revision"),
    "an old file": (old_revision, "diffusion_model.pt, an old revision"),
    "no safetensors": (a_bin, r"one file .*holds .*\.bin: convert where you trust the file"),
    "no weights": (without(f"unet/{UNET_WEIGHTS}"), "must hold the weights diffusion_pytorch"),
    "no scheduler": (without(f"scheduler/{SCHEDULER}"), "must hold scheduler_config.json"),
    "no config": (without("unet/config.json"), "must hold config.json"),
    "classes": (config(num_class_embeds=10), "num_class_embeds = 10, a class-conditional model"),
    "other classes": (config(class_embed_type="timestep"), "a class-conditional model"),
    "text": (config(_class_name="UNet2DConditionModel"), "got UNet2DConditionModel"),
    "a latent model": (latent, "LDMPipeline with vqvae, a latent or guided model"),
    "another prediction": (scheduler(prediction_type="flow_prediction"), "got 'flow_prediction'"),
    "another scheduler": (
        scheduler(_class_name="FlowMatchEulerDiscreteScheduler"), "no rule from its times"
    ),
    "other betas": (scheduler(beta_schedule="laplace"), "beta_schedule .* got 'laplace'"),
    "no last level": (scheduler(rescale_betas_zero_snr=True), "a finite noise level"),
    "impossible betas": (scheduler(beta_end=2.0), "all betas must be in"),
    "betas that are no numbers": (scheduler(beta_end="x"), "beta_end must be float"),
    "a variance of part of the channels": (config(out_channels=3), "answers 3"),
    "Fourier with times": (config(time_embedding_type="fourier"), "Fourier embeddings take"),
    "a cut file": (cut, "must be a whole safetensors file"),
    "other weights": (other_weights, "weights must be those of the config .*conv_in.bias"),
    "half precision": (half, "half=True"),
    "an impossible config": (config(layers_per_block=-1), "weights must be|refuses it"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, change, message):
    folder = saved(tmp_path / "pipeline")
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_options_of_other_formats_are_refused(tmp_path):
    folder = saved_at_root(tmp_path / "a", ve_unet(), ve_scheduler())
    for option in ({"times": "nearest"}, {"prediction": "epsilon"}):
        with pytest.raises(InputError, match=r"must not be given .* takes the noise level"):
            read(folder, **option)
    torch.save({"x": torch.ones(1)}, tmp_path / "state.pth")
    with pytest.raises(InputError, match="options of a folder of diffusers"):
        read(tmp_path / "state.pth", times="nearest")
    with pytest.raises(InputError, match="format ncsn; got the layout of diffusers"):
        read(folder, "ncsn")


def test_broken_json_is_refused(tmp_path):
    folder = saved(tmp_path / "pipeline")
    for file, text in (("unet/config.json", "{"), (f"scheduler/{SCHEDULER}", "[]")):
        before = (folder / file).read_text()
        (folder / file).write_text(text)
        with pytest.raises(InputError, match=r"must be (a )?JSON"):
            read(folder)
        (folder / file).write_text(before)
    assert json.loads((folder / "model_index.json").read_text())["_class_name"] == "DDPMPipeline"


def test_a_model_of_the_hub_needs_a_network(monkeypatch):
    assert is_hub_name("google/ddpm-cifar10-32") and not is_hub_name("/a/b") | is_hub_name("a/b/c")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="there is no such file, and fetching failed") as caught:
        fetched("google/no-such-model")
    assert "\n" not in str(caught.value) and caught.value.fields == ("path",)


def test_a_model_of_the_hub_that_was_fetched_before_needs_no_network(tmp_path, monkeypatch):
    cache = tmp_path / "models--someone--tiny"
    folder = saved_at_root(cache / "snapshots" / ("0" * 40))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert fetched("someone/tiny") == folder and read(folder).shape == (1, 8, 8)


@pytest.mark.parametrize("said", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("true", ["epsilon", "v_prediction", "sample"])
def test_a_wrong_prediction_is_found_by_denoising(said, true):
    times = VpTimes()
    network = _Preserving(Gaussian(times, true), times, said)
    draw = torch.Generator().manual_seed(0)
    images = (MEAN + VARIANCE**0.5 * torch.randn(4, 1, 8, 8, generator=draw)).double()
    levels = GeometricSchedule(sigma_1=7.2, sigma_L=0.01, n_levels=22).sigmas
    check = denoises(network, images, levels, used=Used(prediction=said), most_levels=8)
    assert check.passed == (said == true)
    if said != true:
        assert check.likeliest[0].setting == f"prediction={true}"
