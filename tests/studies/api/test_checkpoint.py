"""Tests of checkpoints: out of a study, and into a study again, with the same numbers."""

import dataclasses
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import scorelib
from dashboards.results.cells import read_study
from dashboards.text.table import render
from scorelib.data import Cifar10, Digits
from scorelib.errors import InputError
from scorelib.networks import Ncsnv2
from scorelib.weights import PUBLISHED, Reported, read
from scorelib.weights.published import TTUR
from studies.api import Run
from studies.cli.importing import read_weights, store_weights
from studies.common.distances import papers_protocol
from studies.export import main as export
from studies.general.reported_numbers import reported_fields
from studies.general.sampling_eps import study
from studies.opening.open_study import changed_settings, record_last_run
from studies.run import main
from tests.tuning.draining import drain
from tuning.jobs import ExecutionContext
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import ImportedWeights
from tuning.stages.models.imported import WEIGHTS_SHA256
from tuning.store.store import Store
from tuning.testing import check_score_model

SMALL = {
    "images": "Digits", "n_sigma": "[1]", "samplers": '["cas"]', "n_images": "60", "seeds": "1",
    "chunk_images": "60", "search.n_images": "60", "search.top_images": "60", "search.keep": "1",
    "search.n_trials": "4", "extractor": '{"spec": "ClassifierOfImages", "iterations": 20, '
    '"width": 2, "n_features": 4}',
}  # fmt: skip
TRAINED = {
    "train.network": '{"spec": "Ncsnv2", "ngf": 2}', "train.iterations": "40", "train.ema": "0.9",
    "train.batch_size": "16", "train.optimizer.learning_rate": "1e-2",
    "train.schedule": '{"spec": "GeometricSchedule", "sigma_1": 3, "sigma_L": 0.1, "n_levels": 6}',
}  # fmt: skip
CELL = "CAS, n_sigma = 1", "digits"


def made(**changes):
    return study("demo", changed_settings("sampling_eps", "demo", SMALL | changes))


def numbers(of, store):
    view = read_study(Scheduler(of, store), store)
    return {cell.cell.name: (cell.sample.epsilon, cell.measured) for cell in view.cells}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A study that trained its own network, finished, and its store."""
    store = Store(str(tmp_path_factory.mktemp("original") / "store"), create=True)
    trained = made(**TRAINED)
    drain(trained, store)
    record_last_run(store, trained)
    return trained, store


@pytest.fixture(scope="module")
def folder(original, tmp_path_factory):
    """The network of a cell, taken out of the store."""
    place = tmp_path_factory.mktemp("out") / "folder"
    arguments = ["sampling_eps", *CELL, "--store", original[1].url, "-o", str(place)]
    assert export([*arguments, "--images", "3", "--layout", "ncsnv2"]) == 0
    return place


@pytest.mark.parametrize("file", [".", "checkpoint.pth"])
def test_what_was_taken_out_gives_the_same_numbers_when_put_in(original, folder, file, store):
    trained, first = original
    again = made(model=str(folder / file))
    assert again.settings.model.network == Ncsnv2(ngf=2)
    assert again.settings.model.schedule == trained.settings.train.schedule
    (job,) = again.snapshots
    assert isinstance(job, ImportedWeights) and job.wants_gpu() is False
    assert "import" in {row.stage for row in forecast(Scheduler(again, store), store, "cpu x1")}
    drain(again, store, weights=(folder / file,))
    assert numbers(again, store) == numbers(trained, first)
    assert drain(again, store) == []  # without the file
    result = store.manifest(job.stage, job.key).result
    assert result[WEIGHTS_SHA256] == read(folder).sha256
    shown = render(read_study(Scheduler(again, store), store), "markdown")
    assert job.weights.sha256 in shown and "closer to the data" in shown


def test_the_contracts_hold(original, folder, tmp_path):
    trained, first = original
    (job,) = made(model=str(folder / "checkpoint.pth")).snapshots
    store = Store(str(tmp_path / "store"), create=True)
    check_score_model(job, ExecutionContext(store=store, weights=(folder / "checkpoint.pth",)))
    check_score_model(trained.snapshots[0], ExecutionContext(store=first))


KILLED = """
import os, signal, sys
from studies.cli.importing import read_weights, store_weights
from studies.opening.open_study import configured
from studies.general.sampling_eps import study
from tuning.store.store import Store

