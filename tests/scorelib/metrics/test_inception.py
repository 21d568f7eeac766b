"""Tests of the Inception extractor on random weights in the published format. No network."""

import hashlib
import pickle
import urllib.request
from urllib.error import URLError

import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from scorelib.errors import InputError, MissingDataError
from scorelib.metrics import InceptionFeatures, extract
from scorelib.metrics.inception import _URL, WEIGHTS_FILE
from scorelib.testing import check_extractor
from tests.scorelib.metrics.random_inception import save_random_weights


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    save_random_weights(path)
    return path


@pytest.fixture(scope="module")
def spec(weights_path):
    return InceptionFeatures(weights_sha256=sha256(weights_path))


@pytest.fixture(scope="module")
def module(spec, weights_path):
    return spec.build(spec.load_weights(weights_path))


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Disables the network; returns the folder of an empty download cache."""

    def refuse(*args, **kwargs):
        raise URLError("no network in this test")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_gives_what_torch_fidelity_gives_for_the_8_bit_images(spec, module, images, weights_path):
    features, probabilities = extract(module, images)
    theirs = fidelity.FeatureExtractorInceptionV3(
        "x", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights_path)
    )
    expected, logits = theirs((images * 255).round().to(torch.uint8))
    assert features.shape == (3, spec.n_features) == (3, 2048)
    assert probabilities.shape == (3, spec.n_classes) == (3, 1008)
    assert expected.std() > 1e-3 and (expected[0] - expected[1]).std() > 1e-4
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(probabilities, logits.softmax(1), rtol=1e-5, atol=1e-9)


def test_contract(spec, weights_path):
    check_extractor(spec, spec.load_weights(weights_path), (3, 32, 32))


def test_every_grey_level_arrives(module, monkeypatch):
    seen = []

    def network(x):
        seen.append(x)
        return torch.zeros(len(x), 4), torch.zeros(len(x), 4)

    monkeypatch.setattr(module.network, "forward", network)
    levels = torch.arange(256).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    extract(module, levels / 255)
    assert seen[0].dtype == torch.uint8 and torch.equal(seen[0], levels.byte())


def test_a_grey_image_is_one_of_three_equal_channels(module):
    grey = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    for own, colour in zip(module(grey), module(grey.repeat(1, 3, 1, 1)), strict=True):
        assert torch.equal(own, colour)


def test_images_are_grey_or_have_three_colours(module):
    for channels in (2, 4):
        with pytest.raises(InputError, match=rf"\(2, {channels}, 8, 8\)"):
            module(torch.zeros(2, channels, 8, 8))


def test_network_is_frozen(module):
    assert not any(p.requires_grad for p in module.parameters())


def test_only_the_published_weights_give_a_fid(spec):
    assert InceptionFeatures().distance_name == "fid"
    assert spec.distance_name == f"fd[inception-{spec.weights_sha256[:8]}]"
    assert spec.key != InceptionFeatures().key
    assert InceptionFeatures().weights_sha256[:8] in WEIGHTS_FILE
    assert _URL == fidelity.URL_INCEPTION_V3


def test_another_file_is_refused(weights_path):
    with pytest.raises(MissingDataError, match="SHA-256") as caught:
        InceptionFeatures().load_weights(weights_path)
    assert sha256(weights_path) in str(caught.value)


def test_absent_file(tmp_path):
    with pytest.raises(MissingDataError, match=WEIGHTS_FILE) as caught:
        InceptionFeatures().load_weights(tmp_path / "none.pth")
    assert "none.pth" in str(caught.value) and "\n" not in str(caught.value)


def test_offline_is_one_line_that_teaches(offline):
    with pytest.raises(MissingDataError) as caught:
        InceptionFeatures().load_weights()
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(offline / WEIGHTS_FILE), "https://", "no network", "data.inception_weights"):
        assert part in message
    assert list(offline.iterdir()) == []


def test_cached_download_is_used_and_checked(offline, spec, weights_path):
    offline.mkdir(parents=True)
    (offline / WEIGHTS_FILE).symlink_to(weights_path)
    assert len(spec.load_weights()) > 100
    with pytest.raises(MissingDataError, match="SHA-256"):
        InceptionFeatures().load_weights()


def test_a_file_that_would_run_code_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled an object",))

    torch.save({"conv": Bomb()}, tmp_path / "zip.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps({"conv": Bomb()}, protocol=2))
    for name in ("zip.pth", "raw.pth"):
        path = tmp_path / name
        with pytest.raises(MissingDataError, match="tensors only"):
            InceptionFeatures(weights_sha256=sha256(path)).load_weights(path)


@pytest.mark.parametrize("text", ["6726825d", "G" * 64, ""])
def test_refuses_what_is_no_sum(text):
    with pytest.raises(InputError, match="64"):
        InceptionFeatures(weights_sha256=text)
