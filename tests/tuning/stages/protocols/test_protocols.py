"""Tests of protocols in the score stage: known classes, probabilities and points, known numbers."""

import hashlib
import json
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import safetensors.torch
import scipy.stats
import torch

from scorelib.data import Digits, Gaussians, Photographs, Stacked, SwissRoll
from scorelib.errors import InputError
from scorelib.losses import Dsm
from scorelib.metrics import (
    ClassifierFeatures,
    ClassifierSpec,
    Coordinates,
    InceptionFeatures,
    StackedClassifierFeatures,
    frechet_distance,
    moments,
)
from scorelib.metrics.frechet import distances_without
from scorelib.networks import ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als
from scorelib.schedules import GeometricSchedule
from scorelib.spec import from_json
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import (
    N_GROUPS,
    DistanceProtocol,
    FidProtocol,
    InceptionScoreProtocol,
    ModesProtocol,
    NeighboursProtocol,
    Protocol,
    SampleSpec,
    Score,
    Snapshot,
    TrainSpec,
    without_group,
)
from tuning.store.store import Store
from tuning.testing import finish

DIGITS = ClassifierSpec(data=Digits(), iterations=30, width=4, n_features=8)
SINGLE = ClassifierFeatures(classifier=DIGITS)
STACKS = Stacked(of=Digits(), n=400)
MODES = ModesProtocol(
    extractor=StackedClassifierFeatures(classifier=DIGITS), data=STACKS, n_images=1000,
    statistic="modes",
)  # fmt: skip
KL = MODES.replace(statistic="kl")
IS = InceptionScoreProtocol(extractor=SINGLE, data=Digits(), n_images=50, n_splits=5)
FD = FidProtocol(extractor=SINGLE, data=Digits(), n_images=50)
DISTANCE = DistanceProtocol(data=Gaussians(n=1000), n_images=50)
EVERY = [MODES, KL, IS, FD, DISTANCE]


def sampled(data, chunk_images=20, **changes):
    """Returns samples of a tiny network that was trained briefly on the data."""
    train = TrainSpec(
        data=data, network=ResidualMlp(width=16, depth=1), objective=Dsm(),
        schedule=GeometricSchedule(sigma_1=1.0, sigma_L=0.1, n_levels=3),
        optimizer=AdamSpec(), ema=(0.9,), batch_size=16,
    )  # fmt: skip
    return SampleSpec(
        model=Snapshot(train=train, iteration=4), ema=0.9, sampler=Als(epsilon=2e-3),
        chunk_images=chunk_images, **changes,
    )  # fmt: skip


def measured(store, protocol, **tensors):
    """Returns the result of a score over chunks with given images."""
    score = Score(sample=sampled(protocol.data), protocol=protocol)
    for chunk in score.chunks():
        here = slice(20 * chunk.index, 20 * (chunk.index + 1))
        data = safetensors.torch.save({k: t[here].clone() for k, t in tensors.items()})
        store.commit(
            chunk.stage, chunk.key, spec=chunk.to_json(), result={}, cost={},
            files={"features.safetensors": data},
        )  # fmt: skip
    return finish_score(store, score).result


def finish_score(store, score):
    run = execute(score, ExecutionContext(store=store))
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value


def of(protocol, raw, denoised, kind):
    """Returns the tensors of a chunk, with zeros for the kind that the protocol does not read."""
    n = protocol.extractor.n_features if kind == "probabilities" else protocol.extractor.n_classes
    other = "features" if kind == "probabilities" else "probabilities"
    empty = torch.zeros(len(raw), n)
    return {
        f"raw.{kind}": raw, f"denoised.{kind}": denoised,
        f"raw.{other}": empty, f"denoised.{other}": empty,
    }  # fmt: skip


def probabilities_of(classes):
    """Returns class probabilities (N, 30) whose most likely classes are given (N, 3), below 1."""
    return (0.3 * torch.nn.functional.one_hot(classes, 10) + 0.07).flatten(1)


