"""Tests of training noise-conditional classifiers: exact resumption, split batches, refusals."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from scorelib.data import Digits, Moons
from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.guidance import ClassGuidance
from scorelib.losses import MOONS_DLSM, CrossEntropy, Dlsm
from scorelib.metrics.score_error import ExactScores, moons_grid, scores_of
from scorelib.networks import PlaneMlp, PlaneMlpClassifier, ResNetClassifier
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.testing import check_training
from scorelib.training.base import NonFiniteError
from scorelib.training.classifier import ClassifierTraining

SCHEDULE = GeometricSchedule(sigma_1=10.0, sigma_L=1e-3, n_levels=1000)
POINTS, LABELS = Moons(n=500).load("train")
OUTPUTS = [CrossEntropy(), Dlsm(lambda_=0.0), Dlsm(), MOONS_DLSM]


def built(spec, *arguments, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return spec.build(*arguments)


def training(objective, weights=0, **changes):
    classifier = built(PlaneMlpClassifier(data_scale=20.0), (2,), 2, seed=weights)
    options = {
        "score": built(PlaneMlp(data_scale=20.0), (2,)), "schedule": SCHEDULE, "ema": (0.9, 0.0),
        "optimizer": AdamSpec(learning_rate=1e-3), "batch_size": 60, "flips": False, "seed": 0,
    } | changes  # fmt: skip
    return ClassifierTraining(classifier, POINTS, LABELS, objective=objective, **options)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("objective", OUTPUTS)
def test_an_interrupted_run_ends_bitwise_equal_to_an_uninterrupted_one(objective):
    # 30 updates cross three epochs of 8 batches.
    whole = training(objective)
    *_, last = whole.steps(30)
    first = training(objective)
    for step in first.steps(30):
        if step.iteration == 13:
            break
    second = training(objective, weights=1)
    second.restore(first.state())
    list(second.steps(30))
    assert same(whole.state(), second.state())
    assert last.losses.keys() == ({"ce"} if objective == CrossEntropy() else {"ce", "dlsm"})


@pytest.mark.parametrize("objective", OUTPUTS)
@pytest.mark.parametrize("most_images", [25, 7])
def test_a_split_batch_gives_the_same_up_to_rounding(objective, most_images):
    ends = []
    for most in (None, most_images):
        run = training(objective, most_images=most)
        *_, last = run.steps(1)
        gradients = torch.cat([p.grad.flatten() for p in run.network.parameters()])
        ends.append((gradients, last.losses))
    torch.testing.assert_close(ends[0][0], ends[1][0], rtol=1e-4, atol=1e-5)
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-5)


@pytest.mark.parametrize("objective", OUTPUTS)
def test_contract(objective):
    check_training(lambda seed: training(objective, seed=seed))


class Recording(nn.Module):
    """A score network that returns zeros and records its inputs."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, x, sigma):
        self.asked.append((x, sigma))
        return torch.zeros_like(x)


def test_levels_are_drawn_anew_in_every_iteration_and_for_every_seed():
    levels = []
    for seed in (0, 1):
        score = Recording()
        list(training(Dlsm(), score=score, seed=seed).steps(2))
        levels += [tuple(sigma.tolist()) for _, sigma in score.asked]
    assert len(set(levels)) == 4


def test_the_examples_are_points_with_their_own_labels_and_levels_of_the_schedule():
    # Each example has its own label and noise: with noise below 1e-6 points are recognisable.
    tiny = GeometricSchedule(sigma_1=1e-6, sigma_L=1e-7, n_levels=10)
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Watching(Dlsm):
        def losses(self, classifier, score, x, labels, sigma, noise):
            seen.append((x, labels, sigma))
            return super().losses(classifier, score, x, labels, sigma, noise)

    score = Recording()
    list(training(Watching(), schedule=tiny, score=score).steps(8))
    x, labels, sigma = (torch.cat(t) for t in zip(*seen, strict=True))
    index = torch.cdist(x, POINTS).argmin(dim=1)
    assert torch.equal(x, POINTS[index]) and torch.equal(labels, LABELS[index])
    assert len(index.unique()) == 480  # an epoch contains each example once
    assert {round(v, 12) for v in sigma.tolist()} == {round(s, 12) for s in tiny.sigmas}
    asked = torch.cat([x for x, _ in score.asked])
    assert (asked - x).abs().max() < 1e-5 and not torch.equal(asked, x)


