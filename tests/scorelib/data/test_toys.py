"""Tests of data in the plane: samples, distances by brute force, the score by autograd."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_moons, make_swiss_roll

from scorelib.data import Digits, Gaussians, Moons, SwissRoll
from scorelib.errors import InputError
from scorelib.testing import check_data_set

TOYS = [Gaussians(n=2000), Moons(n=2000), SwissRoll(n=2000)]
POINTS = st.lists(st.tuples(*[st.floats(-4, 4)] * 2), min_size=1, max_size=20)


def spiral(t):
    return torch.stack([t * t.cos(), t * t.sin()], dim=1) / 7.5


def nearest(points, support):
    """Returns the least distance of each point to any of many points, pair by pair."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(points.double(), support, compute_mode=exact).min(dim=1).values


def assert_nearest(found, brute, half_spacing, curvature):
    """Asserts that distances to many points differ from the exact ones as their spacing allows."""
    slack = half_spacing**2 * (1 + curvature * brute)
    assert (found <= brute + 1e-12).all()
    assert (found >= (brute.square() - slack).clamp(min=0).sqrt() - 1e-9).all()


@pytest.mark.parametrize("data", TOYS, ids=lambda d: d.name)
def test_contract(data, tmp_path):
    check_data_set(data, tmp_path / "ignored")
    for split in ("train", "test"):
        points, labels = data.load(split)
        assert labels.unique().tolist() == list(range(data.n_classes))
        assert not torch.equal(points, data.replace(seed=1).load(split)[0])
        assert data.distances(points).dtype == torch.float64


@pytest.mark.parametrize("data", TOYS, ids=lambda d: d.name)
def test_the_splits_are_different_draws_of_one_distribution(data):
    train, test = data.load("train")[0], data.load("test")[0]
    assert (train[:1000] - test).norm(dim=1).median() > test.std()  # nor do they come in pairs
    assert (data.n_images("train"), data.n_images("test")) == (2000, 1000)
    shared = {tuple(p) for p in train.tolist()} & {tuple(p) for p in test.tolist()}
    assert len(shared) <= 4  # the ends of the moons
    scale = train.std(dim=0)
    assert ((train.mean(dim=0) - test.mean(dim=0)) / scale).abs().max() < 0.15
    assert (test.std(dim=0) / scale - 1).abs().max() < 0.1


def test_a_toy_of_no_points_is_refused():
    with pytest.raises(InputError, match="at least 4"):
        Moons(n=3)


@settings(max_examples=60)
@given(POINTS)
def test_distances_to_the_spiral_are_those_to_many_of_its_points(points):
    points = torch.tensor(points, dtype=torch.float64)
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 10_001, dtype=torch.float64)
    assert_nearest(SwissRoll().distances(points), nearest(points, spiral(t)), 9e-4, 1 / 0.6)


def test_the_spiral_is_nowhere_from_itself():
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 3333, dtype=torch.float64)
    assert SwissRoll().distances(spiral(t)).max() < 1e-12
    roll, _ = make_swiss_roll(500, noise=0.0, random_state=3)
    assert SwissRoll().distances(torch.from_numpy(roll[:, [0, 2]]) / 7.5).max() < 1e-12


def test_the_foot_on_the_spiral_is_found_from_either_side():
    t = torch.linspace(1.6 * math.pi, 4.4 * math.pi, 500, dtype=torch.float64)
    tangent = torch.stack([t.cos() - t * t.sin(), t.sin() + t * t.cos()], dim=1)
    normal = torch.nn.functional.normalize(tangent.flip(1) * torch.tensor([1.0, -1]), dim=1)
    for h in (1e-6, 0.05, 0.2):  # turns are 2 pi / 7.5 = 0.84 apart
        for side in (-1, 1):
            found = SwissRoll().distances(spiral(t) + side * h * normal)
            torch.testing.assert_close(found, torch.full_like(found, h), rtol=1e-9, atol=1e-13)


@settings(max_examples=60)
@given(POINTS)
def test_distances_to_the_centres_are_those_to_all_of_them(points):
    points = torch.tensor(points, dtype=torch.float64)
    grid = 2 * torch.cartesian_prod(*[torch.arange(-2, 3, dtype=torch.float64)] * 2) / 2.828
    torch.testing.assert_close(Gaussians().distances(points), nearest(points, grid))


