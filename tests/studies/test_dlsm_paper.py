"""The DLSM paper at paper scale: its numbers stand in their own cells, its settings are set."""

import pytest

from scorelib.losses import CIFAR_DLSM, MOONS_DLSM, CrossEntropy
from studies.registry import find_study
from studies.reported import _rows

METRICS = {
    "Frechet distance": "fid", "Inception score": "is", "CAS": "cas", "precision": "precision",
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
    """The numbers of some tables by their place, as they are printed."""
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
        assert cell.is_measured or cell.column == "oracle"
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
    assert at.sigma == at.sampler.sigma == 7.5 and at.sigma_enters == ("late",)
    assert at.total == MOONS_DLSM and at.n_points == at.points.n == 10_000 and at.alpha == 10


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