def test_objectives_are_compared_on_the_same_examples():
    # Equal weights and an equal first batch: the first cross entropies agree.
    found = [next(iter(training(o).steps(1))).losses["ce"] for o in OUTPUTS]
    assert found == pytest.approx([found[0]] * len(found), rel=1e-6)


def test_the_score_network_is_frozen_and_evaluated():
    score = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = score

        def forward(self, x, sigma):
            return self.body(x)

    before = [p.clone() for p in score.parameters()]
    run = training(Dlsm(), score=Net())
    list(run.steps(3))
    assert not score.training and not any(p.requires_grad for p in score.parameters())
    assert all(map(torch.equal, before, score.parameters()))
    assert not any("score" in name for name in run.state())


def test_an_average_of_decay_zero_is_the_weights_themselves():
    run = training(CrossEntropy())
    list(run.steps(5))
    weights = run.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in run.ema.weights(0.0).items())


def test_classifiers_that_normalise_over_the_batch_are_refused_with_every_objective():
    for objective in (CrossEntropy(), Dlsm()):
        with pytest.raises(InputError, match="normalises over the batch; use GroupNorm"):
            ClassifierTraining(
                nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)), POINTS, LABELS,
                objective=objective, score=Recording(), schedule=SCHEDULE, optimizer=AdamSpec(),
                ema=(0.0,), batch_size=10, flips=False, seed=0,
            )  # fmt: skip


def test_missing_labels_and_scores_are_refused():
    with pytest.raises(InputError, match="Dlsm needs a score network, but got none"):
        training(Dlsm(), score=None)
    list(training(CrossEntropy(), score=None).steps(1))
    with pytest.raises(InputError, match=r"got 500 images and labels of shape \(499,\)"):
        ClassifierTraining(
            built(PlaneMlpClassifier(), (2,), 2), POINTS, LABELS[1:], objective=CrossEntropy(),
            schedule=SCHEDULE, optimizer=AdamSpec(), ema=(0.0,), batch_size=10, flips=False, seed=0,
        )  # fmt: skip


def test_a_loss_that_is_not_finite_ends_the_run_with_its_cause():
    with pytest.raises(NonFiniteError, match="loss is nan at iteration"):
        list(training(Dlsm(), optimizer=AdamSpec(learning_rate=1e30)).steps(100))


@pytest.mark.parametrize("objective", [CrossEntropy(), Dlsm(lambda_=0.25)])
def test_training_finds_the_likelihood_score_of_the_moons(objective):
    oracle = Parzen(POINTS, LABELS)
    one_level = GeometricSchedule(sigma_1=7.5, sigma_L=7.5, n_levels=1)

    def exact(x, sigma):
        return (sigma[:, None] * oracle.prior_score(x, sigma)).float()

    run = training(
        objective, score=exact, schedule=one_level, batch_size=250,
        optimizer=AdamSpec(learning_rate=3e-3),
    )  # fmt: skip
    grid = moons_grid()
    known, errors = ExactScores.of(oracle, grid, 7.5), []
    for until in (1, 150):
        list(run.steps(until))
        guides = [ClassGuidance(run.network, label) for label in (0, 1)]
        errors.append(known.likelihood_errors(scores_of(guides, grid, 7.5)))
    assert min(errors[0]) > 0.1  # an untrained classifier has 0.150
    assert max(errors[1]) < 0.08


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("objective", [CrossEntropy(), Dlsm()])
def test_the_residual_classifier_trains_on_images_in_both_precisions(objective, precision):
    images, labels = (t[:8] for t in Digits().load("train"))
    run = ClassifierTraining(
        built(ResNetClassifier(), (1, 8, 8), 10), images, labels, objective=objective,
        score=Recording(), schedule=GeometricSchedule(sigma_1=0.5, sigma_L=0.05, n_levels=5),
        optimizer=AdamSpec(learning_rate=3e-4), ema=(0.0,), batch_size=8, flips=False, seed=0,
        precision=precision, most_images=4,
    )  # fmt: skip
    entropies = [step.losses["ce"] for i in range(1, 5) for step in run.steps(i)]
    assert entropies[-1] < entropies[0]
