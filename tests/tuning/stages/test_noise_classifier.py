"""Tests of jobs of noise-conditional classifiers: training, guided sampling, exact scores."""

import pytest
import torch

from scorelib.data import Digits, Moons, OneClass, Perturbed
from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.guidance import ClassGuidance, GuidedNetwork
from scorelib.losses import CrossEntropy, Dlsm, Dsm
from scorelib.metrics.features import Coordinates, Pixels, extract, quantize
from scorelib.metrics.score_error import ExactScores, moons_grid, scores_of
from scorelib.networks import PlaneMlp, PlaneMlpClassifier, ResidualMlp, ResNetClassifier
from scorelib.optim import AdamSpec
from scorelib.pictures import grid_png, scatter_png
from scorelib.samplers import Langevin
from scorelib.schedules import GeometricSchedule
from tests.tuning.miniature import miniature_study
from tuning.jobs import ExecutionContext
from tuning.stages import (
    Chunk,
    GuidedSampleSpec,
    NeighboursProtocol,
    NoiseClassifierSnapshot,
    NoiseClassifierTrainSpec,
    OracleErrors,
    RealFeatures,
    RealScore,
    SampleSpec,
    ScoreErrors,
    Snapshot,
    TrainSpec,
)
from tuning.stages.features.extractors import build_extractor
from tuning.stages.sample import walk_chunk
from tuning.store.store import Store
from tuning.testing import finish

MOONS = Moons(n=200)
RUN = {"optimizer": AdamSpec(), "ema": (0.0, 0.9), "batch_size": 50}
PLANE = RUN | {"schedule": GeometricSchedule(sigma_1=10.0, sigma_L=0.1, n_levels=5)}
PRIOR = Snapshot(
    train=TrainSpec(data=MOONS, network=PlaneMlp(width=2), objective=Dsm(sigma_power=4.0), **PLANE),
    iteration=4,
)
TOTAL = NoiseClassifierTrainSpec(
    data=MOONS, network=PlaneMlpClassifier(width=2), objective=Dlsm(lambda_=0.5),
    score=PRIOR, score_ema=0.9, **PLANE,
)  # fmt: skip
LANGEVIN = Langevin(sigma=5.0, epsilon=1.0, n_steps=3)


@pytest.fixture
def place(store):
    return ExecutionContext(store=store)


def classifier(iteration=4, **changes):
    return NoiseClassifierSnapshot(train=TOTAL.replace(**changes), iteration=iteration)


def test_a_classifier_goes_on_from_its_checkpoint(place, tmp_path):
    finish(classifier(3), place)
    assert finish(classifier(5), place).cost["started_at"] == 3
    whole = ExecutionContext(store=Store(str(tmp_path / "whole"), create=True))
    finish(classifier(5), whole)
    ours, theirs = (classifier(5).weights(p, 0.9) for p in (place, whole))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_the_score_network_is_read_and_is_part_of_the_key(place, tmp_path):
    finish(classifier(), place)
    other = PRIOR.replace(train=PRIOR.train.replace(seed=1))
    changed = classifier(score=other)
    finish(changed, place)
    ours, theirs = (c.weights(place, 0.0) for c in (classifier(), changed))
    assert classifier().key != changed.key
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
    losses = place.store.read("train", classifier().key, "losses.json")
    assert b'"ce"' in losses and b'"dlsm"' in losses


def test_cross_entropy_costs_less_than_dlsm_and_the_score_is_counted():
    entropy = classifier(objective=CrossEntropy(), score=None, score_ema=None)
    assert classifier().inputs() == (PRIOR,) and entropy.inputs() == ()
    dear, cheap = (c.train.update_multiply_adds for c in (classifier(), entropy))
    assert cheap == 3 * TOTAL.multiply_adds
    assert dear == 6 * TOTAL.multiply_adds + PRIOR.train.multiply_adds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": None, "score_ema": None}, "Dlsm needs a score network"),
        ({"objective": CrossEntropy()}, "CrossEntropy reads no score network"),
        ({"score_ema": 0.5}, "score_ema must be one of the decays kept"),
    ],
)
def test_score_networks_too_many_or_too_few_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TOTAL.replace(**changes)


def guided(**changes):
    about = {"label": 0, "chunk_images": 6} | changes
    return GuidedSampleSpec(
        model=PRIOR, ema=0.9, sampler=LANGEVIN, classifier=classifier(), classifier_ema=0.9, **about
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"label": 2}, r"label must be in \[0, 1\]"), ({"classifier_ema": 0.5}, "classifier_ema")],
)
def test_guidance_to_what_is_not_there_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        guided().replace(**changes)


