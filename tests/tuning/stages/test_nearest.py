"""Tests of nearest training images, with scikit-learn as the independent reference."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scorelib.data import Digits
from scorelib.errors import InputError
from scorelib.metrics.features import extract
from scorelib.spec import from_json
from tests.tuning.stages.test_shares_and_frames import (
    CLASSIFIER,
    SAMPLE,
    finish,
    grid,
    in_the_plane,
)
from tuning.jobs import ExecutionContext
from tuning.stages import nearest as module
from tuning.stages.features.extractors import build_extractor
from tuning.stages.first_images import first_images
from tuning.stages.nearest import HELD_OUT, NEAREST, NEAREST_FILE, Nearest

JOB = Nearest(sample=SAMPLE, extractor=CLASSIFIER, n_images=5, n_nearest=3)


def test_the_neighbours_are_those_of_scikit_learn(store):
    finish(JOB.features, store)
    result = finish(JOB, store).result
    at = ExecutionContext(store=store)
    images = first_images(SAMPLE, 5, "denoised", at)
    features, _ = extract(build_extractor(CLASSIFIER, at), images)
    held_out, _ = extract(build_extractor(CLASSIFIER, at), at.images(Digits(), "test")[0][:200])
    known, _ = JOB.features.read(at)
    search = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(known.double().numpy())
    distances, places = search.kneighbors(features.double().numpy())
    assert result[NEAREST] == pytest.approx(np.median(distances[:, 0]), rel=1e-5)
    others, _ = search.kneighbors(held_out.double().numpy(), n_neighbors=1)
    assert result[HELD_OUT] == pytest.approx(np.median(others), rel=1e-5)
    shown = grid(store.read("nearest", JOB.key, NEAREST_FILE), columns=4)
    training = (at.images(Digits(), "train")[0] * 255).round().byte().numpy()
    for row, of in enumerate(places):
        for column, place in enumerate(of, start=1):
            enlarged = training[place, 0].repeat(8, 0).repeat(8, 1).ravel()
            np.testing.assert_allclose(shown[row, column].astype(int), enlarged, atol=1)


def test_a_copy_is_found_at_distance_zero(store, monkeypatch):
    finish(JOB.features, store)
    copies = ExecutionContext(store=store).images(Digits(), "train")[0][[7, 70, 700, 3, 30]]
    monkeypatch.setattr(module, "first_images", lambda *of: copies)
    result = finish(JOB, store).result
    assert result[NEAREST] == pytest.approx(0, abs=1e-4) and result[HELD_OUT] > 0.01
    shown = grid(store.read("nearest", JOB.key, NEAREST_FILE), columns=4)
    np.testing.assert_array_equal(shown[:, 0], shown[:, 1])


def test_it_comes_back_from_json_and_refuses_what_it_cannot_show():
    assert from_json(JOB.to_json()) == JOB and JOB.work().images % SAMPLE.chunk_images == 0
    assert JOB.work().evaluations == 7 * 4 * 3
    with pytest.raises(InputError, match="at least 1, but got 0 and 7"):
        Nearest(sample=SAMPLE, extractor=CLASSIFIER, n_images=0)
    with pytest.raises(InputError, match=r"images .*, but got shape \(2,\)"):
        Nearest(sample=in_the_plane(), extractor=CLASSIFIER, n_images=2)