def test_modes_and_divergence_of_known_stacks(store):
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    beyond = torch.full((20, 3), 9)  # images in the chunks that the protocol does not count
    few = torch.tensor([[3, 1, 4], [3, 1, 4], [4, 1, 3], [9, 9, 9]]).repeat(250, 1)
    raw, denoised = (probabilities_of(torch.cat([x, beyond])) for x in (every, few))
    tensors = of(MODES, raw, denoised, "probabilities")
    found = measured(store, MODES, **tensors)
    assert (found["raw"], found["denoised"]) == (1000.0, 3.0)
    kl = measured(store, KL, **tensors)
    assert kl["raw"] == pytest.approx(0, abs=1e-12)
    assert kl["denoised"] == pytest.approx(math.log(1000) - 1.5 * math.log(2), rel=1e-12)


def test_a_score_that_rests_on_a_classifier_has_its_certainty_of_the_counted_images(store):
    raw = torch.full((60, 30), 0.1)
    raw[:, ::10] = torch.tensor([0.5, 0.6, 0.7])  # most likely class of each channel
    denoised = torch.where(torch.arange(60)[:, None] < 50, raw, 1.0)  # ten beyond n_images
    denoised[:25, ::10] = 0.9
    tensors = of(MODES, raw, denoised, "probabilities")
    found = measured(store, MODES.replace(n_images=50), **tensors)
    assert found["certainty of raw"] == pytest.approx(0.6, rel=1e-6)
    assert found["certainty of denoised"] == pytest.approx((0.9 + 0.6) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("protocol", "rests"),
    [
        (MODES, MODES.extractor), (KL, MODES.extractor), (IS, SINGLE), (FD, None), (DISTANCE, None),
        (IS.replace(extractor=InceptionFeatures()), None),
    ],
)  # fmt: skip
def test_modes_and_scores_rest_on_a_classifier_and_distances_do_not(protocol, rests):
    assert protocol.classifier == rests


@pytest.mark.parametrize("classwise", [True, False])
def test_only_the_class_wise_neighbours_rest_on_a_classifier(classwise):
    of_digits = NeighboursProtocol(
        extractor=SINGLE, data=Digits(), n_images=50, n_real=50, statistic="recall",
        classwise=classwise,
    )  # fmt: skip
    assert of_digits.classifier == (SINGLE if classwise else None)


def test_two_statistics_are_two_scores_over_the_same_chunks():
    modes, kl = (Score(sample=sampled(STACKS), protocol=p) for p in (MODES, KL))
    assert modes.key != kl.key and modes.inputs() == kl.inputs() == modes.chunks()
    assert len(modes.chunks()) == 50


