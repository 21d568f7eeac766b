"""Tests of launches on data that changed, that is not there, or that misleads."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from dashboards.results.cells import read_study
from dashboards.text.table import foot
from scorelib.data import Digits, digits
from scorelib.data.facts import facts_of
from scorelib.errors import InputError
from studies.cli import launch
from studies.run import main
from tests.miniature import OPTIONS, miniature_study
from tuning.scheduling.scheduler import Scheduler
from tuning.store.data_records import record_data
from tuning.store.provenance import note_launch
from tuning.store.store import Store

NAME = "cifar_sampling_eps"


def refused(capsys, *arguments):
    assert main([NAME, *OPTIONS, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and "Traceback" not in printed.err
    return printed.err


def test_a_refusal_after_the_data_were_read_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "pics").mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pics" / f"{i}.png")

    def refuse(*_):
        raise InputError("weights must denoise")

    monkeypatch.setattr(launch, "read_weights", refuse)
    words = ["--set", f"images={tmp_path / 'pics'}", "--store", str(tmp_path / "store")]
    assert main(["sampling_eps", *words]) == 2
    assert capsys.readouterr() == ("", "error: weights must denoise\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pics"]


@pytest.fixture
def exchanged(monkeypatch):
    """Returns the facts of the digits before their images were exchanged."""
    before = facts_of(Digits())
    images, labels = digits._all_digits()
    monkeypatch.setattr(digits, "_all_digits", lambda: (1 - images, labels))
    return before


@pytest.mark.parametrize("plan", [[], ["--plan"]])
def test_exchanged_images_are_refused_with_both_digests(store, capsys, exchanged, plan):
    record_data(store, {Digits(): exchanged})
    line = refused(capsys, "--store", store.url, *plan)
    assert exchanged.digests["train"][:12] in line
    assert facts_of(Digits()).digests["train"][:12] in line and "data.root" in line


def test_a_store_of_version_0_1_is_compared_with_its_launches(store, capsys, exchanged):
    note_launch(store, f"{NAME}-demo", {"digits": exchanged.digests["train"]})
    line = refused(capsys, "--store", store.url)
    assert "the launch of" in line and exchanged.digests["train"][:12] in line


def test_a_plan_says_what_is_not_there_yet_and_refuses_what_is_wrong(tmp_path, capsys):
    arguments = [NAME, "--scale", "paper", "--plan", "--store", str(tmp_path / "store")]
    root = ["--set", f"data.root={tmp_path}"]
    assert main([*arguments, *root]) == 0
    assert "data cifar10: no files yet" in capsys.readouterr().out
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"cut short")
    assert main([*arguments, *root]) == 2
    assert "CIFAR-10 must be in" in capsys.readouterr().err


def test_a_plan_refuses_a_named_file_of_weights_that_a_run_would_refuse(tmp_path, capsys):
    (tmp_path / "weights.pth").write_bytes(b"cut short")
    named = ["--set", f"data.inception_weights={tmp_path / 'weights.pth'}"]
    arguments = [NAME, "--scale", "paper", "--plan", "--store", str(tmp_path / "store")]
    assert main([*arguments, *named, "--set", f"data.root={tmp_path}"]) == 2
    printed = capsys.readouterr()
    assert "weights.pth must have the SHA-256 sum" in printed.err and printed.out == ""


def test_a_plan_refuses_images_of_another_shape_than_the_classifiers(tmp_path, capsys):
    for i in range(10):
        pixels = np.random.default_rng(i).integers(0, 256, (7, 7), dtype=np.uint8)
        (tmp_path / "pics").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "pics" / f"{i}.png")
    data = f'train.data={{"folder": "{tmp_path / "pics"}", "size": 7}}'
    changes = ["--set", data, "--set", "train.batch_size=2"]
    line = refused(capsys, "--plan", "--store", str(tmp_path / "store"), *changes)
    assert "must have the shape (1, 8, 8)" in line and "but have (3, 7, 7)" in line


def test_a_plan_says_what_was_left_out_and_what_misleads(tmp_path, capsys):
    folder = tmp_path / "pics"
    folder.mkdir()
    for i in range(10):
        pixels = np.full((8, 8), 20, dtype=np.uint8) if i < 8 else np.full((8, 8), i, np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("")
    changes = [f'train.data={{"folder": "{folder}", "channels": 1}}', "train.batch_size=2"]
    options = [word for change in changes for word in ("--set", change)]
    assert main([NAME, *OPTIONS, *options, "--plan", "--store", str(tmp_path / "store")]) == 0
    printed = capsys.readouterr().out
    assert "data pics: 8 training and 2 held-out images of 1 class taken" in printed
    assert "data pics: left out: 1 .txt files" in printed
    assert "training images of pics" in printed and "training images too" in printed


def test_the_held_out_number_says_how_many_images_are_distinct(store):
    study = miniature_study()
    (job,) = [job for job in study.baselines if job.kind == "held-out"]
    store.commit(
        job.stage,
        job.key,
        spec=job.to_json(),
        result={"distance": 5.0, "n_images": 599},
        cost={},
        files={},
    )

    def first_line():
        return foot(read_study(Scheduler(study, Store(store.url)), store))[0]

    assert first_line() == "fd(train, held-out) = 5 (599 images)"
    facts = facts_of(Digits())
    facts = dataclasses.replace(facts, n_distinct={"train": 1198, "test": 580})
    record_data(store, {Digits(): facts})
    assert first_line() == "fd(train, held-out) = 5 (599 images, 580 distinct)"


def test_notes_of_the_data_stand_under_the_table(store):
    facts = dataclasses.replace(facts_of(Digits()), remarks=("left out: 3 .txt files",), n_shared=2)
    record_data(store, {Digits(): facts})
    lines = foot(read_study(Scheduler(miniature_study(), store), store))
    assert "data digits: 599 held-out images, 599 distinct" in lines
    assert "data digits: left out: 3 .txt files" in lines
    assert any(line.startswith("warning: 2 of 599 distinct held-out images") for line in lines)
