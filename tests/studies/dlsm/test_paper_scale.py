"""Tests of the DLSM paper at paper scale: reported numbers in their cells, and settings."""

import pytest

from scorelib.data import Moons, OneClass
from scorelib.losses import CIFAR_DLSM, MOONS_DLSM, CrossEntropy, Dsm
from scorelib.networks import NcsnPp
from studies.registry import find_study
from studies.reported import _rows
from tuning.stages import ScoreErrors

METRICS = {
    "Frechet distance": "fid", "Inception score": "is",
    "classification accuracy score": "accuracy", "precision": "precision",
    "recall": "recall", "density": "density", "coverage": "coverage",
    "class-wise precision": "cw_precision", "class-wise recall": "cw_recall",
    "class-wise density": "cw_density", "class-wise coverage": "cw_coverage",
}  # fmt: skip
METHODS = {
    "base": "base", "scaling": "scaling", "ours": "dlsm", "posterior SM": "posterior_sm",
    "DLSM' alone": "dlsm_only", "oracle": "oracle",
}  # fmt: skip


def cells_of(name):
    module = find_study(name)
    return module.study("paper", module.settings("paper")).cells


def printed(*tables, **where):
    """Returns the numbers of some tables by their position, as printed."""
    return {
        (row["table"], row["row"], row["column"], row["metric"]): float(row["value"])
        for row in _rows()
        if row["paper"] == "dlsm" and row["table"] in tables
        and all(row[name] == value for name, value in where.items())
    }  # fmt: skip


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_every_number_of_table_2_stands_in_its_cell(dataset):
    shown = {
        ("2", METHODS[cell.column], METRICS[cell.row]): reported.value
        for cell in cells_of(f"{dataset}_dlsm")
        for reported in cell.reported.values()
    }
    wanted = printed("2", dataset=dataset)
    assert shown == {(t, row, metric): v for (t, row, _, metric), v in wanted.items()}
    assert len(shown) == 33


def test_every_number_of_table_a4_stands_in_its_cell_three_columns_without_a_lambda():
    shown = {}
    for cell in cells_of("dlsm_lambda"):
        for reported in cell.reported.values():
            column = reported.source.removeprefix("Table A4, column ")
            shown["A4", "dlsm", f"lambda column {column} of 4", METRICS[cell.row]] = reported.value
            assert cell.column == ("lambda = 1" if column == "2" else reported.source)
            assert cell.is_measured == (column == "2")
    assert shown == printed("A4") and len(shown) == 24


def test_every_number_of_table_a5_stands_in_its_cell():
    shown = {}
    for cell in cells_of("dlsm_scaling"):
        method, alpha = cell.row.split(", alpha = ")
        at = f"alpha={float(alpha):.1f}"
        for reported in cell.reported.values():
            shown["A5", METHODS[method], at, METRICS[cell.column]] = reported.value
        assert cell.sample.scale == float(alpha)
        by_cross_entropy = isinstance(cell.sample.classifier.train.objective, CrossEntropy)
        assert by_cross_entropy == (method == "base")
    assert shown == printed("A5") and len(shown) == 120


def test_every_number_of_tables_1_and_a3_stands_in_its_cell():
    shown = {}
    for cell in cells_of("moons_score_mismatch"):
        measure, label = cell.row.split(", class ")
        for quantity, reported in cell.reported.items():
            metric = measure
            if measure == "score errors":
                assert quantity.endswith(f" class {label}")
                metric = f"score_error_{'posterior' if quantity[2] == 'P' else 'likelihood'}"
            table = reported.source.removeprefix("Table ")
            shown[table, METHODS[cell.column], f"class {label}", metric] = reported.value
        assert cell.is_measured
    # Table A3 repeats base and ours of Table 1 as "ce" and "total".
    wanted = printed("1") | {k: v for k, v in printed("A3").items() if k[1] == "dlsm_only"}
    assert shown == wanted and len(shown) == 42


def test_the_moons_have_the_settings_of_the_authors_code():
    at = find_study("moons_score_mismatch").settings("paper")
    rates = (at.score_optimizer, at.classifier_optimizer, at.dlsm_optimizer)
    assert [adam.learning_rate for adam in rates] == [6.5e-4, 1e-5, 2e-5]
    assert (at.batch_size, at.iterations, at.width, at.k) == (4000, 40_000, 16, 5)
    levels = at.schedule
    assert (levels.sigma_1, levels.sigma_L, levels.n_levels) == (10, 1e-3, 1000)
    assert at.sigma == at.sampler.sigma == 7.5 and at.sigma_entries == ("late",)
    assert at.total == MOONS_DLSM and at.n_points == at.points.n == 10_000 and at.alpha == 10