put = Store._put

def killed(self, path, data):
    if path.endswith("manifest.json"):
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, path, data)

Store._put = killed
made, store = study("demo", configured("sampling_eps", "demo", sys.argv[2:])), Store(sys.argv[1])
store_weights(read_weights(made, store), made, store)
"""


def test_kill_minus_9_during_the_import_leaves_nothing_that_counts(folder, tmp_path):
    url, file = str(tmp_path / "store"), str(folder / "checkpoint.pth")
    Store(url, create=True)
    settings = ["=".join(item) for item in (SMALL | {"model": file}).items()]
    command = [sys.executable, "-c", KILLED, url, *settings]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store, again = Store(url), made(model=file)
    (job,) = again.snapshots
    left = [path.name for path in (tmp_path / "store" / "objects").rglob("*.safetensors")]
    assert left == ["weights.safetensors"] and store.stored_keys() == set()
    # The next launch begins with the import.
    assert [job for job, _ in store_weights(read_weights(again, store), again, store)] == [job]
    assert store.stored_keys() == {job.key} and job.exported(ExecutionContext(store=store))


def test_a_folder_holds_everything_and_needs_no_store(original, folder):
    trained, store = original
    network, schedule = scorelib.load(folder)
    assert schedule == trained.settings.train.schedule
    cell = Run(Scheduler(trained, store), store).cell(*CELL)
    x, sigma = torch.rand(2, 1, 8, 8), torch.ones(())
    assert torch.equal(network(x, sigma), cell.network()(x, sigma))
    card = (folder / "README.md").read_text()
    (score,) = read_study(Scheduler(trained, store), store).cells[0].scores
    for words in (
        score.protocol.describe(), f"{cell.values['raw'].values[0]:.6g}", "seed 0",
        f"{score.sample.epsilon:g}", score.sample.model.key, "40 iterations",
    ):  # fmt: skip
        assert words in card, words
    expected = (255 * cell.samples(3)).round().byte()[:, 0]
    found = [np.asarray(Image.open(folder / f"images/{i:06d}.png")) for i in range(3)]
    assert np.array_equal(np.stack(found), expected.numpy())
    config = json.loads((folder / "config.json").read_text())
    assert config["sha256"] == read(folder).weights_sha256


def test_images_are_written_as_an_array_too(original, tmp_path):
    run = Run(Scheduler(*original), original[1])
    digest = run.export(*CELL, tmp_path / "out", n_images=2, images_as="npz")
    with np.load(tmp_path / "out" / "images.npz") as found:
        assert found["arr_0"].dtype == np.uint8 and found["arr_0"].shape == (2, 8, 8, 1)
    assert digest == read(tmp_path / "out").sha256
    assert not (tmp_path / "out" / "checkpoint.pth").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CAS, n_sigma = 3", "digits"], "must be one of 'CAS, n_sigma = 1'"),
        ([CELL[0], "digit"], "the nearest is 'digits'"),
        ([*CELL, "--images", "-1"], "from 0 to 1,000,000, but got -1"),
        ([*CELL, "--layout", "score-sde"], "must hold one of NcsnPp"),
        ([*CELL, "--layout", "edm"], "invalid choice"),
    ],
)
def test_a_wrong_export_writes_nothing(original, tmp_path, capsys, arguments, words):
    place = tmp_path / "out"
    code = export(["sampling_eps", *arguments, "--store", original[1].url, "-o", str(place)])
    printed = capsys.readouterr()
    assert code == 2 and words in printed.err and printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_left_alone(original, folder, capsys):
    before = sorted(folder.rglob("*"))
    assert export(["sampling_eps", *CELL, "--store", original[1].url, "-o", str(folder)]) == 2
    assert "new or empty" in capsys.readouterr().err and sorted(folder.rglob("*")) == before


def damaged(folder, kind):
    """A file of weights with one thing wrong."""
    saved = torch.load(folder / "checkpoint.pth", weights_only=True)
    averages = saved[4]
    if kind == "truncated":
        data = (folder / "checkpoint.pth").read_bytes()
        return data[: len(data) // 2]
    if kind == "no EMA":
        saved[4] = None
    elif kind == "half precision":
        saved[4] = {name: t.half() for name, t in averages.items()}
    elif kind == "increasing levels":
        saved[0]["module.sigmas"] = saved[0]["module.sigmas"].flip(0)
    elif kind == "answers the noise":
        saved[4] = averages | {n: -averages[n] for n in ("end_conv.weight", "end_conv.bias")}
    elif kind == "another network":
        saved = {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(10)}
    return saved


REFUSED = {
    "truncated": ({}, "truncated"),
    "no EMA": ({}, "(--set model.ema=false)"),
    "half precision": ({}, "(--set model.half=true)"),
    "increasing levels": ({}, "(--set model.first_level=smallest)"),
    "answers the noise": ({}, "likeliest: scale: the output is the noise, so change its sign"),
    "another network": ({}, "the nearest here is"),
    "a wrong ngf": ({"model.network": '{"spec": "Ncsnv2", "ngf": 4}'}, "ngf=2"),
    "a wrong digest": ({"model.sha256": "ab" * 32}, "(--set model.sha256=VALUE)"),
    "a wrong option": ({"model.emma": "0.9"}, "got 'model.emma'; the nearest is 'model.ema'"),
    "no range": ({"model.value_range": "[1, 1]"}, "low < high"),
    "images of another shape": ({"images": "Photographs"}, "(--set images=VALUE)"),
    "a published name of another network": ({"published": "ncsnv2-cifar10"}, "232 levels"),
    "no published name": ({"published": "ncsnv2"}, "(--set published=VALUE)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_file_is_refused_in_one_line_before_anything_is_written(
    folder, tmp_path, capsys, kind
):
    file, content = tmp_path / "file.pth", damaged(folder, kind)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    changes, words = REFUSED[kind]
    settings = SMALL | {"model": str(file)} | changes
    arguments = [word for item in settings.items() for word in ("--set", "=".join(item))]
    assert main(["sampling_eps", "--store", str(tmp_path / "store"), *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err, printed.err
    if "likeliest" in words:
        assert "(--set model.answer=noise, " in printed.err, printed.err
        assert ", --set data.spot_check=false)" in printed.err
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_gone_is_needed_only_before_the_import(folder, tmp_path, store):
    file = tmp_path / "file.pth"
    file.write_bytes((folder / "checkpoint.pth").read_bytes())
    settings = changed_settings("sampling_eps", "demo", SMALL | {"model": str(file)})
    assert settings.data.weights == (str(file),)
    (job,) = study("demo", settings).snapshots
    file.unlink()
    run = job.run(ExecutionContext(store=store, weights=(file,)))
    with pytest.raises(InputError, match="must be given, once"):
        list(run)
    with pytest.raises(InputError, match="there is no"):
        made(model=str(file))


def test_what_does_not_denoise_is_imported_if_wanted(folder, tmp_path, store):
    file = tmp_path / "file.pth"
    torch.save(damaged(folder, "answers the noise"), file)
    (job,) = made(model=str(file)).snapshots
    refusing = ExecutionContext(store=store, weights=(file,))
    with pytest.raises(InputError, match="likeliest"):
        list(job.run(refusing))
    (right,) = made(**{"model": str(file), "model.answer": "noise"}).snapshots
    drained = list(right.run(refusing))  # the correction that was named
    assert drained and right.key != job.key
    accepting = ExecutionContext(store=store, weights=(file,), spot_check=False)
    assert list(job.run(accepting))


def test_a_model_needs_images_that_its_samples_should_resemble(folder):
    with pytest.raises(InputError, match="images must be given together with a model") as caught:
        changed_settings("sampling_eps", "demo", {"model": str(folder)})
    assert caught.value.fields == ("images",)


def test_the_file_of_another_model_than_the_published_is_said_to_be_one(folder):
    changes = {"model": str(folder / "checkpoint.pth"), "published": "acsm-cifar10-unet"}
    with pytest.raises(InputError, match="must be the published model acsm-cifar10-unet, but"):
        changed_settings("sampling_eps", "demo", changes)


def test_the_issue_s_own_words_work(folder):
    at = changed_settings("sampling_eps", "demo", {"model": str(folder), "data": "Digits"})
    assert at.images == Digits() and at.score_model.target == Digits()


@pytest.mark.parametrize(
    ("n_images", "words"),
    [
        (60, ("FID-infinity", "95% interval", "so the number of images alone explains")),
        (7, ("perfect samples would score", "on 7 images", "simulated from the reference")),
    ],
)
def test_a_reported_number_stands_beside_ours(folder, store, monkeypatch, n_images, words):
    levels = read(folder).require_schedule()
    tiny = dataclasses.replace(
        PUBLISHED["ncsnv2-cifar10"], network=Ncsnv2(ngf=2), schedule=levels, data=Digits(),
        reported=(
            Reported(10.87, "als", 1, 6.2e-6, True, 50_000, TTUR),
            Reported(25.3, "als", 100, None, False, 50_000, TTUR),
            Reported(2.38, "predictor-corrector", None, None, True, 50_000, "other statistics"),
        ),
    )  # fmt: skip
    monkeypatch.setitem(PUBLISHED, "ncsnv2-cifar10", tiny)
    file = folder / "checkpoint.pth"
    changes = {name: text for name, text in SMALL.items() if name != "images"} | {
        "published": "ncsnv2-cifar10", "model": str(file), "samplers": '["als"]',
        "n_images": str(n_images), "search.n_trials": "1",
    }  # fmt: skip
    of = study("demo", changed_settings("sampling_eps", "demo", changes))
    assert of.settings.images == Digits()  # from the name
    assert [cell.row for cell in of.cells] == [
        "ALS, n_sigma = 1", "ALS, n_sigma = 100", "predictor-corrector",
    ]  # fmt: skip
    ran = drain(of, store, weights=(file,))
    assert len(ran) == len(set(ran)) and Scheduler(of, store).is_complete()
    view = read_study(Scheduler(of, store), store)
    shown = render(view, "markdown")
    line = next(line for line in shown.splitlines() if "reported number differs" in line)
    for word in ("50,000, ours", "the features (fid, ours fd[digits-cnn])", *words):
        assert word in line, line
    assert view.cells[0].difference("denoised") is None and "10.87" in shown and "2.38" in shown
    assert "50,000 samples, other statistics" in shown
    if n_images == 60:
        (numbers_found,) = [c.sample_size for c in view.cells if c.sample_size]
        ours = view.cells[0].measured["denoised"].mean
        explained = f"explains {ours - numbers_found['denoised, reported number']:.3g}"
        assert explained in line


def test_equal_protocols_give_a_difference(folder):
    number = PUBLISHED["acsm-cifar10"].reported[0]
    protocol = papers_protocol(Cifar10(), 10_000).replace(seeds="fresh")
    fields = reported_fields("acsm-cifar10", "als", 1, protocol)
    assert fields["reported"]["denoised"].protocol.is_comparable(protocol)
    assert fields["reported"]["denoised"].value == number.fid == 13.3
    assert "sample_size" not in fields
    fewer = reported_fields("acsm-cifar10", "als", 1, protocol.replace(n_images=1000))
    assert fewer["sample_size"] == 10_000
    assert not fewer["reported"]["denoised"].protocol.is_comparable(protocol.replace(n_images=1000))
    assert reported_fields("acsm-cifar10", "als", 3, protocol) == {}
    church = reported_fields("acsm-church", "cas", 5, protocol)
    assert church["reported"]["denoised"].protocol is None  # of statistics that are not here
