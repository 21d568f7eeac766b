"""Tests of the stages of class shares and of frames along the chain: their images, their keys."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from scorelib.data import Digits, SwissRoll
from scorelib.errors import InputError
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import extract
from scorelib.networks import ResidualMlp
from scorelib.samplers import Als
from scorelib.schedules import LinearSchedule
from scorelib.spec import from_json
from tests.tuning.miniature import miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import Chunk, DataShares, Frames, GeneratedShares, Snapshot, TrainClassifier
from tuning.stages.features.extractors import build_extractor
from tuning.stages.frames import FRAMES_FILE, SIGMAS
from tuning.stages.shares import REACHING, ends_of, share_of

TRAIN = miniature_study().searches[0].space.sample.model.train
SCHEDULE = LinearSchedule(sigma_1=2.0, sigma_L=0.1, n_levels=4)
SAMPLE = (
    miniature_study()
    .searches[0]
    .space.sample.replace(
        model=Snapshot(train=TRAIN.replace(schedule=SCHEDULE), iteration=2),
        ema=TRAIN.ema[0],
        sampler=Als(epsilon=0.002, n_sigma=3),
        chunk_images=7,
    )
)
CLASSIFIER = ClassifierFeatures(
    classifier=ClassifierSpec(data=Digits(), width=4, n_features=16, iterations=60)
)


def finish(job, store):
    for needed in job.inputs():
        finish(needed, store)
    list(execute(job, ExecutionContext(store=store)))
    return store.manifest(job.stage, job.key)


def grid(data, columns):
    """Returns the grey images of a picture, (rows, columns, pixels), without margins."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))[4:, 4:]
    side = (pixels.shape[1]) // columns
    rows = pixels.shape[0] // side
    cells = pixels[: rows * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    return cells[..., : side - 4, : side - 4].reshape(rows, columns, -1)


def test_shares_of_images_are_those_of_the_likeliest_classes_of_all_chunks(store):
    job = GeneratedShares(sample=SAMPLE, n_images=12, extractor=CLASSIFIER, images="denoised")
    result = finish(job, store).result
    at = ExecutionContext(store=store)
    chunks = [Chunk(sample=SAMPLE, index=i, extractor=CLASSIFIER) for i in (0, 1)]
    assert job.inputs() == tuple(chunks)
    probabilities = {
        which: torch.cat([c.features(at)[f"{which}.probabilities"] for c in chunks])[:12]
        for which in ("raw", "denoised")
    }
    sure = probabilities["denoised"].amax(1).mean().item()
    assert result["certainty of denoised"] == pytest.approx(sure, rel=1e-6)
    raw, found = (p.argmax(1) for p in probabilities.values())
    assert raw.bincount(minlength=10).ne(found.bincount(minlength=10)).any(), "nothing to tell"
    for label in range(10):
        share = (found == label).double().mean().item()
        low, high = (result[name] for name in ends_of(label))
        assert result[share_of(label)] == pytest.approx(share)
        assert low <= share <= high and 0.2 < high - low < 0.6  # of 12 images


def test_shares_of_data_are_those_of_its_labels(store):
    result = finish(DataShares(data=Digits(), split="test"), store).result
    labels = load_digits().target[2::3]
    assert [result[share_of(k)] for k in range(10)] == pytest.approx(np.bincount(labels) / 599)
    assert result[REACHING] == 10


def test_the_last_frame_is_the_end_of_the_chain_and_each_has_its_level(store):
    frames = Frames(sample=SAMPLE, n_images=5, n_frames=4)
    manifest = finish(frames, store)
    assert manifest.result[SIGMAS] == pytest.approx(SCHEDULE.sigmas)
    strip = grid(store.read("frames", frames.key, FRAMES_FILE), columns=4)
    assert strip.shape[:2] == (5, 4)
    chunk = Chunk(sample=SAMPLE.replace(chunk_images=5), index=0, extractor=CLASSIFIER)
    finish(chunk, store)
    ends = grid(store.read("sample", chunk.key, "raw.png"), columns=5)
    np.testing.assert_array_equal(strip[:, -1], ends[0])
    assert all((strip[:, k] != strip[:, -1]).any() for k in range(3))


def test_frames_do_not_depend_on_how_many_there_are(store):
    few, many = (Frames(sample=SAMPLE, n_images=3, n_frames=n) for n in (2, 4))
    pictures = [grid(store.read("frames", f.key, FRAMES_FILE), f.n_frames)
                for f in (few, many) if finish(f, store)]  # fmt: skip
    np.testing.assert_array_equal(pictures[0], pictures[1][:, 1::2])


def test_they_come_back_from_json_and_cost_what_they_do():
    jobs = (
        GeneratedShares(sample=SAMPLE, n_images=12, extractor=CLASSIFIER),
        DataShares(data=Digits(), split="train"),
        Frames(sample=SAMPLE, n_images=5, n_frames=4),
    )
    for job in jobs:
        assert from_json(job.to_json()) == job and not job.wants_gpu()
    assert jobs[2].work().evaluations == 5 * 4 * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frames(sample=SAMPLE, n_frames=13), r"n_frames in \[1, 12\].* n_frames=13"),
        (lambda: Frames(sample=SAMPLE, n_frames=0), "n_images=8, n_frames=0"),
        (lambda: Frames(sample=SAMPLE, n_images=0, n_frames=1), "n_images=0, n_frames=1"),
        (lambda: Frames(sample=in_the_plane(), n_frames=1), r"images .*, but got shape \(2,\)"),
        (lambda: GeneratedShares(sample=SAMPLE, n_images=0, extractor=CLASSIFIER), "at least 1"),
    ],
)
def test_errors_say_what_must_hold(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_trained_classifier_has_its_accuracy_and_certainty_on_held_out_images(store):
    job = TrainClassifier(classifier=CLASSIFIER.classifier)
    result = finish(job, store).result
    images, labels = Digits().load("test")
    module = build_extractor(CLASSIFIER, ExecutionContext(store=store))
    _, probabilities = extract(module, images)
    highest = probabilities.amax(1).double().mean().item()
    assert result.keys() == {"test_accuracy", "test_certainty"}
    assert result["test_certainty"] == pytest.approx(highest, rel=1e-6)
    assert result["test_accuracy"] == pytest.approx(
        (probabilities.argmax(1) == labels).double().mean().item(), abs=0.01
    )


def in_the_plane():
    train = SAMPLE.model.train.replace(data=SwissRoll(), network=ResidualMlp(width=4, depth=1))
    return SAMPLE.replace(model=Snapshot(train=train, iteration=1))