def features(sample, place, index=0):
    chunk = Chunk(sample=sample, index=index, extractor=Coordinates())
    finish(chunk, place)
    return chunk.features(place)["raw.features"]


def test_guidance_of_scale_zero_changes_nothing_and_of_scale_one_something(place):
    plain = SampleSpec(model=PRIOR, ema=0.9, sampler=LANGEVIN, chunk_images=6)
    unguided = features(plain, place)
    torch.testing.assert_close(features(guided(scale=0.0), place), unguided)
    assert not torch.allclose(features(guided(), place), unguided)


@pytest.mark.parametrize("index", [0, 1])
def test_classes_are_asked_for_in_turn_across_chunks(place, index):
    in_turn = guided(label=None, chunk_images=5)
    labels = in_turn.labels(10)
    assert labels.tolist() == [0, 1] * 5
    ours = features(in_turn, place, index)
    # Langevin steps treat examples independently: each equals that of the chunk of its class.
    of_class = [features(guided(label=c, chunk_images=5), place, index) for c in (0, 1)]
    for i, label in enumerate(labels[5 * index : 5 * index + 5].tolist()):
        torch.testing.assert_close(ours[i], of_class[label][i])
    assert not torch.allclose(of_class[0], of_class[1])


def guided_digits():
    """Returns seven digits of the classes 0 to 6, and the extractor of the miniature study."""
    run = RUN | {"schedule": GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=5)}
    prior = Snapshot(
        train=TrainSpec(
            data=Digits(), network=ResidualMlp(width=8, depth=1), objective=Dsm(), **run
        ),
        iteration=2,
    )
    train = NoiseClassifierTrainSpec(
        data=Digits(), network=ResNetClassifier(depth=18, width=4), objective=CrossEntropy(), **run
    )
    sample = GuidedSampleSpec(
        model=prior, ema=0.9, sampler=Langevin(sigma=1.0, epsilon=0.1, n_steps=2), chunk_images=7,
        classifier=NoiseClassifierSnapshot(train=train, iteration=2), classifier_ema=0.9,
    )  # fmt: skip
    return sample, miniature_study().cells[0].protocol.extractor


def test_points_are_shown_over_their_class_the_noisy_ones_over_noisy_data(place):
    sample = guided(label=1)
    chunk = Chunk(sample=sample, index=0, extractor=Coordinates())
    finish(chunk, place)
    of_class = OneClass(of=MOONS, label=1)
    behind = {"raw": Perturbed(of=of_class, sigma=LANGEVIN.sigma), "denoised": of_class}
    for kind, data in behind.items():
        points, _ = data.load("train")
        samples = chunk.features(place)[f"{kind}.features"]
        assert place.store.read("sample", chunk.key, f"{kind}.png") == scatter_png(points, samples)
    assert guided(label=None).target == MOONS


def test_batches_do_not_change_a_guided_image(store):
    sample, extractor = guided_digits()
    chunk = Chunk(sample=sample, index=0, extractor=extractor)
    finish(chunk, ExecutionContext(store=store))
    found = []
    for size in (500, 3):
        place = ExecutionContext(store=store, batch_images=size)
        x = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        found.append(sample.scaled_score(place, 0)(x, 1.0))
    torch.testing.assert_close(*found, rtol=1e-3, atol=5e-4)
    other = sample.replace(label=0).scaled_score(ExecutionContext(store=store), 0)(x, 1.0)
    assert (other - found[0]).abs().amax() > 5e-3, "the classes would not be seen"


def test_images_of_classes_are_sampled_once_and_measured_as_they_were_kept(store, monkeypatch):
    sample, extractor = guided_digits()
    chunk = Chunk(sample=sample, index=0, extractor=extractor)
    pixels, place = chunk.pixels, ExecutionContext(store=store)
    assert chunk.inputs()[0] == pixels and pixels.pixels is None
    assert pixels.inputs() == sample.inputs()
    networks = sample.model.train.multiply_adds + 2 * sample.classifier.train.multiply_adds
    assert pixels.work().multiply_adds == 7 * 2 * networks
    assert chunk.work().multiply_adds == chunk.work().images == 0
    for needed in chunk.inputs():
        finish(needed, place)
    states = list(walk_chunk(sample, 0, place))
    monkeypatch.delattr("tuning.stages.sample.walk_chunk")  # no image is sampled again
    finish(chunk, place)
    module = build_extractor(extractor, place)
    for kind, images in (("raw", states[-1].x), ("denoised", states[-1].denoised)):
        features, probabilities = extract(module, images.float(), 500)
        assert torch.equal(chunk.features(place)[f"{kind}.features"], features)
        assert torch.equal(chunk.features(place)[f"{kind}.probabilities"], probabilities)
        drawn = place.store.read("sample", chunk.key, f"{kind}.png")
        assert drawn == grid_png(quantize(images.float()), columns=10), "a column for each class"


