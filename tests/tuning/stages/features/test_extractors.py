"""Tests of where extractors get their weights, and of own extractors, right and wrong."""

from dataclasses import dataclass

import pytest
import safetensors.torch
import torch
from torch import nn

from scorelib.errors import InputError
from scorelib.metrics import ClassifierFeatures, InceptionFeatures, StackedClassifierFeatures
from scorelib.metrics.features import Extractor, Pixels, extract
from tests.tuning.miniature import miniature_study
from tuning.jobs import ExecutionContext
from tuning.stages.features.extractors import (
    TrainClassifier,
    build_extractor,
    extractor_inputs,
    extractor_training,
    require_extractor,
)
from tuning.stages.features.reference import Reference
from tuning.testing import finish

DIGITS = (1, 8, 8)


class Halved(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(64, n_features))

    def forward(self, images):
        return images.flatten(1) @ self.matrix, images.new_empty(len(images), 0)


@dataclass(frozen=True, kw_only=True)
class Projection(Extractor):
    """An extractor of a user: a fixed projection, whose weights it makes itself."""

    KIND = "test-projection"
    width: int = 3
    fault: str = ""

    @property
    def name(self):
        return "projection"

    @property
    def n_features(self):
        return self.width

    @property
    def n_classes(self):
        return 0

    def load_weights(self, weights_path=None):
        if self.fault == "no file":
            raise InputError("the file must be there")
        if self.fault == "load":
            raise KeyError("matrix")
        return {"matrix": torch.eye(64)[:, : self.width]}

    def build(self, weights):
        module = Halved(self.width)
        module.load_state_dict({} if self.fault == "build" else weights)
        if self.fault == "shape":
            module.matrix = nn.Parameter(torch.eye(64))
        return module.eval()


FAULTS = {
    "no file": "the file must be there",
    "load": "but failed: KeyError: 'matrix'",
    "build": "but failed: RuntimeError: Error(?s:.*)Missing key",
    "shape": r"of shapes \(2, 3\) and \(2, 0\) for two images, but returned \(2, 64\) and \(2, 0\)",
}


def test_an_own_extractor_loads_its_own_weights_and_measures(store):
    place, own = ExecutionContext(store=store), Projection()
    assert extractor_inputs(own) == () and extractor_training(own) is None
    require_extractor(own, DIGITS, None)
    images = torch.rand(5, *DIGITS)
    features, _ = extract(build_extractor(own, place), images)
    torch.testing.assert_close(features, (images * 255).round().flatten(1)[:, :3] / 255)
    reference = Reference(data=miniature_study().settings.train.data, split="test", extractor=own)
    finish(reference, place)
    assert reference.moments(place).mean.shape == (3,)


def test_an_extractor_is_built_once_for_all_jobs_with_the_same_weights(
    store, tmp_path, monkeypatch
):
    loaded = []
    load = Projection.load_weights
    monkeypatch.setattr(
        Projection, "load_weights", lambda self, file: loaded.append(file) or load(self, file)
    )
    file = tmp_path / "weights.pth"
    file.write_bytes(b"first")
    place = ExecutionContext(store=store, inception_weights=file)
    first = build_extractor(Projection(width=4), place)
    assert build_extractor(Projection(width=4), place) is first and len(loaded) == 1
    assert build_extractor(Projection(width=2), place).matrix.shape == (64, 2)
    assert build_extractor(Projection(width=4), place) is not first and len(loaded) == 3
    file.write_bytes(b"others")
    build_extractor(Projection(width=4), place)
    assert len(loaded) == 4, "other weights need another module"


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_an_own_extractor_that_does_not_work_is_refused(fault, words):
    with pytest.raises(InputError, match=words):
        require_extractor(Projection(fault=fault), DIGITS, None)


def test_the_trained_weights_of_a_classifier_are_those_that_are_loaded(store):
    place = ExecutionContext(store=store)
    features = miniature_study().settings.extractor
    stacked = StackedClassifierFeatures(classifier=features.classifier)
    (job,) = extractor_inputs(features)
    assert job == TrainClassifier(classifier=features.classifier)
    assert extractor_inputs(stacked) == (job,), "a subclass has the training of its base"
    finish(job, place)
    stored = safetensors.torch.load(store.read(job.stage, job.key, "weights.safetensors"))
    built = build_extractor(features, place).state_dict()
    assert built.keys() == stored.keys()
    assert all(torch.equal(built[name], stored[name]) for name in stored)


def test_a_training_is_registered_for_a_class():
    @dataclass(frozen=True, kw_only=True)
    class Trained(Projection):
        KIND = "test-trained"

    trained = TrainClassifier(classifier=miniature_study().settings.extractor.classifier)
    extractor_training.register(Trained, lambda _: trained)
    assert extractor_inputs(Trained()) == (trained,) and extractor_inputs(Projection()) == ()


def test_only_inception_wants_a_gpu_and_only_stacks_have_several_classes():
    every = (InceptionFeatures, ClassifierFeatures, StackedClassifierFeatures, Pixels, Projection)
    assert [cls for cls in every if cls.needs_gpu] == [InceptionFeatures]
    assert [c for c in every if not c.one_class_per_image] == [StackedClassifierFeatures]


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 16, 16), (3, 8, 8), (2,)])
def test_a_classifier_for_images_of_another_shape_is_refused(shape):
    features = miniature_study().settings.extractor
    stacked = StackedClassifierFeatures(classifier=features.classifier)
    require_extractor(features, DIGITS, None)
    require_extractor(stacked, (3, 8, 8), None)
    wrong = [features] if shape[0] == 3 else [features, stacked]
    for extractor in wrong:
        with pytest.raises(InputError, match="images must have the shape") as refusal:
            require_extractor(extractor, shape, None)
        assert f"but have {shape}" in str(refusal.value)


def test_inception_without_its_file_is_refused_by_its_own_message(tmp_path):
    with pytest.raises(InputError, match=r"data\.inception_weights must name a readable copy"):
        require_extractor(InceptionFeatures(), (3, 32, 32), tmp_path / "none.pth")