def test_inception_scores_of_known_probabilities(store):
    sure = torch.eye(10).repeat(6, 1)  # every part of ten images contains each class once
    unsure = torch.full((60, 10), 0.1)
    result = measured(store, IS, **of(IS, sure, unsure, "probabilities"))
    assert result["raw"] == pytest.approx(10, rel=1e-6)
    assert result["denoised"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("n_splits", [1, 3, 10])
def test_inception_scores_agree_with_scipy(store, n_splits):
    drawn = np.random.default_rng(0).dirichlet(np.full(10, 0.3), size=(2, 60)).astype(np.float32)
    protocol = IS.replace(n_splits=n_splits)
    raw, denoised = map(torch.from_numpy, drawn)
    result = measured(store, protocol, **of(protocol, raw, denoised, "probabilities"))
    for which, p in zip(("raw", "denoised"), drawn[:, :50].astype(float), strict=True):
        bounds = [50 * i // n_splits for i in range(n_splits + 1)]
        parts = [p[a:b] for a, b in pairwise(bounds)]
        scores = [
            np.exp(np.mean([scipy.stats.entropy(row, part.mean(0)) for row in part]))
            for part in parts
        ]
        assert result[which] == pytest.approx(np.mean(scores), rel=1e-5)


def test_distances_of_known_points(store):
    centres = Gaussians().load("train")[0][:60].double()
    centres = (centres / Gaussians.SPACING).round() * Gaussians.SPACING
    off = torch.tensor([[0.03, 0.04]] * 25 + [[-0.12, 0.05]] * 25 + [[9.0, 9.0]] * 10)
    tensors = of(DISTANCE, (centres + off).float(), centres.float(), "features")
    result = measured(store, DISTANCE, **tensors)
    assert result["raw"] == pytest.approx((0.05 + 0.13) / 2, rel=1e-5)
    assert result["denoised"] == pytest.approx(0, abs=1e-6)


def test_a_frechet_distance_is_to_the_reference(store):
    finish(FD.reference, ExecutionContext(store=store))
    raw, denoised = torch.randn(2, 60, 8, generator=torch.Generator().manual_seed(0))
    result = measured(store, FD, **of(FD, raw, denoised, "features"))
    reference = FD.reference.moments(ExecutionContext(store=store))
    assert result["raw"] == frechet_distance(reference, moments(raw[:50]))
    assert result["denoised"] == frechet_distance(reference, moments(denoised[:50]))
    for which, images in (("raw", raw[:50]), ("denoised", denoised[:50])):
        left_out = distances_without(reference, images, torch.arange(50) % N_GROUPS).tolist()
        assert [result[without_group(which, group)] for group in range(N_GROUPS)] == left_out


def test_moving_protocols_apart_renewed_no_keys():
    # Keys from before there were kinds of protocols: stored results must still be found.
    fid = FidProtocol(extractor=InceptionFeatures(), data=Digits(), n_images=10_000)
    assert fid.key == "9195e8752d8a19d761151a37e1c68e31"
    assert FD.replace(seeds="fresh", split="test").key == "31a1db335cb4eed8d9874b7c5a7c8e01"
    score = Score(sample=sampled(Digits()), protocol=FD)
    body = ["Score", 1, {"protocol": FD.key, "sample": score.sample.key}]
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    assert score.key == digest[:32]


def test_every_kind_says_what_it_is():
    said = {(p.name, p.metric_name, p.lower_is_better): p.describe() for p in EVERY}
    assert said == {
        ("modes", "modes", False):
            "modes, 1,000 images, stacked-digits, stacked-digits-cnn, search seeds",
        ("kl", "kl", True): "kl, 1,000 images, stacked-digits, stacked-digits-cnn, search seeds",
        ("is[digits-cnn]", "is", False):
            "is[digits-cnn], 50 images, digits, 5 splits, search seeds",
        ("fd[digits-cnn]", "fd", True):
            "fd[digits-cnn], 50 images, digits train, 8-bit, search seeds",
        ("distance", "distance", True): "distance, 50 points, gaussians, search seeds",
    }  # fmt: skip
    assert FD.summary() == "fd[digits-cnn], digits train, 50 images"
    assert DISTANCE.summary() == "distance, gaussians, 50 points"
    assert [p.replace(extractor=InceptionFeatures()).name for p in (FD, IS)] == ["fid", "is"]
    # A new kind must be added to EVERY; nearest neighbours have a separate file.
    own = {c for c in Protocol.__subclasses__() if c.__module__.startswith("tuning.")}
    assert {type(p) for p in EVERY} | {NeighboursProtocol} == own
    assert all(from_json(json.loads(json.dumps(p.to_json()))) == p for p in EVERY)


@pytest.mark.parametrize("protocol", EVERY, ids=lambda p: p.name)
def test_numbers_compare_at_equal_protocols_only(protocol):
    fresh, unstated = (protocol.replace(seeds=seeds) for seeds in ("fresh", "unstated"))
    assert protocol.is_comparable(protocol) and not protocol.is_comparable(fresh)
    assert protocol.is_comparable(unstated) and unstated.is_comparable(fresh)
    assert not protocol.is_comparable(unstated.replace(n_images=999))
    for other in EVERY:
        for seeds in ("search", "unstated"):
            assert protocol.is_comparable(other.replace(seeds=seeds)) == (other == protocol)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: IS.replace(n_images=4), "n_splits <= n_images must hold, but got n_splits=5"),
        (lambda: IS.replace(n_splits=0), "1 <= n_splits"),
        (lambda: IS.replace(extractor=Coordinates()), "one class per image, but got plane"),
        (lambda: IS.replace(extractor=MODES.extractor), "one class .*, but got stacked-digits-cnn"),
        (lambda: FD.replace(n_images=1), "n_images must be above 1, but got 1"),
        (lambda: FD.replace(data=SwissRoll()), r"swiss-roll has shape \(2,\)"),
        (lambda: MODES.replace(n_images=0), "n_images must be at least 1, but got 0"),
        (lambda: MODES.replace(data=Digits()), "ModesProtocol.data must be Stacked"),
        (lambda: MODES.replace(extractor=SINGLE), "extractor must be StackedClassifierFeatures"),
        (lambda: DISTANCE.replace(data=Digits()), "DistanceProtocol.data must be Toy"),
        (lambda: DISTANCE.replace(extractor=SINGLE), "extractor must be Coordinates"),
        (lambda: DISTANCE.replace(n_images=0), "n_images must be at least 1, but got 0"),
    ],
)
def test_protocols_that_make_no_sense_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        change()


