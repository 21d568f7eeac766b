"""Tests of snapshots: stored files of a training, bitwise resumption, training images."""

import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from scorelib.data import ImageFolder, PixelData
from scorelib.losses import SCORE_ADAM, Adversarial, Dsm
from scorelib.networks import BigGanDiscriminator
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining
from tests.tuning.miniature import miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import Snapshot
from tuning.store.store import Store
from tuning.testing import finish


def test_an_adversarial_training_goes_on_from_its_checkpoint(store, tmp_path, convolutional):
    objective = Adversarial(discriminator=BigGanDiscriminator(width=4))
    train = convolutional.train.replace(objective=objective, optimizer=SCORE_ADAM)
    first, last = (Snapshot(train=train, iteration=i) for i in (3, 5))
    finish(first, ExecutionContext(store=store))
    finish(last, ExecutionContext(store=store))
    whole = ExecutionContext(store=Store(str(tmp_path / "whole"), create=True))
    finish(last, whole)
    ours, theirs = last.weights(ExecutionContext(store=store), 0.9), last.weights(whole, 0.9)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    plain = convolutional.replace(iteration=5)
    assert plain.key != last.key and last.work().multiply_adds > plain.work().multiply_adds


def test_a_snapshot_keeps_every_ema_and_the_checkpoint_only_the_newest_state(store):
    study, place = miniature_study(), ExecutionContext(store=store)
    for snapshot in study.snapshots:
        finish(snapshot, place)
        files = store.manifest(snapshot.stage, snapshot.key).files
        assert set(files) == {"ema-0.99.safetensors", "ema-0.999.safetensors", "losses.json"}
    a, b = (study.snapshots[1].weights(place, decay) for decay in (0.99, 0.999))
    assert any(not torch.equal(a[name], b[name]) for name in a)
    assert len(store.checkpoint_names(study.snapshots[0].train.key)) == 1


PLAYERS = Adversarial(discriminator=BigGanDiscriminator(width=1), n_d=1)


def miniature_snapshot(objective, iteration):
    train = miniature_study().snapshots[0].train
    return Snapshot(train=train.replace(objective=objective, batch_size=32), iteration=iteration)


@pytest.fixture
def checkpoints_always(monkeypatch):
    from tuning.stages.training import snapshots

    monkeypatch.setattr(snapshots, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(snapshots, "_CHECKPOINT_SHARE", 1e9)


@pytest.mark.parametrize(
    ("objective", "names"), [(Dsm(), {"dsm"}), (PLAYERS, {"dsm", "gan", "discriminator"})]
)
def test_training_killed_inside_a_snapshot_goes_on_from_its_checkpoint_bitwise(
    store, tmp_path, checkpoints_always, objective, names
):
    snapshot = miniature_snapshot(objective, 130)
    run = execute(snapshot, ExecutionContext(store=store))
    for progress in run:
        if progress.done == 117:  # the checkpoint of iteration 100 is written; discard the rest
            break
    del run
    assert store.checkpoint_names(snapshot.train.key) == ["0000000100.safetensors"]
    resumed = finish(snapshot, ExecutionContext(store=store))
    assert resumed.cost["started_at"] == 100
    other = Store(str(tmp_path / "whole"), create=True)
    whole = finish(snapshot, ExecutionContext(store=other))
    assert whole.cost["started_at"] == 0
    for name in whole.files:
        assert store.read("train", snapshot.key, name) == other.read("train", snapshot.key, name)
    losses = json.loads(store.read("train", snapshot.key, "losses.json"))
    assert {name: [i for i, _ in pairs] for name, pairs in losses.items()} == {
        name: [50, 100, 130] for name in names
    }
    assert resumed.result == {"loss": losses["dsm"][-1][1]}


def test_the_losses_kept_are_those_that_training_reports(store):
    snapshot = miniature_snapshot(PLAYERS, 60)
    finish(snapshot, ExecutionContext(store=store))
    spec = snapshot.train
    run = AdversarialTraining(
        spec.build(), spec.data.load("train")[0], objective=PLAYERS, schedule=spec.schedule,
        optimizer=spec.optimizer, ema=spec.ema, batch_size=32, flips=spec.flips, seed=spec.seed,
    )  # fmt: skip
    reported = {step.iteration: step.losses for step in run.steps(60) if step.losses}
    losses = json.loads(store.read("train", snapshot.key, "losses.json"))
    assert losses == {n: [[i, reported[i][n]] for i in (50, 60)] for n in reported[60]}


@pytest.mark.parametrize("flips", [False, True])
def test_images_from_files_are_trained_on_as_pixels_and_end_bitwise_as_floats(
    store, tmp_path, monkeypatch, flips
):
    draw = np.random.default_rng(0)
    for split, i in itertools.product(("train", "test"), range(24)):
        path = tmp_path / "noise" / split / "one" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    data = ImageFolder.of(tmp_path / "noise", size=8)
    train = miniature_snapshot(Dsm(), 1).train.replace(data=data, batch_size=10, flips=flips)
    snapshot = Snapshot(train=train, iteration=5)
    divided, _ = data.load("train", tmp_path)
    whole = DsmTraining(
        train.build(), divided, schedule=train.schedule, optimizer=train.optimizer, ema=train.ema,
        batch_size=10, flips=flips, seed=train.seed,
    )  # fmt: skip
    list(whole.steps(5))
    monkeypatch.delattr(PixelData, "load")  # the images are never converted to floats as a whole
    place = ExecutionContext(store=store, data_root=tmp_path)
    finish(snapshot, place)
    for decay in train.ema:
        found, expected = snapshot.weights(place, decay), whole.ema.weights(decay)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