@pytest.mark.parametrize(("n_classes", "columns"), [(2, 10), (3, 9), (10, 10), (100, 10)])
def test_a_column_of_a_sheet_is_of_one_class(n_classes, columns, monkeypatch):
    sample, _ = guided_digits()
    monkeypatch.setattr(Digits, "n_classes", n_classes)
    assert sample.picture_columns == columns
    labels = sample.labels(columns**2).reshape(columns, columns)
    step = columns if n_classes > columns else n_classes
    assert (labels % step == labels[0] % step).all()


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_score_errors_are_those_of_the_guided_network(place, scale):
    job = ScoreErrors(
        data=MOONS, sigma=7.5, models=(PRIOR,), ema=0.9, classifier=classifier(), scale=scale
    )
    found = finish(job, place).result
    oracle, network = Parzen(*MOONS.load("train")), PRIOR.network(place, 0.9)
    guides = [
        ClassGuidance(classifier().network(place, 0.9), label, scale=scale) for label in (0, 1)
    ]
    grid = moons_grid()
    known = ExactScores.of(oracle, grid, 7.5)
    guided = [GuidedNetwork(network, g) for g in guides]
    posterior = known.posterior_errors(scores_of(guided, grid, 7.5))
    likelihood = known.likelihood_errors(scores_of(guides, grid, 7.5))
    for name, errors in (("D_P", posterior), ("D_L", likelihood)):
        assert [found[f"{name} class {c}"] for c in (1, 2)] == pytest.approx(list(errors))
        assert found[name] == pytest.approx(sum(errors) / 2)
    exact = oracle.posterior_score(moons_grid(), 7.5, 1)
    torch.testing.assert_close(job.scores(place)["exact.1"].double(), exact, rtol=1e-5, atol=1e-6)


def test_score_errors_of_a_network_for_each_class(place):
    one = PRIOR.train
    models = tuple(
        Snapshot(train=one.replace(data=OneClass(of=MOONS, label=c)), iteration=3) for c in (0, 1)
    )
    job = ScoreErrors(data=MOONS, sigma=7.5, models=models, ema=0.0)
    found = finish(job, place).result
    networks = [model.network(place, 0.0) for model in models]
    known = ExactScores.of(Parzen(*MOONS.load("train")), moons_grid(), 7.5)
    expected = known.posterior_errors(scores_of(networks, moons_grid(), 7.5))
    assert [found["D_P class 1"], found["D_P class 2"]] == pytest.approx(list(expected))
    assert "D_L" not in found
    with pytest.raises(InputError, match="2 snapshots"):
        job.replace(models=models[:1])


def test_the_exact_scores_guided_by_the_exact_likelihood_have_no_errors(place):
    found = finish(OracleErrors(data=MOONS, sigma=7.5), place).result
    names = {f"{name}{of}" for name in ("D_P", "D_L") for of in ("", " class 1", " class 2")}
    assert found == dict.fromkeys(names, 0.0)


def test_real_points_are_found_among_themselves_and_others_nearly_so(place):
    data = Perturbed(of=OneClass(of=Moons(n=400), label=0), sigma=7.5)
    protocol = NeighboursProtocol(
        extractor=Coordinates(), data=data, statistic="precision", n_images=200, n_real=200, k=5
    )

    def score(seed):
        other = data.replace(seed=seed)
        drawn = RealFeatures(data=other, split="train", extractor=Coordinates())
        return finish(RealScore(features=drawn, protocol=protocol), place).result["raw"]

    assert score(seed=0) == 1.0
    assert 0.9 < score(seed=1) < 1.0
    few = RealFeatures(
        data=data.replace(of=OneClass(of=Moons(n=100), label=0)), split="train",
        extractor=Coordinates(),
    )  # fmt: skip
    too_few = r"at least the 200 examples of protocol.n_images, but .* train has 50$"
    with pytest.raises(InputError, match=too_few):
        RealScore(features=few, protocol=protocol)
    others = RealFeatures(data=data, split="train", extractor=Pixels(shape=(2,)))
    with pytest.raises(InputError, match=r"^features.extractor must equal protocol.extractor, but"):
        RealScore(features=others, protocol=protocol)
