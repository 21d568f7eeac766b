"""Tests of scores of pictures that were made elsewhere."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch
import torch_fidelity.fidelity
from PIL import Image

from scorelib.data import Digits
from scorelib.data.own import pictures as picture_module
from scorelib.errors import InputError
from scorelib.losses import Dsm
from scorelib.metrics import InceptionFeatures, RandomConvFeatures, extract
from scorelib.metrics.prdc import prdc
from scorelib.networks import ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als
from scorelib.schedules import GeometricSchedule
from studies.cli.pieces import pieces_of
from studies.general.score_images import demo, paper, study
from studies.opening.open_study import configured
from studies.opening.own_pictures import names_of
from studies.run import main
from tests.scorelib.metrics.random_inception import save_random_weights
from tests.tuning.draining import drain
from tuning.execution.trainable import Execution
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.stages.first_images import first_images
from tuning.store.store import Store
from tuning.testing.jobs import finish

DIGITS = (255 * Digits().load("test")[0]).round().byte().numpy().transpose(0, 2, 3, 1)
RNG = np.random.default_rng(0)
TINY = {"extractor": "ClassifierOfImages", "extractor.iterations": "5", "extractor.width": "2"}
TINY |= {"extractor.n_features": "4"}


def save_pictures(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"{i:04}.png")
    return folder


def noise(n, side=8, channels=3):
    return RNG.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def settings_of(pictures, reference, **changes):
    given = {"pictures": json.dumps([str(path) for path in pictures]), "reference": str(reference)}
    return configured("score_images", "demo", [f"{k}={v}" for k, v in (given | changes).items()])


def run(at, store, **place):
    """Runs a study in this process; returns its values by row and column, and the jobs."""
    made = study("demo", at)
    ran = drain(made, store, pieces=pieces_of(made, store), **place)
    return {(cell.row, cell.column): value(cell.job, store) for cell in made.cells}, ran


def value(job, store):
    return store.manifest(job.stage, job.key).result["raw"]


def test_the_same_images_give_the_same_distance_to_the_last_digit(tmp_path, store):
    train = TrainSpec(
        data=Digits(), network=ResidualMlp(width=8, depth=1), objective=Dsm(), ema=(0.9,),
        schedule=GeometricSchedule(sigma_1=1.0, sigma_L=0.1, n_levels=3), optimizer=AdamSpec(),
        batch_size=16,
    )  # fmt: skip
    sample = SampleSpec(
        model=Snapshot(train=train, iteration=4), ema=0.9, sampler=Als(epsilon=2e-3)
    )
    extractor = demo().replace(extractor=None).features
    extractor = extractor.replace(
        classifier=extractor.classifier.replace(iterations=5, width=2, n_features=4)
    )
    protocol = FidProtocol(extractor=extractor, data=Digits(), n_images=500)
    place = ExecutionContext(store=store)
    from_store = finish(Score(sample=sample, protocol=protocol), place).result["denoised"]
    drawn = first_images(sample, 500, "denoised", place)
    pixels = (255 * drawn).round().byte().numpy().transpose(0, 2, 3, 1)
    np.savez_compressed(tmp_path / "array.npz", pixels)
    paths = [save_pictures(tmp_path / "folder", pixels), tmp_path / "array.npz"]
    for path in paths:  # one after the other, from empty stores
        other = type(store)(str(tmp_path / f"of {path.name}"), create=True)
        at = settings_of([path], "Digits", metrics='["distance"]', **TINY)
        found, _ = run(at, other)
        assert found[path.name, "Frechet distance"] == from_store > 0


def test_a_longer_folder_costs_only_what_is_new(tmp_path, store, monkeypatch):
    monkeypatch.setattr(picture_module, "CHUNK_IMAGES", 20)
    monkeypatch.setattr("studies.cli.pieces.CHUNK_IMAGES", 20)
    real, images = save_pictures(tmp_path / "real", noise(30)), noise(70)
    folder = save_pictures(tmp_path / "samples", images[:40])

    def chunks_of_a_run(*paths):
        found, ran = run(settings_of(paths, real), store)
        return found, sum(stage == "pictures" for stage, _ in ran), len(ran)

    assert chunks_of_a_run(folder)[1] == 2 + 2  # and two of the reference
    assert chunks_of_a_run(folder)[2] == 0
    save_pictures(folder, images)
    longer, n_chunks, n_jobs = chunks_of_a_run(folder)
    assert n_chunks == 2 and n_jobs == 2 + 5
    packed = tmp_path / "renamed.npz"
    np.savez(packed, images)
    both, _, n_jobs = chunks_of_a_run(folder, packed)
    assert n_jobs == 0 and len(both) == 2 * len(longer)
    for (_, column), number in longer.items():
        assert both["samples", column] == both["renamed.npz", column] == number


def test_every_metric_is_measured_on_the_pictures_by_its_protocol(tmp_path, store):
    real, made = noise(30) // 2, noise(25)
    paths = [save_pictures(tmp_path / "samples", made)]
    at = settings_of(paths, save_pictures(tmp_path / "real", real), n_images=20, k=4)
    found, _ = run(at, store)
    spec = RandomConvFeatures()
    module = spec.build(spec.load_weights())
    ours, theirs = (
        extract(module, torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))[0]
        for x in (made[:20], real)
    )
    numbers = {column: number for (_, column), number in found.items()}
    both = [np.cov(x.numpy().astype(np.float64), rowvar=False) for x in (ours, theirs)]
    roots = np.linalg.eigvals(both[0] @ both[1]).astype(complex) ** 0.5
    apart = (ours.double().mean(0) - theirs.double().mean(0)).square().sum().item()
    expected = apart + np.trace(both[0] + both[1]) - 2 * roots.real.sum()
    assert numbers["Frechet distance"] == pytest.approx(expected, rel=1e-4)
    (cell,) = [c for c in study("demo", at).cells if c.column == "recall"]
    assert (cell.protocol.n_real, cell.protocol.seeds, cell.protocol.k) == (20, "unstated", 4)
    chosen = theirs[cell.protocol._chosen(torch.zeros(30, dtype=torch.int64))]
    for name, number in dataclasses.asdict(prdc(chosen, ours, 4)).items():
        assert numbers.get(name, number) == number
    assert numbers.keys() == {"Frechet distance", "precision", "recall", "density", "coverage"}


def test_published_statistics_allow_the_distance_and_the_inception_score_alone(tmp_path, store):
    path = save_pictures(tmp_path / "samples", DIGITS[:40])
    np.savez(tmp_path / "published.npz", mu=np.zeros(4), sigma=np.eye(4))
    extractor = settings_of([path], "Digits", **TINY).features
    at = settings_of([path], tmp_path / "published.npz", extractor=json.dumps(extractor.to_json()))
    assert at.measured == ("distance", "inception score")
    found, _ = run(at, store)
    assert found["samples", "Frechet distance"] > 0 < found["samples", "Inception score"]
    assert any("the file tells neither" in note for note in at.notes)
    assert settings_of([], "Digits").replace(reference=at.reference).features != extractor


def test_workers_are_told_where_their_own_pieces_lie(tmp_path, store):
    path = save_pictures(tmp_path / "samples", noise(4))
    made = study("demo", settings_of([path], save_pictures(tmp_path / "real", noise(5))))
    pieces = pieces_of(made, store)
    assert len(pieces) == 2
    jobs = [job for cell in made.cells for job in cell.job.chunks()]
    execution = Execution(str(tmp_path / "store"), pieces=pieces)
    sent = json.loads(execution.config(jobs[0], gpus=0)["execution"])
    assert sent["pieces"].keys() == set(jobs[0].pieces)
    there = Execution.from_json(json.dumps(sent)).context(gpu=False)
    assert there.piece(jobs[0].digest) == (str(path), 0)
    assert len(list(execute(jobs[0], dataclasses.replace(there, store=store)))) > 0


def test_names_are_as_short_as_they_can_be(tmp_path):
    paths = [tmp_path / "1" / "samples", tmp_path / "2" / "samples", tmp_path / "2" / "raw"]
    assert names_of(paths[1:]) == ["samples", "raw"]
    assert names_of(paths) == ["1/samples", "2/samples", "2/raw"]


def warnings_of(at):
    return [note.removeprefix("warning: ") for note in at.notes if note.startswith("warning")]


def test_what_makes_numbers_misleading_is_said(tmp_path):
    real = save_pictures(tmp_path / "real", noise(200, side=9))
    equal = save_pictures(tmp_path / "equal", noise(1).repeat(200, axis=0))
    few = save_pictures(tmp_path / "few", noise(10, side=9))
    some = save_pictures(tmp_path / "some", noise(170, side=9)[[*range(165), 0, 1, 2, 3, 4]])
    good = save_pictures(tmp_path / "good", noise(170, side=9))
    found = warnings_of(settings_of([equal, few, some, good], real))
    alike, sizes, fewer, repeated = found
    assert "the images have 8 x 8 pixels and those of real 9 x 9" in sizes
    assert alike == "equal: all 200 images are equal"
    assert fewer.startswith("few: 10 images are fewer than the 160 features of random-conv")
    assert repeated == "some: of 170 images only 165 differ"


def refused(capsys, store, changes):
    arguments = [word for change in changes for word in ("--set", change)]
    assert main(["score_images", "--store", str(store), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    assert not store.exists()
    return printed.err


@pytest.fixture
def files(tmp_path):
    """Returns a folder with a file or folder of each kind."""
    save_pictures(tmp_path / "good", noise(6))
    save_pictures(tmp_path / "large", noise(6, side=16))
    save_pictures(tmp_path / "one", noise(1))
    np.savez(tmp_path / "floats.npz", noise(6) / 255)
    np.savez(tmp_path / "objects.npz", np.array([{}, {}]))
    np.savez(tmp_path / "nchw.npz", noise(6).transpose(0, 3, 1, 2))
    np.savez(tmp_path / "asymmetric.npz", mu=np.zeros(3), sigma=np.eye(3) + np.eye(3, k=1))
    np.savez(tmp_path / "indefinite.npz", mu=np.zeros(3), sigma=-np.eye(3))
    np.savez(tmp_path / "three.npz", mu=np.zeros(3), sigma=np.eye(3))
    return tmp_path


REFUSED = {
    "no reference": (["pictures=good"], "reference must be given together with pictures"),
    "one image": (["pictures=one", "reference=good"], "at least 2 images"),
    "floats": (["pictures=floats.npz", "reference=good"], "is float64"),
    "objects": (["pictures=objects.npz", "reference=good"], "holds objects"),
    "channels first": (["pictures=nchw.npz", "reference=good"], "the channels first"),
    "not there": (["pictures=none", "reference=good"], "error: pictures must be a folder or an"),
    "an unset variable": (["pictures=", "reference=good"], "a path must not be empty, but got ''"),
    "a reference of nothing": (["pictures=good", "reference="], "a path must not be empty"),
    "no such reference": (["pictures=good", "reference=none"], "there is no"),
    "one image as reference": (["pictures=good", "reference=one"], "at least 2 images"),
    "statistics as pictures": (
        ["pictures=three.npz", "reference=good"], "name it as the reference"
    ),
    "asymmetric": (["pictures=good", "reference=asymmetric.npz"], "must be symmetric"),
    "indefinite": (["pictures=good", "reference=indefinite.npz"], "no negative eigenvalue"),
    "another dimension": (
        ["pictures=good", "reference=three.npz"], "of the 2,048 features of inception, but are of 3"
    ),
    "metrics without images": (
        ["pictures=good", "reference=three.npz", "extractor=Pixels", "extractor.shape=[1, 1, 3]",
         'metrics=["recall"]'],
        "recall needs the real images, but three has none",
    ),
    "no classes": (
        ["pictures=good", "reference=large", 'metrics=["inception score"]'], "one class per image"
    ),
    "a classifier without classes": (
        ["pictures=good", "reference=large", "extractor=ClassifierOfImages"], "leave the extractor"
    ),
    "images of another shape than the classifier's": (
        ["pictures=good", "reference=Digits"], "(C, H, W) = (1, 8, 8)"
    ),
    "more than there are": (["pictures=good", "reference=large", "n_images=7"], "at most 6"),
    "too few for neighbours": (["pictures=good", "reference=large", "k=6"], "more than k = 6"),
    "an unknown metric": (["pictures=good", "reference=large", 'metrics=["kid"]'], "metrics must"),
    "points": (["pictures=good", "reference=Moons"], "holds points"),
    "twice": (['pictures=["good", "good"]', "reference=large"], "given twice"),
}  # fmt: skip


@pytest.mark.parametrize("changes, words", REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_refused_in_one_line(files, capsys, monkeypatch, changes, words):
    monkeypatch.chdir(files)
    assert words in refused(capsys, files / "store", changes)


def test_pictures_that_are_gone_or_changed_are_refused_before_anything_is_written(files, store):
    at = settings_of([files / "good"], files / "large")
    made = study("demo", at)
    save_pictures(files / "good", noise(6))
    with pytest.raises(InputError, match=r"good must be among the paths of data.pictures") as error:
        pieces_of(made, store)
    assert error.value.fields == ("data.pictures",)


def test_the_defaults_are_the_digits_and_cifar_10():
    assert [cell.row for cell in study("demo", demo()).cells] == ["digits test, real"] * 5
    assert {cell.protocol.name.split("[")[0] for cell in study("paper", paper()).cells} == {
        "fid", "precision", "recall", "density", "coverage",
    }  # fmt: skip


def test_the_command_measures_a_folder_and_says_what_is_wrong_with_it(tmp_path, capsys):
    """The jobs run in this process; `tests.tutorial` runs the command with workers of Ray."""
    real = save_pictures(tmp_path / "real", noise(12))
    folder, store = save_pictures(tmp_path / "one", noise(8)), tmp_path / "store"
    given = ["score_images", "--store", str(store), "--cpus", "1"]
    given += [word for change in (f"reference={real}", 'metrics=["distance"]', f"pictures={folder}")
              for word in ("--set", change)]  # fmt: skip
    assert main([*given, "--plan"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "one: 8 images are fewer than the 160 features" in printed and not store.exists()
    run(settings_of([folder], real, metrics='["distance"]'), Store(str(store), create=True))
    assert main(given) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("are fewer than the 160 features") == 1
    assert "one" in printed and "missing" not in printed
    folder.rename(tmp_path / "moved")
    assert main([*given[:-1], f"pictures={tmp_path / 'moved'}"]) == 0  # nothing is left to run
    assert "moved" in capsys.readouterr().out


def test_the_command_of_torch_fidelity_finds_the_same_numbers(tmp_path, store, monkeypatch, capsys):
    sha256 = save_random_weights(tmp_path / "weights.pth", n_alive=1)
    levels = np.linspace(0, 255, 12)  # for more images than features that are not zero
    images = (RNG.normal(size=(12, 16, 16, 3)) * 40 + levels[:, None, None, None]).clip(0, 255)
    first, second = (
        save_pictures(tmp_path / name, part.astype(np.uint8))
        for name, part in (("a", images[::2]), ("b", images[1::2]))
    )
    extractor = json.dumps(InceptionFeatures(weights_sha256=sha256).to_json())
    at = settings_of(
        [first], second, extractor=extractor, metrics='["distance", "inception score"]', n_splits=2
    )
    found, _ = run(at, store, inception_weights=tmp_path / "weights.pth")
    command = [
        "fidelity", "--cpu", "--fid", "--isc", "--json", "--silent", "--no-cache",
        "--isc-splits", "2", "--no-samples-shuffle", "--batch-size", "8",
        "--save-cpu-ram", "--input1", str(first), "--input2", str(second),
        "--feature-extractor-weights-path", str(tmp_path / "weights.pth"),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    capsys.readouterr()
    torch_fidelity.fidelity.main()
    printed = capsys.readouterr().out
    theirs = json.loads(printed[printed.index("{") :])
    fid, score = found["a", "Frechet distance"], found["a", "Inception score"]
    assert fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert score == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert fid > 1e-6 and score > 1 + 1e-9