def test_the_moons_methods_are_what_their_columns_say():
    objectives = {
        "base": (CrossEntropy(), 1e-5), "scaling": (CrossEntropy(), 1e-5),
        "DLSM' alone": (MOONS_DLSM.replace(lambda_=0.0), 2e-5), "ours": (MOONS_DLSM, 1e-5),
    }  # fmt: skip
    seen = set()
    for cell in cells_of("moons_score_mismatch"):
        if cell.column == "oracle":
            continue
        label = int(cell.row[-1]) - 1
        sampled = None if isinstance(cell.job, ScoreErrors) else cell.job.sample
        models = cell.job.models if sampled is None else (sampled.model,)
        for number, model in enumerate(models):
            train = model.train
            whole = cell.column != "posterior SM"
            own = label if sampled else number
            assert train.data == (Moons() if whole else OneClass(of=Moons(), label=own))
            assert train.objective == Dsm(sigma_power=4.0) and model.iteration == 40_000
            assert train.optimizer.learning_rate == 6.5e-4 and train.network.data_scale is None
        of = cell.job if sampled is None else sampled
        if cell.column == "posterior SM":
            assert getattr(of, "classifier", None) is None
        else:
            guide = of.classifier
            objective, rate = objectives[cell.column]
            assert guide.train.objective == objective and guide.iteration == 40_000
            assert guide.train.optimizer.learning_rate == rate
            assert guide.train.score == (models[0] if objective.reads_score else None)
            assert of.scale == (10 if cell.column == "scaling" else 1)
            if sampled:
                assert sampled.label == label
        seen.add((cell.row, cell.column))
    assert len(seen) == 2 * 3 * 5  # classes; errors, precision, recall; methods


def test_moons_stopped_early_say_so():
    module = find_study("moons_score_mismatch")
    at = module.settings("paper")
    said = "every training was stopped after 10,000 iterations; the paper's numbers are for 40,000"
    assert said in module.study("paper", at.replace(iterations=10_000)).notes
    whole = module.study("paper", at).notes
    assert not any("stopped" in note for note in whole)
    assert sum(".150" in note or ".013" in note for note in whole) == 2
    # Numbers that hold only at the paper's noise level are not shown at other levels.
    elsewhere = at.replace(sigma=5.0, sampler=at.sampler.replace(sigma=5.0))
    notes = module.study("paper", elsewhere).notes
    assert not any(".150" in note or ".013" in note for note in notes)
    assert "the paper's numbers are for sigma = 7.5" in notes


def test_over_seeds_the_moons_show_the_fair_networks_too():
    module = find_study("moons_score_mismatch")
    at = module.settings("paper").replace(seeds=5)
    made = module.study("paper", at)
    for section, scale in (("", None), ("sigma at the input", 20.0)):
        (cell,) = [
            c for c in made.cells
            if c.section == section and c.column == "ours" and isinstance(c.job, ScoreErrors)
            and c.row.startswith("score errors, class 1")
        ]  # fmt: skip
        jobs = (cell.job, *cell.repeats)
        assert [job.classifier.train.seed for job in jobs] == [0, 1, 2, 3, 4]
        assert {job.models[0].train.network.data_scale for job in jobs} == {scale}
        assert {job.classifier.train.network.data_scale for job in jobs} == {scale}
    early = {curve.label: min(curve.points) for curve in made.curves}
    assert len(early) == 6 and set(early.values()) == {250}  # cross entropy peaks near 1,000


@pytest.mark.parametrize("name", ["moons_score_mismatch", "cifar10_dlsm"])
def test_of_another_factor_the_paper_has_no_numbers_of_scaling(name):
    module = find_study(name)
    other = module.study("paper", module.settings("paper").replace(alpha=5.0))
    for ours, at_ten in zip(other.cells, cells_of(name), strict=True):
        assert ours.reported == ({} if ours.column == "scaling" else at_ten.reported)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_methods_of_table_2_are_what_their_columns_say(dataset):
    wanted = {
        "base": (CrossEntropy(), 1), "scaling": (CrossEntropy(), 10), "ours": (CIFAR_DLSM, 1),
    }  # fmt: skip
    for cell in cells_of(f"{dataset}_dlsm"):
        sample = cell.sample or cell.job.sample
        train = sample.classifier.train
        assert (train.objective, sample.scale) == wanted[cell.column]
        assert sample.model.train.network == NcsnPp(n_blocks=8)
        assert train.score == (sample.model if cell.column == "ours" else None)
        assert train.data == sample.model.train.data


def test_a_column_of_table_a4_is_trained_with_its_lambda():
    columns = {
        c.column: c.sample.classifier.train.objective
        for c in cells_of("dlsm_lambda") if c.is_measured
    }  # fmt: skip
    assert len(columns) == 4 and all(
        objective == CIFAR_DLSM.replace(lambda_=float(column.removeprefix("lambda = ")))
        for column, objective in columns.items()
    )


@pytest.mark.parametrize(("name", "depth", "warmup"), [("cifar10", 18, 0), ("cifar100", 34, 1000)])
def test_the_images_have_the_settings_of_the_authors_code(name, depth, warmup):
    at = find_study(f"{name}_dlsm").settings("paper")
    assert at.train.data.name == name and at.classifier.depth == depth
    assert (at.train.batch_size, at.iteration, at.ema, at.train.flips) == (
        128, 950_001, 0.999, True,
    )  # fmt: skip
    adam = at.train.optimizer
    assert (adam.learning_rate, adam.warmup, adam.clip) == (2e-4, 5000, 1.0)
    adam = at.classifier_optimizer
    assert (adam.learning_rate, adam.warmup, adam.clip) == (2e-4, warmup, 1.0)
    assert (at.classifier_batch_size, at.classifier_iterations) == (150, 60_000)
    assert (at.train.schedule.sigma_1, at.train.schedule.n_levels) == (50, 1000)
    assert (at.sampler.n_steps, at.sampler.snr, at.sampler.first) == (1000, 0.16, "corrector")
    assert (at.n_images, at.n_real, at.k, at.n_splits, at.alpha) == (50_000, 50_000, 3, 1, 10)
    assert at.total == CIFAR_DLSM
    assert at.protocol("is").n_splits == 1