def test_a_classifier_of_other_classes_than_those_stacked_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Letters(Digits):
        n_classes = 26

    letters = MODES.extractor.replace(classifier=DIGITS.replace(data=Letters()))
    with pytest.raises(InputError, match=r"the 10 classes of digits, but got 26"):
        MODES.replace(extractor=letters)
    with pytest.raises(InputError, match=r"shape \(1, H, W\)"):
        MODES.extractor.replace(classifier=DIGITS.replace(data=Photographs()))


def test_chunks_of_stacks_serve_modes_and_frechet_distances(store):
    fd = FidProtocol(extractor=MODES.extractor, data=STACKS, n_images=30)
    scores = [Score(sample=sampled(STACKS), protocol=p.replace(n_images=30)) for p in (KL, fd)]
    place = ExecutionContext(store=store)
    kl, distance = (finish(score, place).result for score in scores)
    assert all(0 < kl[which] <= math.log(1000) for which in ("raw", "denoised"))
    assert all(math.isfinite(distance[which]) for which in ("raw", "denoised"))
    kept = scores[0].chunks()[0].features(place)
    assert kept["raw.features"].shape == (20, 24)
    sums = kept["denoised.probabilities"].view(20, 3, 10).sum(dim=2)
    torch.testing.assert_close(sums, torch.ones(20, 3))
    assert scores[0].chunks() == scores[1].chunks()
    files = store.manifest("sample", scores[0].chunks()[0].key).files
    assert {"raw.png", "denoised.png"} < set(files)


def test_chunks_of_points_keep_the_points_and_pictures_of_them(store, tmp_path):
    data = SwissRoll(n=200)
    protocol = DistanceProtocol(data=data, n_images=30)
    score = Score(sample=sampled(data, start="uniform"), protocol=protocol)
    place = ExecutionContext(store=store)
    result = finish(score, place).result
    first, second = score.chunks()
    for which in ("raw", "denoised"):
        points = torch.cat([c.features(place)[f"{which}.features"] for c in (first, second)])[:30]
        assert result[which] == pytest.approx(data.distances(points).mean().item(), rel=1e-12)
        assert points.shape == (30, 2) and points.min() < 0 and points.abs().max() > 1
        assert first.features(place)[f"{which}.probabilities"].shape == (20, 0)
    assert set(store.manifest("sample", second.key).files) == {"features.safetensors"}
    other = Store(str(tmp_path / "other"), create=True)
    finish(first, ExecutionContext(store=other))
    names = ("raw.png", "denoised.png")
    ours, theirs = ([s.read("sample", first.key, n) for n in names] for s in (store, other))
    assert ours == theirs and ours[0] != ours[1]


def test_a_failed_chunk_is_a_failed_score_of_any_kind(store):
    score = Score(sample=sampled(DISTANCE.data), protocol=DISTANCE)
    for chunk in score.chunks():
        failed = {"failed": "non-finite sample at step 3"} if chunk.index == 1 else {}
        store.commit("sample", chunk.key, spec=chunk.to_json(), result=failed, cost={}, files={})
    assert finish_score(store, score).result == {"failed": "non-finite sample at step 3"}
