"""The paper scale's own code, NCSNv2 and Inception, in miniature on embedded photographs."""

import pytest
import torch

from dashboards.cells import view
from scorelib.data import Photographs
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import Ncsnv2
from scorelib.schedules import GeometricSchedule
from studies.cifar_sampling_eps import settings, study
from studies.table_settings import SearchSettings, SelectionSettings
from tests.scorelib.test_inception import Unloaded, fidelity, sha256
from tuning.jobs import Workplace, execute
from tuning.scheduler import Scheduler, Wait


@pytest.fixture
def random_inception(tmp_path, monkeypatch):
    """A file of Inception weights in the published format, drawn at random."""
    torch.manual_seed(0)
    monkeypatch.setattr(fidelity, "load_state_dict_from_url", lambda *a, **k: {})
    torch.save(Unloaded("x", ["2048"]).state_dict(), tmp_path / "inception.pth")
    return tmp_path / "inception.pth"


def test_ncsnv2_and_inception_fill_a_cell(store, random_inception):
    paper = settings("paper")
    train = paper.train.replace(
        data=Photographs(size=32, n=12),
        network=Ncsnv2(ngf=8),
        schedule=GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=8),
        batch_size=8,
    )
    small = paper.replace(
        train=train,
        iterations=4, iteration=4, snapshot_every=2, chunk_images=3, n_images=6, seeds=1,
        extractor=InceptionFeatures(weights_sha256=sha256(random_inception)), n_sigma=(1,),
        search=SearchSettings(n_trials=1, round_size=1, n_images=3, top_images=3, keep=1),
        selection=SelectionSettings(n_trials=2, n_images=3), columns=("non-adversarial",),
    )  # fmt: skip
    scheduler = Scheduler(study("paper", small), store)
    place = Workplace(store=store, inception_weights=random_inception)
    while (job := scheduler.next_job()) not in list(Wait):
        for _ in execute(job, place):
            pass
        scheduler.report_stored(job.key)
    shown = view(scheduler, store)
    cells = [cell for cell in shown.cells if cell.measured]
    assert len(cells) == 2 and all(cell.measured["denoised"].mean > 0 for cell in cells)
    name = f"fd[inception-{sha256(random_inception)[:8]}]"
    (protocol,) = shown.protocols
    assert protocol.name == name, "other weights are never called fid"
    assert all(cell.difference("denoised") is None for cell in cells)
    assert set(store.manifest("train", study("paper", small).snapshots[0].key).files) == {
        "ema-0.999.safetensors", "ema-0.9999.safetensors", "losses.json",
    }  # fmt: skip
