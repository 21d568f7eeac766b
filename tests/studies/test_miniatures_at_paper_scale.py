"""Tests of the code of the paper scale in miniature: its networks and Inception, on photographs."""

from functools import cache

import pytest

from dashboards.results.cells import read_study
from scorelib.data import Photographs
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import NcsnPp, Ncsnv2
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.cifar_sampling_eps import study
from studies.adversarial.step_sizes.table_settings import SelectionSettings
from studies.common.step_size_search import SearchSettings
from studies.dlsm import cifar10_dlsm
from tests.scorelib.metrics.random_inception import save_random_weights
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler
from tuning.stages.features.extractors import require_extractor


@pytest.fixture
def random_inception(tmp_path, monkeypatch):
    """Returns a file of random Inception weights, read once per test, and its SHA-256."""
    monkeypatch.setattr(InceptionFeatures, "load_weights", cache(InceptionFeatures.load_weights))
    file = tmp_path / "inception.pth"
    return file, save_random_weights(file)


def test_ncsnv2_and_inception_fill_a_cell(store, random_inception):
    file, sha256 = random_inception
    paper = cifar_sampling_eps.paper()
    train = paper.train.replace(
        data=Photographs(size=32, n=4),
        network=Ncsnv2(ngf=8),
        schedule=GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=8),
        batch_size=4,
    )
    small = paper.replace(
        train=train,
        iterations=4, iteration=4, snapshot_every=2, chunk_images=2, n_images=2, seeds=1,
        extractor=InceptionFeatures(weights_sha256=sha256), n_sigma=(1,),
        search=SearchSettings(n_trials=1, round_size=1, n_images=2, top_images=2, keep=1),
        selection=SelectionSettings(n_trials=2, n_images=2), columns=("non-adversarial",),
    )  # fmt: skip
    require_extractor(small.extractor, train.data.shape, file)
    drain(study("paper", small), store, inception_weights=file)
    shown = read_study(Scheduler(study("paper", small), store), store)
    cells = [cell for cell in shown.cells if cell.measured]
    assert len(cells) == 2 and all(cell.measured["denoised"].mean > 0 for cell in cells)
    name = f"fd[inception-{sha256[:8]}]"
    (protocol,) = shown.protocols
    assert protocol.name == name, "other weights are never called fid"
    assert all(cell.difference("denoised") is None for cell in cells)
    assert set(store.manifest("train", study("paper", small).snapshots[0].key).files) == {
        "ema-0.999.safetensors", "ema-0.9999.safetensors", "losses.json",
    }  # fmt: skip


def test_ncsnpp_guided_by_a_resnet_inception_and_resnet50_fill_table_2(store, random_inception):
    file, sha256 = random_inception
    paper, data = cifar10_dlsm.paper(), Photographs(size=32, n=6)
    train = paper.train.replace(
        data=data, network=NcsnPp(width=8, n_blocks=1), batch_size=4,
        schedule=paper.train.schedule.replace(n_levels=4),
    )  # fmt: skip
    small = paper.replace(
        train=train, iteration=2, classifier=paper.classifier.replace(width=4),
        classifier_batch_size=4, classifier_iterations=2, sampler=paper.sampler.replace(n_steps=2),
        chunk_images=4, n_images=4, n_real=4, k=1, n_splits=2,
        extractor=InceptionFeatures(weights_sha256=sha256),
        accuracy=paper.accuracy.replace(batch_size=4, iterations=1),
    )  # fmt: skip
    made = cifar10_dlsm.study("paper", small)
    drain(made, store, inception_weights=file)
    shown = read_study(Scheduler(made, store), store)
    for cell in shown.cells:
        assert cell.failed is None and cell.measured["denoised"].mean >= 0, cell.cell.name
        assert cell.difference("denoised") is None, "other weights, other data"
    found = {cell.cell.row for cell in shown.cells}
    assert (
        len(shown.cells) == 33
        and {"classification accuracy score", "Inception score", "class-wise coverage"} <= found
    )
