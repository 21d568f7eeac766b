"""Tests of precision, recall, density and coverage as scores: images, classes, stored values."""

import json
from dataclasses import dataclass, fields

import pytest
import safetensors.torch
import torch

from scorelib.data import Digits, Gaussians, Moons, OneClass, Perturbed
from scorelib.errors import InputError
from scorelib.metrics import Coordinates
from scorelib.metrics.prdc import classwise_prdc, mean_prdc, prdc
from scorelib.spec import from_json
from tests.tuning.stages.protocols.test_protocols import SINGLE, finish_score, sampled
from tuning.jobs import ExecutionContext
from tuning.stages import NeighboursProtocol, SampleSpec, Score
from tuning.stages.features.extractors import build_extractor
from tuning.testing import finish

STATISTICS = ("precision", "recall", "density", "coverage")
DIGITS = NeighboursProtocol(
    extractor=SINGLE, data=Digits(), n_images=60, n_real=200, statistic="precision"
)
BY_CLASS = DIGITS.replace(classwise=True, n_images=60, n_real=500)


@dataclass(frozen=True, kw_only=True)
class InTurn(SampleSpec):
    """Images with classes requested in turn."""

    def labels(self, n_images):
        return torch.arange(n_images) % self.model.train.data.n_classes


@dataclass(frozen=True, kw_only=True)
class CutShort(SampleSpec):
    """Images ordered by class and cut, so that the last class has fewer images."""

    def labels(self, n_images):
        return (torch.arange(n_images) // 7).clamp(max=9)


def asked(kind, data):
    """Returns the images of `sampled` with requested classes."""
    plain = sampled(data)
    return kind(**{f.name: getattr(plain, f.name) for f in fields(plain)})


def held(store, sample, protocol, **features):
    """Returns the finished score of images with given features."""
    score = Score(sample=sample, protocol=protocol)
    for chunk in score.chunks():
        here = slice(20 * chunk.index, 20 * (chunk.index + 1))
        tensors = {f"{which}.features": of[here].clone() for which, of in features.items()}
        k = protocol.extractor.n_classes
        tensors |= {f"{which}.probabilities": torch.ones(20, k) / max(k, 1) for which in features}
        store.commit(
            chunk.stage, chunk.key, spec=chunk.to_json(), result={}, cost={},
            files={"features.safetensors": safetensors.torch.save(tensors)},
        )  # fmt: skip
    for needed in protocol.inputs():
        finish(needed, ExecutionContext(store=store))
    return score, finish_score(store, score)


def real_features(store, protocol):
    return protocol.reference.read(ExecutionContext(store=store))


def near(features, seed=0):
    """Returns as many features as a score of 60 images needs, near those of real images."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(60, features.shape[1], generator=draw)
    return features[torch.randperm(len(features), generator=draw)[:60]] + 0.3 * noise


def test_the_real_features_are_those_of_every_image_with_its_label(store):
    place, job = ExecutionContext(store=store, batch_images=7), DIGITS.reference
    assert finish(job, place).result == {"n_images": Digits().n_images("train")}
    features, labels = job.read(place)
    images, expected = Digits().load("train")
    assert torch.equal(labels, expected) and features.dtype == torch.float32
    with torch.inference_mode():
        again = build_extractor(SINGLE, place)((images * 255).round() / 255)[0]
    torch.testing.assert_close(features, again)
    size = len(store.read("features", job.key, "features.safetensors"))
    assert job.work().n_bytes == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_score_is_the_number_of_the_raw_and_of_the_denoised_images(store, statistic):
    protocol = DIGITS.replace(statistic=statistic, n_real=Digits().n_images("train"))
    finish(protocol.reference, ExecutionContext(store=store))
    real, _ = real_features(store, protocol)
    raw, denoised = near(real), near(real, seed=1)
    score, manifest = held(store, sampled(Digits()), protocol, raw=raw, denoised=denoised)
    expected = {
        w: getattr(prdc(real, x, 3), statistic) for w, x in (("raw", raw), ("denoised", denoised))
    }
    assert manifest.result == expected and not manifest.files
    assert score.by_class(ExecutionContext(store=store), "raw") == {}


def test_fewer_real_images_are_a_fixed_choice_from_all_over_the_set(store):
    finish(DIGITS.reference, ExecutionContext(store=store))
    real, labels = real_features(store, DIGITS)
    raw = near(real)
    _, manifest = held(store, sampled(Digits()), DIGITS, raw=raw, denoised=raw)
    chosen = DIGITS._chosen(labels)
    assert manifest.result["raw"] == prdc(real[chosen], raw, 3).precision
    assert len(chosen.unique()) == 200 and chosen.float().mean() == pytest.approx(
        len(real) / 2, rel=0.1
    )
    sorted_by_class = labels.sort().values
    assert len(sorted_by_class[DIGITS._chosen(sorted_by_class)].unique()) == 10
    more = DIGITS.replace(n_real=400)._chosen(labels)
    assert torch.equal(more[:200], chosen)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_class_by_class_each_is_measured_against_its_own_and_counts_alike(store, statistic):
    protocol = BY_CLASS.replace(statistic=statistic)
    finish(protocol.reference, ExecutionContext(store=store))
    real, labels = real_features(store, protocol)
    raw, denoised = near(real), near(real, seed=1)
    score, manifest = held(store, asked(InTurn, Digits()), protocol, raw=raw, denoised=denoised)
    chosen = protocol._chosen(labels)
    assert labels[chosen].bincount().tolist() == [50] * 10
    for which, images in (("raw", raw), ("denoised", denoised)):
        classes = classwise_prdc(real[chosen], labels[chosen], images, torch.arange(60) % 10, 3)
        assert manifest.result[which] == pytest.approx(getattr(mean_prdc(classes), statistic))
        kept = score.by_class(ExecutionContext(store=store), which)
        assert kept == {label: getattr(of, statistic) for label, of in classes.items()}
        assert list(kept) == list(range(10))


def test_one_perturbed_moon_is_measured_in_the_plane(store):
    moons = Moons(n=400)
    upper, lower = (Perturbed(of=OneClass(of=moons, label=c), sigma=7.5) for c in (0, 1))
    protocol = NeighboursProtocol(
        extractor=Coordinates(), data=upper, n_images=60, n_real=200, statistic="density", k=5
    )
    alike, other = upper.replace(seed=1).load("train")[0][:60], lower.load("train")[0][:60]
    score, manifest = held(store, sampled(moons), protocol, raw=alike, denoised=other)
    expected = [prdc(upper.load("train")[0], x, 5).density for x in (alike, other)]
    assert [manifest.result["raw"], manifest.result["denoised"]] == expected
    assert expected[0] > 0.8 > 0.65 > expected[1]
    assert protocol.describe() == (
        "density[plane], 60 points, moons-class-0-sigma-7.5 train, k = 5, 200 real, search seeds"
    )
    assert score.title().startswith("density[plane] of als")


def test_images_are_asked_for_no_class_unless_they_say_so():
    assert sampled(Digits()).labels(10) is None


def test_protocols_say_what_they_are():
    assert BY_CLASS.name == "cw_precision[digits-cnn]" and BY_CLASS.metric_name == "cw_precision"
    assert (
        not BY_CLASS.lower_is_better
        and from_json(json.loads(json.dumps(BY_CLASS.to_json()))) == BY_CLASS
    )
    assert not BY_CLASS.is_comparable(BY_CLASS.replace(k=5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: DIGITS.replace(n_real=9999), "at most 1198, .* digits train images, but got 9999"),
        (lambda: DIGITS.replace(n_images=3), "n_images must be 1 equal parts of more than k = 3"),
        (lambda: DIGITS.replace(k=0), "k = 0 >= 1"),
        (lambda: BY_CLASS.replace(n_images=61), "n_images must be 10 equal parts .*, but got 61"),
        (lambda: BY_CLASS.replace(n_images=30), "more than k = 3"),
        (lambda: BY_CLASS.replace(n_real=505), "n_real must be 10 equal parts"),
        (lambda: Score(sample=sampled(Digits()), protocol=BY_CLASS), "no classes were requested"),
        (
            lambda: Score(sample=asked(CutShort, Digits()), protocol=BY_CLASS),
            r"6 images of each of 10 .*\[7, 7, ",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(change, message):
    with pytest.raises(InputError, match=message):
        change()


def test_more_of_a_class_than_there_are_is_said_to_be_so():
    data = Gaussians(n=1000)
    protocol = NeighboursProtocol(
        extractor=Coordinates(), data=data, n_images=250, n_real=1000, statistic="recall",
        classwise=True,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"n_real must be at most \d+, \d\d of each class"):
        protocol._chosen(data.load("train")[1])
