"""Tests of a table's results on digits in shorter form: the baselines, and the paper's claims."""

import pytest

from scorelib.spec_paths import replace_paths
from studies.adversarial.step_sizes.cifar_sampling_eps import paper, study
from studies.adversarial.step_sizes.demo_settings import digits
from studies.registry import find_study
from tests.tuning.draining import drain, results
from tuning.store.store import Store

SHORTER = {
    "train.network.width": "128", "train.network.depth": "2", "n_sigma": "[1]",
    "extractor.classifier.iterations": "400",
    "iterations": "2000", "iteration": "2000", "snapshot_every": "2000", "search.n_trials": "5",
    "search.n_images": "200", "search.top_images": "200", "search.keep": "1", "n_images": "400",
    "seeds": "1", "columns": '["non-adversarial"]', "selection.n_trials": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Returns the results on digits with smaller networks, trainings, searches and image counts."""
    store = Store(str(tmp_path_factory.mktemp("demo")), create=True)
    shorter = study("demo", replace_paths(digits(), SHORTER))
    drain(shorter, store)
    found = {name: result for (name, _), result in results(shorter, store).items()}
    cells = {cell.search.name: found[cell.name] for cell in shorter.cells}
    return cells, found["held-out"]["distance"], found["gaussian"]["distance"]


def test_every_denoised_winner_beats_a_gaussian_and_the_best_by_half(measured):
    cells, held_out, gaussian = measured
    assert 2 < held_out < gaussian / 8
    denoised = [result["denoised"] for result in cells.values()]
    assert len(denoised) == 2
    assert max(denoised) < gaussian
    assert min(denoised) < gaussian / 2


def test_denoising_always_helps_and_most_where_sampling_is_not_consistent(measured):
    cells, *_ = measured
    gains = {name: result["raw"] - result["denoised"] for name, result in cells.items()}
    assert all(gain > 0 for gain in gains.values())
    assert gains["als n_sigma=1, non-adversarial"] > gains["cas n_sigma=1, non-adversarial"]


def test_paper_scale_is_the_paper():
    at = paper()
    train = at.train
    assert (train.schedule.sigma_1, train.schedule.sigma_L, train.schedule.n_levels) == (
        50, 0.01, 232,
    )  # fmt: skip
    assert (train.batch_size, at.iterations, at.snapshot_every) == (128, 300_000, 2_500)
    assert train.ema == (0.999, 0.9999) and train.flips
    made = study("paper", at)
    assert len(made.snapshots) == 2 * 120
    for cell in made.cells:
        for reported in cell.reported.values():
            # Equal in all that the paper states; the paper does not say whether its seeds were
            # fresh.
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


@pytest.mark.parametrize(
    "name",
    [
        "cifar_sampling_eps",
        "cifar_unet_sampling_eps",
        "church_sampling_eps",
        "ffhq_sampling_eps",
        "inception_score",
        "uncurated_samples",
    ],
)
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_step_counts_that_the_paper_does_not_have_show_ours_alone(name, scale):
    module = find_study(name)
    of = "cifar." if name == "uncurated_samples" else ""
    made = module.study(scale, replace_paths(module.settings(scale), {f"{of}n_sigma": "[3, 1]"}))
    rows = {cell.row: cell for cell in made.cells}
    own = [cell for cell in made.cells if "(n_sigma = 3)" in cell.row]
    assert {search.space.template.sample.sampler.n_sigma for search in made.searches} >= {1, 3}
    assert len(own) >= 2 and all(not cell.reported for cell in own)
    assert all(cell.reported_epsilon is None and cell.reported_r is None for cell in own)
    default = {c.row: c for c in module.study(scale, module.settings(scale)).cells}
    same = [row for row in rows if row in default and "(n_sigma = 1)" in row]
    assert same and all(rows[row].reported == default[row].reported for row in same)
