"""Tests of models of diffusers in a study: planned, refused in one line, sampled from the store."""

import pytest
import torch

from scorelib.networks import DiffusersUnet
from scorelib.spec import from_json
from studies.cli.importing import read_weights, store_weights
from studies.general.sampling_eps import study
from studies.opening.open_study import changed_settings
from studies.run import main
from tests.scorelib.weights.pipelines import edited, saved, unet
from tests.tuning.draining import drain
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler

SMALL = {
    "images": "Digits", "n_sigma": "[1]", "samplers": '["cas"]', "n_images": "20",
    "seeds": "1", "chunk_images": "20",
    "search.n_images": "20", "search.top_images": "20", "search.keep": "1", "search.n_trials": "1",
    "extractor": '{"spec": "RandomConvFeatures"}', "data.spot_check": "false",
}  # fmt: skip


def settings_of(folder, **changes):
    return changed_settings("sampling_eps", "demo", SMALL | {"model": str(folder)} | changes)


def test_settings_below_the_model_reach_the_wrapper(tmp_path):
    folder = saved(tmp_path / "pipeline")
    at = settings_of(folder, **{"model.times": "nearest", "model.prediction": "sample"})
    network = at.model.network
    assert isinstance(network, DiffusersUnet) and from_json(at.to_json()) == at
    assert (network.times.between, network.prediction) == ("nearest", "sample")
    plain = settings_of(folder).model.network
    assert (plain.times.between, plain.prediction) == ("interpolated", "epsilon")
    assert plain.key != network.key


def test_a_ddpm_is_sampled_from_the_store_without_its_folder(tmp_path, store):
    folder = saved(tmp_path / "pipeline")
    made = study("demo", settings_of(folder))
    store_weights(read_weights(made, store), made, store)
    folder.rename(tmp_path / "moved")
    drain(made, store)
    scheduler = Scheduler(made, store)
    for cell in made.cells:
        (job,) = scheduler.cell_jobs(cell)
        assert store.manifest(job.stage, job.key).result.keys() == {"raw", "denoised"}
    network = made.settings.score_model.score_network(ExecutionContext(store=store))
    x, sigma = torch.rand(2, 1, 8, 8), torch.tensor(1.3)
    with torch.no_grad():
        given = (2 * x - 1) / (1 + 4 * sigma**2).sqrt()
        wanted = -unet()(given, network._time(2 * sigma)).sample
        assert torch.allclose(network(x, sigma), wanted, atol=1e-5)


def bin_file(folder):
    (file,) = folder.rglob("*.safetensors")
    file.rename(file.with_suffix(".bin"))


def classes(folder):
    edited(folder / "unet" / "config.json", num_class_embeds=10)


def latent(folder):
    edited(folder / "model_index.json", _class_name="LDMPipeline", vqvae=["diffusers", "VQModel"])


def old(folder):
    edited(folder / "unet" / "config.json", _class_name="UNetUnconditionalModel", ch=128)


REFUSED = {
    "safetensors alone": (bin_file, [], "weights must be one file diffusion_pytorch_model.safe"),
    "classes": (classes, [], "a class-conditional model"),
    "latent": (latent, [], "a latent or guided model"),
    "an old revision": (old, [], "an old revision"),
    "an unknown prediction": (None, ["model.prediction=noise"], "--set model.prediction"),
    "an unknown rule": (None, ["model.times=rounded"], "--set model.times"),
    "levels beyond the training": (
        None, ['model.schedule={"spec": "geometric", "sigma_1": 90, "sigma_L": 1, "n_levels": 4}'],
        "levels must lie where the network was trained",
    ),
    "images of another size": (None, ["images=Photographs"], "the shape (1, 8, 8)"),
    "random weights": (None, ["data.spot_check=true"], "must denoise images of digits"),
}  # fmt: skip


@pytest.mark.parametrize("change, given, words", REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, change, given, words):
    folder, store = saved(tmp_path / "pipeline"), tmp_path / "store"
    if change:
        change(folder)
    options = [f"model={folder}", "images=Digits", *given]
    arguments = [word for option in options for word in ("--set", option)]
    assert main(["sampling_eps", "--store", str(store), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    assert words in printed.err
    assert not store.exists()


def test_a_model_of_the_hub_without_a_network_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    store = tmp_path / "store"
    given = ["--set", "model=google/ddpm-cifar10-32", "--set", "images=Cifar10"]
    assert main(["sampling_eps", "--store", str(store), *given]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and not store.exists()
    assert "a model of the Hugging Face hub" in printed.err and "(--set model=VALUE)" in printed.err
