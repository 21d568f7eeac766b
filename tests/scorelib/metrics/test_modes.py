"""Tests of mode coverage and of precision, recall, density, coverage: exact counts, properties."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scorelib.data import Digits, Mnist, Photographs, Stacked
from scorelib.errors import InputError
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec, train_classifier
from scorelib.metrics.features import extract
from scorelib.metrics.modes import (
    N_IMAGES,
    kl_of_reported,
    mode_coverage,
    perfect_coverage,
    stack_classes,
)
from scorelib.metrics.prdc import (
    Prdc,
    _least_of_root,
    classwise_prdc,
    mean_prdc,
    prdc,
    working_bytes,
)
from scorelib.metrics.stacked import StackedClassifierFeatures
from scorelib.testing import check_extractor


def drawn(n, seed=0, high=10):
    return torch.randint(high, (n, 3), generator=torch.Generator().manual_seed(seed))


def test_every_mode_once_is_full_coverage_and_no_divergence():
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    found = mode_coverage(every)
    assert (found.n_modes, found.n_possible, found.n_images) == (1000, 1000, 1000)
    assert found.kl == pytest.approx(0, abs=1e-12)


def test_one_mode_has_the_largest_divergence():
    found = mode_coverage(torch.tensor([[3, 1, 4]]).expand(50, -1))
    assert found.n_modes == 1
    assert found.kl == pytest.approx(math.log(1000), rel=1e-12)


def test_channels_are_told_apart():
    assert mode_coverage(torch.tensor([[1, 2, 3], [3, 2, 1], [2, 1, 3]])).n_modes == 3


@settings(max_examples=40)
@given(n=st.integers(1, 3000), seed=st.integers(0, 999), high=st.integers(1, 10))
def test_agrees_with_scipy_and_a_count_by_set(n, seed, high):
    classes = drawn(n, seed, high)
    rows = list(map(tuple, classes.tolist()))
    found = mode_coverage(classes)
    assert found.n_modes == len(set(rows))
    shares = [rows.count(row) / n for row in set(rows)] if n < 300 else None
    counts = np.zeros((10, 10, 10))
    np.add.at(counts, tuple(classes.numpy().T), 1)
    expected = scipy.stats.entropy(counts.ravel(), np.ones(1000))
    assert found.kl == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if shares is not None:
        assert found.kl == pytest.approx(sum(q * math.log(1000 * q) for q in shares), abs=1e-9)


def test_a_perfect_model_scores_what_so_few_images_give():
    found = mode_coverage(drawn(N_IMAGES))
    assert (N_IMAGES, found.n_modes, found.n_images) == (26_000, 1000, 26_000)
    assert found.kl == pytest.approx(999 / (2 * 26_000), rel=0.15)


EQUAL = (0.001,) * 1000


@pytest.mark.parametrize("n", [1, 30, 200, 1000, 5000, 26_000])
def test_perfect_stacks_hit_as_many_of_equal_modes_as_the_occupancy_formula_says(n):
    found = perfect_coverage(n, EQUAL)
    assert found.n_modes.mean == pytest.approx(1000 * (1 - 0.999**n), rel=1e-10)
    assert found.n_modes.low <= found.n_modes.mean + 1e-6 and found.n_images == n


@pytest.mark.parametrize(
    ("n", "kl"), [(1, 6.908), (200, 1.742), (1000, 0.573), (5000, 0.1046), (26_000, 0.0193)]
)
def test_the_divergence_of_perfect_stacks_is_exact_also_for_few_stacks(n, kl):
    found = perfect_coverage(n, EQUAL).kl
    assert found.mean == pytest.approx(kl, abs=6e-4)
    assert found.low <= found.mean + 1e-12 and found.mean <= found.high + 1e-12


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (1.0,), (0.9, 0.1, 0.0)])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_perfect_numbers_are_means_over_all_outcomes(n, shares):
    n_modes = kl = 0.0
    for outcome in itertools.product(range(len(shares)), repeat=n):
        counts = np.bincount(outcome, minlength=len(shares))
        chance = math.prod(shares[k] for k in outcome)
        n_modes += chance * (counts > 0).sum()
        kl += chance * scipy.stats.entropy(counts, np.ones(len(shares)))
    found = perfect_coverage(n, shares)
    assert found.n_modes.mean == pytest.approx(n_modes, rel=1e-10)
    assert found.kl.mean == pytest.approx(kl, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize(("n", "shares"), [(20_000, (0.5, 0.5)), (3000, (0.7, 0.2996, 0.0004))])
def test_perfect_numbers_are_sums_over_all_counts_of_large_modes_too(n, shares):
    counts, k = np.arange(n + 1), len(shares)
    terms = counts / n * np.log(np.maximum(k * counts / n, 1e-300))
    found = perfect_coverage(n, shares)
    expected = sum(scipy.stats.binom.pmf(counts, n, p) @ terms for p in shares)
    assert found.kl.mean == pytest.approx(expected, rel=1e-6)
    assert found.n_modes.mean == pytest.approx(sum(1 - (1 - p) ** n for p in shares), rel=1e-9)


def test_the_ranges_hold_95_percent_of_other_perfect_samples():
    shares = Stacked(of=Mnist()).class_shares
    found = perfect_coverage(200, shares)
    generator = torch.Generator().manual_seed(1)
    drawn = torch.multinomial(torch.tensor(shares), 200 * 400, True, generator=generator)
    digits = torch.stack([drawn // 100, drawn // 10 % 10, drawn % 10], dim=1)
    samples = [mode_coverage(part) for part in digits.split(200)]
    for values, of in (([s.n_modes for s in samples], found.n_modes),
                       ([s.kl for s in samples], found.kl)):  # fmt: skip
        inside = np.mean([of.low <= value <= of.high for value in values])
        assert 0.92 < inside < 0.985
        assert np.mean(values) == pytest.approx(of.mean, abs=4 * np.std(values) / 20)


def test_unequal_digits_raise_the_divergence_of_perfect_stacks():
    kl = perfect_coverage(26_000, Stacked(of=Mnist()).class_shares).kl
    assert kl.mean == pytest.approx(0.0236, abs=1e-4)
    assert kl.low < kl.mean < kl.high


@pytest.mark.parametrize(("n", "shares"), [(0, EQUAL), (5, ()), (5, (0.5, 0.6)), (5, (1.5, -0.5))])
def test_perfect_coverage_refuses(n, shares):
    with pytest.raises(InputError, match="n_images must be at least 1 and shares"):
        perfect_coverage(n, shares)


def script_prints(classes, asked_for=26_000, passes=2):
    """Counts as the authors' script does: the same stacks in each pass, over the target number."""
    counts = np.zeros((10, 10, 10))
    for _ in range(passes):
        np.add.at(counts, tuple(classes.numpy().T), 1)
    q = counts.ravel() / asked_for
    return sum(share * math.log(1000 * share) for share in q if share > 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_double_count_of_the_authors_script_is_undone_exactly(seed):
    classes = drawn(25_000, seed) * torch.tensor([1, 1, 1 - seed])  # the second covers 100 modes
    reported = script_prints(classes)
    assert kl_of_reported(reported) == pytest.approx(mode_coverage(classes).kl, rel=1e-10)
    assert reported > 1.29


def test_the_values_of_the_papers_table_are_undone():
    assert kl_of_reported(1.36) == pytest.approx(0.053, abs=5e-4)
    assert kl_of_reported(1.49) == pytest.approx(0.121, abs=5e-4)


@pytest.mark.parametrize(
    "classes", [torch.zeros(0, 3, dtype=torch.long), drawn(5) + 6, -drawn(5), drawn(5).float()]
)
def test_refuses_what_are_no_classes(classes):
    with pytest.raises(InputError, match="classes must be"):
        mode_coverage(classes)


@pytest.fixture(scope="module")
def classifier():
    """Returns a classifier of single digits and its weights."""
    spec = ClassifierSpec(data=Digits(), iterations=250)
    module = spec.build()
    for _ in train_classifier(spec, module, *Digits().load("train")):
        pass
    return spec, module.state_dict()


def test_a_classifier_of_digits_reads_stacks_of_digits(classifier):
    spec, weights = classifier
    data = Stacked(of=Digits(), n=2000)
    images, labels = data.load("test")
    module = StackedClassifierFeatures(classifier=spec).build(weights)
    classes = stack_classes(extract(module, images)[1])
    read = (classes * torch.tensor([100, 10, 1])).sum(dim=1)
    assert classes.shape == (1000, 3)
    assert (read == labels).float().mean() > 0.85  # three digits at once, 0.95 each
    found, truth = mode_coverage(classes), labels.unique().numel()
    assert abs(found.n_modes - truth) < 0.05 * truth
    assert torch.equal(stack_classes(extract(module, images, batch_size=7)[1]), classes)


def test_a_classifier_is_surer_of_real_digits_than_of_noise(classifier):
    spec, weights = classifier
    single = ClassifierFeatures(classifier=spec)
    noise = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    on_real, on_noise = (
        single.certainty(extract(single.build(weights), images)[1])
        for images in (Digits().load("test")[0], noise)
    )
    assert on_real > 0.95 and on_noise < 0.7


def test_the_certainty_is_the_mean_highest_probability_of_all_channels(classifier):
    spec, _ = classifier
    rows = torch.full((2, 30), 0.05)
    rows[0, [3, 10, 29]] = torch.tensor([0.9, 0.6, 0.3])
    assert StackedClassifierFeatures(classifier=spec).certainty(rows) == pytest.approx(
        (0.9 + 0.6 + 0.3 + 3 * 0.05) / 6, rel=1e-6
    )
    single = ClassifierFeatures(classifier=spec)
    assert single.certainty(rows[:, :10]) == pytest.approx((0.9 + 0.05) / 2, rel=1e-6)


def test_a_stack_has_the_features_and_classes_of_its_channels_side_by_side(classifier):
    spec, weights = classifier
    single = ClassifierFeatures(classifier=spec)
    stacked = StackedClassifierFeatures(classifier=spec)
    stacks = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    features, probabilities = extract(stacked.build(weights), stacks)
    assert features.shape == (5, stacked.n_features) == (5, 192)
    assert probabilities.shape == (5, stacked.n_classes) == (5, 30)
    for c in range(3):
        ours, classes = extract(single.build(weights), stacks[:, c : c + 1])
        torch.testing.assert_close(features[:, 64 * c : 64 * (c + 1)], ours)
        torch.testing.assert_close(probabilities[:, 10 * c : 10 * (c + 1)], classes)


def test_the_extractor_of_stacks_is_named_frozen_and_for_grey_images_only(classifier):
    spec, weights = classifier
    stacked = StackedClassifierFeatures(classifier=spec)
    check_extractor(stacked, weights, (3, 8, 8))
    assert stacked.distance_name == "fd[stacked-digits-cnn]"
    assert stacked.key != ClassifierFeatures(classifier=spec).key
    module = stacked.build(weights)
    assert not any(p.requires_grad for p in module.parameters())
    with pytest.raises(InputError, match=r"shape \(1, H, W\), but photographs has \(3,"):
        StackedClassifierFeatures(classifier=spec.replace(data=Photographs()))


def test_probabilities_of_another_number_of_classes_are_refused():
    with pytest.raises(InputError, match=r"channels \* 10\), but got \(4, 27\)"):
        stack_classes(torch.zeros(4, 27))


def features(n, m, d, seed=0, scale=1.1, shift=0.1):
    g = np.random.default_rng(seed)
    real = g.normal(size=(n, d)).astype(np.float32)
    generated = (scale * g.normal(size=(m, d)) + shift).astype(np.float32)
    return torch.from_numpy(real), torch.from_numpy(generated)


def by_full_matrices(real, generated, k):
    """Counts (precision, recall, density, coverage) with full matrices, in single precision."""
    real, generated = real.double().numpy(), generated.double().numpy()

    def distances(x, y):
        return np.sqrt(scipy.spatial.distance.cdist(x, y, "sqeuclidean").astype(np.float32))

    def radii(x):
        return np.sort(distances(x, x), axis=1)[:, k]

    between = distances(real, generated)
    in_real, in_generated = between < radii(real)[:, None], between < radii(generated)[None, :]
    return (
        in_real.any(axis=0).sum(),
        in_generated.any(axis=1).sum(),
        in_real.sum(),
        in_real.any(axis=1).sum(),
    )


def counts(found, n, m, k):
    return (found.precision * m, found.recall * n, found.density * k * m, found.coverage * n)


@settings(max_examples=40)
@given(
    n=st.integers(8, 90),
    m=st.integers(8, 90),
    d=st.integers(1, 12),
    k=st.integers(1, 7),
    seed=st.integers(0, 999),
    chunk=st.integers(1, 100),
    far=st.sampled_from([0, 100]),
)
def test_counts_are_those_of_full_matrices_however_small_the_chunks(n, m, d, k, seed, chunk, far):
    real, generated = features(n, m, d, seed)
    found = prdc(real + far, generated + far, k, chunk)
    expected = by_full_matrices(real + far, generated + far, k)
    assert counts(found, n, m, k) == pytest.approx(expected, abs=1e-9)
    assert found == prdc(real + far, generated + far, k, tile_images=1000)


@pytest.mark.parametrize(
    ("n", "m", "d", "k", "kind", "expected"),
    [  # as printed by the authors' package, prdc 0.2
        (1500, 1200, 64, 3, "normal", (352, 1293, 1073, 700)),
        (800, 1500, 5, 5, "normal", (1444, 792, 7050, 794)),
        (600, 600, 3, 3, "lattice", (433, 476, 784, 299)),
        (600, 700, 8, 5, "copies", (686, 598, 3307, 600)),
    ],
)
def test_counts_are_those_of_the_authors_package_ties_and_all(n, m, d, k, kind, expected):
    real, generated = features(n, m, d, seed=n + d)
    if kind == "lattice":
        real, generated = (2 * real).round(), (2 * generated).round()
    if kind == "copies":
        generated[:500] = real[:500]
    assert counts(prdc(real, generated, k), n, m, k) == pytest.approx(expected, abs=1e-6)


def test_copies_of_the_real_images_are_inside_their_own_balls_only_strictly():
    # On a line at 0, 1, 3, 7: balls of k = 1 have radii 1, 1, 2, 4, and neighbours lie on their
    # rims.
    points = torch.tensor([[0.0], [1], [3], [7]])
    assert prdc(points, points, k=1) == Prdc(1.0, 1.0, 1.0, 1.0)


def test_points_on_a_line_by_hand():
    real = torch.tensor([[0.0], [1], [3], [7]])
    generated = torch.tensor([[2.0], [20], [21]])  # balls of k = 1: 18, 1, 1
    # 2 is on the rim of the ball around 1 and inside the ball around 3 (2) only; not in 7's (4): 5
    # > 4.
    assert prdc(real, generated, k=1) == Prdc(1 / 3, 1.0, 1 / 3, 1 / 4)


def test_far_apart_is_zero_and_all_alike_is_zero():
    real, generated = features(50, 60, 4)
    assert prdc(real, generated + 1000, 3) == Prdc(0.0, 0.0, 0.0, 0.0)
    alike = torch.full((40, 16), 0.7371)
    assert prdc(alike, alike, 3) == Prdc(0.0, 0.0, 0.0, 0.0)  # no ball has an interior


@pytest.mark.parametrize("d", [3, 64, 700])
def test_many_copies_of_a_point_have_balls_without_an_inside(d):
    real, generated = features(60, 50, d)
    real[:20] = real[0]
    generated[:20] = real[0]
    found = prdc(real, generated, 5, tile_images=7)
    assert counts(found, 60, 50, 5) == pytest.approx(by_full_matrices(real, generated, 5))


def test_equal_distributions_score_as_the_lemma_says():
    n, m, k, rounds = 60, 80, 3, 60
    found = [prdc(*features(n, m, 4, seed, scale=1, shift=0), k) for seed in range(rounds)]
    product = math.prod((n - i) / (m + n - i) for i in range(1, k + 1))
    coverage = np.array([f.coverage for f in found])
    density = np.array([f.density for f in found])
    assert abs(coverage.mean() - (1 - product)) < 4 * coverage.std() / rounds**0.5 < 0.05
    assert abs(density.mean() - 1) < 4 * density.std() / rounds**0.5 < 0.1


def test_precision_and_recall_change_places_with_the_sets():
    real, generated = features(70, 90, 4, scale=0.5)
    there, back = prdc(real, generated, 3), prdc(generated, real, 3)
    assert there.precision > 0.9 > there.recall  # tight samples look real and lack variety
    assert (there.precision, there.recall) == (back.recall, back.precision)


def test_classes_are_measured_apart_and_averaged_with_equal_weight():
    real, generated = features(90, 75, 4)
    real_labels, labels = torch.arange(90) % 3, torch.arange(75) % 3
    real_labels[real_labels == 2] = 7  # class numbers need not be consecutive
    labels[labels == 2] = 7
    found = classwise_prdc(real, real_labels, generated, labels, 3)
    assert list(found) == [0, 1, 7]
    assert found[7] == prdc(real[2::3], generated[2::3], 3)
    assert mean_prdc(found).density == pytest.approx(sum(f.density for f in found.values()) / 3)
    with pytest.raises(InputError, match=r"class 1: .*got 0"):
        classwise_prdc(real, real_labels, generated, labels * 7, 3)
    with pytest.raises(InputError, match="must each have a label"):
        classwise_prdc(real, real_labels[:-1], generated, labels, 3)


@pytest.mark.parametrize(
    ("n", "d", "k", "message"),
    [(3, 4, 3, "more than k = 3 real"), (9, 4, 0, "at least 1"), (9, 5, 3, "shapes")],
)
def test_prdc_refuses(n, d, k, message):
    with pytest.raises(InputError, match=message):
        prdc(torch.rand(n, d), torch.rand(9, 4), k)


def test_prdc_refuses_features_that_are_not_finite():
    bad = torch.rand(9, 4)
    bad[2, 1] = math.nan
    with pytest.raises(InputError, match=r"generated features .* of 1 images"):
        prdc(torch.rand(9, 4), bad, 3)


@given(st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=50))
def test_comparing_squares_is_comparing_their_rounded_roots(numbers):
    squares = torch.tensor(numbers, dtype=torch.float32)
    around = torch.cat([squares, squares.nextafter(torch.tensor(0.0)), 1.0000002 * squares])
    by_roots = around.sqrt() < squares.sqrt()[:, None]
    assert torch.equal(around < _least_of_root(squares)[:, None], by_roots)


MEASURE = """
import torch
from pathlib import Path
from scorelib.metrics.prdc import prdc
torch.set_num_threads(1)
def peak():  # ru_maxrss would begin at the parent's
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
prdc(torch.rand(300, 1024), torch.rand(300, 1024), 3, 128)
features = [torch.rand(2000, 1024) for _ in range(2)]
before = peak()
prdc(*features, 3, 128)
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_images():
    found = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True,
        # Freed memory is returned at once: this test is not about the memory that malloc keeps.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    # Either set in double precision would take 16 MB, all distances of the two 16 MB or more.
    assert int(found.stdout) < working_bytes(1024, 128) + 5e6 < 12e6


def test_the_papers_numbers_of_images_fit_into_two_gigabytes():
    assert working_bytes(2048) + 2 * 50_000 * 2048 * 4 < 2e9
