"""Tests of the accuracy stage: its training data, resumption after a kill, refused settings."""

import pytest
import safetensors.torch
import torch
from torch.utils.flop_counter import FlopCounterMode

from scorelib.data import Digits
from scorelib.errors import InputError
from scorelib.metrics.accuracy import AccuracySpec, AccuracyTraining
from scorelib.optim import AdamSpec
from scorelib.spec import from_json
from tests.tuning.stages.protocols.test_neighbours import InTurn, asked, sampled
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import ClassificationAccuracy, accuracy
from tuning.store.store import Store
from tuning.testing import finish

SMALL = AccuracySpec(
    network="small", optimizer=AdamSpec(learning_rate=2e-3), batch_size=16, iterations=100
)
JOB = ClassificationAccuracy(sample=asked(InTurn, Digits()), n_images=50, classifier=SMALL)


def with_digits(store, job):
    """Returns chunks of real digits, sorted so that each digit has the requested class."""
    images, labels = Digits().load("train")
    wanted = job.sample.labels(20 * len(job.chunks())).tolist()
    of_class = {c: iter((labels == c).nonzero().flatten().tolist()) for c in range(10)}
    chosen = torch.tensor([next(of_class[c]) for c in wanted])
    for chunk in job.chunks():
        here = chosen[20 * chunk.index : 20 * (chunk.index + 1)]
        denoised = (images[here].flatten(1) * 255).round() / 255
        tensors = {"denoised.features": denoised, "raw.features": denoised.flip(1).contiguous()}
        store.commit(
            chunk.stage, chunk.key, spec=chunk.to_json(), result={}, cost={},
            files={"features.safetensors": safetensors.torch.save(tensors)},
        )  # fmt: skip
    return images[chosen], torch.tensor(wanted)


def run(job, store):
    steps = execute(job, ExecutionContext(store=store))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value.result


@pytest.mark.parametrize("which", ["raw", "denoised"])
def test_the_classifier_is_taught_by_the_images_asked_for(store, which):
    job = JOB.replace(n_images=550, which=which)
    images, labels = with_digits(store, job)
    images = images.flatten(1).flip(1).view(-1, 1, 8, 8) if which == "raw" else images
    training = AccuracyTraining(
        SMALL, (images * 255).round().to(torch.uint8)[:550], labels[:550], 10
    )
    for _ in training.steps(100):
        pass
    found = run(job, store)
    assert found == {which: training.accuracy(*Digits().load("test"))}
    assert found[which] > 0.8 if which == "denoised" else found[which] < 0.5  # rotated digits


def test_a_killed_training_goes_on_from_its_checkpoint(store, tmp_path, monkeypatch):
    whole = Store(str(tmp_path / "whole"), create=True)
    for place in (store, whole):
        with_digits(place, JOB)
    monkeypatch.setattr(accuracy, "_CHECKPOINT_SECONDS", 0)
    killed = execute(JOB, ExecutionContext(store=store))
    while next(killed).done < 60:
        pass
    killed.close()
    assert len(store.checkpoint_names(JOB.key)) == 1
    done = [progress.done for progress in execute(JOB, ExecutionContext(store=store))]
    assert done == list(range(61, 101))
    assert store.checkpoint_names(JOB.key) == []
    result = store.manifest(JOB.stage, JOB.key).result
    assert result == run(JOB, whole) and result["denoised"] > 0.3


def test_a_checkpoint_goes_only_after_the_result_is_stored(store, monkeypatch):
    with_digits(store, JOB)
    monkeypatch.setattr(accuracy, "_CHECKPOINT_SECONDS", 0)

    def full(*_, **__):
        raise OSError("no space left")

    with monkeypatch.context() as during:
        during.setattr(store, "commit", full)
        with pytest.raises(OSError, match="no space"):
            list(execute(JOB, ExecutionContext(store=store)))
    assert len(store.checkpoint_names(JOB.key)) == 1
    assert len(list(execute(JOB, ExecutionContext(store=store)))) == 0, "trained again"
    assert store.checkpoint_names(JOB.key) == []


def test_generated_images_are_sampled_as_pixels_and_measured(store):
    result = finish(
        JOB.replace(classifier=SMALL.replace(iterations=3)), ExecutionContext(store=store)
    ).result
    assert 0 <= result["denoised"] <= 1
    kept = JOB.chunks()[0].features(ExecutionContext(store=store))
    assert kept["raw.features"].shape == (20, 64) and len(JOB.chunks()) == 3


def test_a_failed_chunk_or_training_is_a_result(store):
    for chunk in JOB.chunks():
        failed = {"failed": "non-finite sample at step 3"} if chunk.index == 1 else {}
        store.commit("sample", chunk.key, spec=chunk.to_json(), result=failed, cost={}, files={})
    assert run(JOB, store) == {"failed": "non-finite sample at step 3"}


def test_a_diverging_training_is_a_result(store):
    wild = JOB.replace(classifier=SMALL.replace(optimizer=AdamSpec(learning_rate=1e30)))
    with_digits(store, wild)
    assert "ce loss is" in run(wild, store)["failed"]


def test_it_says_what_it_is_and_costs():
    assert from_json(JOB.to_json()) == JOB
    assert JOB.title().startswith("accuracy of small taught by als") and "denoised" in JOB.title()
    paper = JOB.replace(classifier=AccuracySpec(), n_images=150)
    with FlopCounterMode(display=False) as counter:  # counts two for each multiply-add
        paper.classifier.build((1, 8, 8), 10).eval()(torch.rand(1, 1, 8, 8))
    assert paper.work().images == 150 * 400_001
    per_image = paper.work().multiply_adds / paper.work().images
    assert per_image == pytest.approx(3 * counter.get_total_flops() / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: JOB.replace(n_images=15), "n_images must be at least 16, the classifier's batch"),
        (lambda: JOB.replace(sample=sampled(Digits())), "but no classes were requested"),
    ],
)
def test_images_that_cannot_teach_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        change()