@settings(max_examples=60)
@given(POINTS)
def test_distances_to_the_moons_are_those_to_many_of_their_points(points):
    points = 10 * torch.tensor(points, dtype=torch.float64)
    moons, labels = make_moons(10_001, shuffle=False)
    moons = torch.from_numpy((moons - [0.5, 0.25]) * 20)
    found = Moons().distances_to_classes(points)
    for c in (0, 1):
        assert_nearest(found[:, c], nearest(points, moons[labels == c]), 0.0064, 1 / 20)
    assert torch.equal(Moons().distances(points), found.min(dim=1).values)


def test_moons_are_scikit_learns_centred_and_magnified():
    points, labels = Moons(n=1000).load("train")
    expected, classes = make_moons(1000, shuffle=False)
    expected = (expected - [0.5, 0.25]) * 20
    for c in (0, 1):
        ours, theirs = points[labels == c].double().numpy(), expected[classes == c]
        order = np.argsort(ours[:, 0]), np.argsort(theirs[:, 0])
        np.testing.assert_allclose(ours[order[0]], theirs[order[1]], atol=1e-5)
    assert points.mean(dim=0).abs().max() < 1e-3
    assert Moons().distances(points).max() < 1e-5
    assert points[labels == 0, 1].max() == pytest.approx(15, abs=1e-3)
    assert points[labels == 1, 1].min() == pytest.approx(-15, abs=1e-3)


def test_distances_of_the_data_are_those_of_its_noise():
    # The mean length of a normal variable: one direction off the spiral, two off a centre.
    for data, expected in (
        (SwissRoll(n=20_000), 0.25 / 7.5 * math.sqrt(2 / math.pi)),
        (Gaussians(n=20_000), 0.05 / 2.828 * math.sqrt(math.pi / 2)),
    ):
        assert data.distances(data.load("train")[0]).mean() == pytest.approx(expected, rel=0.02)


def test_each_gaussian_is_labelled_with_its_centre_and_has_its_share():
    data = Gaussians(n=25_000)
    points, labels = data.load("train")
    for c in range(25):
        centre = torch.tensor([c // 5 - 2, c % 5 - 2]) * 2 / 2.828
        mine = points[labels == c]
        assert 850 < len(mine) < 1150
        assert (mine.mean(dim=0) - centre).abs().max() < 0.003
        assert mine.std(dim=0) == pytest.approx([0.05 / 2.828] * 2, rel=0.1)


def log_density(x, sigma):
    """Returns the log density of the 25 Gaussians with added noise, centre by centre."""
    centres = 2 * torch.cartesian_prod(*[torch.arange(-2, 3, dtype=torch.float64)] * 2) / 2.828
    std = torch.tensor(math.sqrt((0.05 / 2.828) ** 2 + sigma**2), dtype=torch.float64)
    each = torch.distributions.Normal(centres, std).log_prob(x[:, None]).sum(dim=-1)
    return each.logsumexp(dim=1) - math.log(25)


@settings(max_examples=60)
@given(POINTS, st.sampled_from([0.0, 0.01, 0.1, 0.5, 2.0, 30.0]))
def test_the_score_of_the_gaussians_is_their_log_densitys_gradient(points, sigma):
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(log_density(x, sigma).sum(), x)
    score = Gaussians().score(x.detach(), sigma)
    torch.testing.assert_close(score, gradient, rtol=1e-9, atol=1e-9)


def test_the_score_is_finite_far_away_and_points_back():
    far = torch.tensor([[1e6, -1e6]])
    score = Gaussians().score(far, 0.01)
    assert score.isfinite().all() and score[0, 0] < 0 < score[0, 1]


def test_the_scores_posterior_mean_of_noisy_data_is_the_data_where_noise_is_low():
    data = Gaussians(n=4000)
    clean = data.load("train")[0].double()
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    denoised = noisy + 0.1**2 * data.score(noisy, 0.1)
    assert data.distances(denoised).mean() < 0.1 * data.distances(noisy).mean()


def test_toys_have_keys_of_their_own():
    assert len({d.key for d in (*TOYS, Moons(), Moons(seed=1), Digits())}) == 6
