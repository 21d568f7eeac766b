"""The demo's science in shorter form: the baselines, and what the paper says must show."""

import pytest

from dashboards.results.cells import read_study
from scorelib.spec import replace_paths
from studies.adversarial.step_sizes.cifar_sampling_eps import settings, study
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

SHORTER = {
    "train.network.width": "128",
    "iterations": "2000", "iteration": "2000", "snapshot_every": "2000", "search.n_trials": "3",
    "search.n_images": "200", "search.top_images": "200", "search.keep": "1", "n_images": "400",
    "seeds": "1", "columns": '["non-adversarial"]', "selection.n_trials": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The demo with a smaller network, less training, fewer trials and images."""
    store = Store(str(tmp_path_factory.mktemp("demo")), create=True)
    shorter = study("demo", replace_paths(settings("demo"), SHORTER))
    drain(shorter, store)
    return read_study(Scheduler(shorter, store), store)


def test_every_denoised_winner_beats_a_gaussian_and_the_best_by_half(shown):
    held_out, gaussian = (baseline.distance for baseline in shown.baselines)
    assert 2 < held_out < gaussian / 8
    denoised = [cell.measured["denoised"].mean for cell in shown.cells if cell.measured]
    assert len(denoised) == 4
    assert max(denoised) < gaussian
    assert min(denoised) < gaussian / 2


def test_denoising_always_helps_and_most_where_sampling_is_not_consistent(shown):
    gains = {}
    for cell in shown.cells:
        if cell.measured:
            gains[cell.cell.search.name] = (
                cell.measured["raw"].mean - cell.measured["denoised"].mean
            )
    assert all(gain > 0 for gain in gains.values())
    assert gains["als n_sigma=1, non-adversarial"] > gains["cas n_sigma=1, non-adversarial"]


def test_paper_scale_is_the_paper():
    paper = settings("paper")
    train = paper.train
    assert (train.schedule.sigma_1, train.schedule.sigma_L, train.schedule.n_levels) == (
        50, 0.01, 232,
    )  # fmt: skip
    assert (train.batch_size, paper.iterations, paper.snapshot_every) == (128, 300_000, 2_500)
    assert train.ema == (0.999, 0.9999) and train.flips
    made = study("paper", paper)
    assert len(made.snapshots) == 2 * 120
    for cell in made.cells:
        for reported in cell.reported.values():
            # Equal in all the paper states; it does not say whether its seeds were fresh.
            assert reported.protocol.is_comparable(cell.protocol)
            assert reported.protocol.seeds == "unstated" and cell.protocol.seeds == "fresh"
    assert made.cells[0].protocol.name == "fid"
    assert made.cells[0].reported["denoised"].value == 13.3
    assert made.cells[-2].reported_epsilon == 1.1e-6
    assert made.cells[-2].reported_r == pytest.approx(1.497, abs=0.01)
    searches = {s.name: s for s in made.searches}
    first, then, adversarial = (
        searches[f"cas n_sigma={n}, {column}"]
        for n, column in ((1, "non-adversarial"), (5, "non-adversarial"), (1, "adversarial"))
    )
    assert first.after is None and then.after is first and adversarial.after is first
    assert first.starts == ({"epsilon": 5.4e-6},)
    for search, column in ((then, "non-adversarial"), (adversarial, "adversarial")):
        assert search.model_of is searches[f"snapshot and EMA, {column}"]
        assert search.model_of.starts == ({"iteration": 250_000, "ema": 0.9999},)
