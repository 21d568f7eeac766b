"""Tests of answers: two sentences that compare only numbers of equal protocols."""

import dataclasses
import random
import re

import pytest

from dashboards.results.cells import read_study
from dashboards.results.comparisons import comparisons
from dashboards.text.answers import answer
from studies.registry import STUDIES, find_study
from tests.dashboards.seeds import measured
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import RealScore
from tuning.store.store import Store


def study_view(name, store):
    """Returns a view of a study without any results."""
    module = find_study(name)
    study = module.study("demo", module.settings("demo"))
    return read_study(Scheduler(study, store), store)


def filled(shown, number, *, seeds=1, spread=None):
    """Returns the view with `number(cell, quantity)` in each measured cell (None: no value)."""
    cells = []
    for cell in shown.cells:
        found = {q: number(cell.cell, q) for q in cell.cell.quantities if cell.cell.is_measured}
        known = {q: measured(v, spread, seeds) for q, v in found.items() if v is not None}
        cells.append(dataclasses.replace(cell, measured=known))
    return dataclasses.replace(shown, cells=tuple(cells))


def place(shown, cell):
    return next(i for i, other in enumerate(shown.cells) if other.cell is cell)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_two_sentences_however_far_it_is(name, store):
    shown, chance = study_view(name, store), random.Random(0)
    for share in (0.1, 0.5, 0.9, 1.0):
        numbers = filled(
            shown, lambda *_, s=share: chance.random() if chance.random() < s else None
        )
        first, second = answer(numbers)
        assert first.endswith(".") and second.endswith(".") and first != second
        measured = [cell for cell in numbers.cells if cell.cell.is_measured]
        done = sum(bool(cell.measured) for cell in measured)
        says = f"{done} of {len(measured)} cells are measured: "
        assert first.startswith(says) == (0 < done < len(measured)), first


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_set_against_what_was_measured_otherwise_or_is_real(name, store):
    shown = study_view(name, store)
    numbers = filled(shown, lambda cell, _: place(shown, cell) + 0.5)
    done = [cell for cell in numbers.cells if cell.measured]
    for comparison in comparisons(done):
        cells = [cell.cell for cell in comparison.ranked.values()]
        assert len({cell.protocol for cell in cells}) == 1
        assert len({cell.row for cell in cells}) == 1 or cells[0].protocol is not None
        assert not any(isinstance(cell.job, RealScore) for cell in cells)
        values = [cell.measured[comparison.quantity].mean for cell in comparison.ranked.values()]
        protocol = cells[0].protocol
        assert values in (sorted(values), sorted(values, reverse=True))
        if protocol is not None:
            assert (values[0] < values[1]) == protocol.lower_is_better


def test_the_best_cell_is_named_with_how_surely_it_is(store):
    shown = study_view("cifar_sampling_eps", store)

    def first(value, **how):
        return answer(filled(shown, lambda cell, _: value[place(shown, cell) == 4], **how))[0]

    start = r"Consistent \(n_sigma = 1\), non-adversarial has the best fd\[digits-cnn\] after "
    start += r"denoising: 5( ±\d\S*)?, against [59]( ±\d\S*)? for .*; "
    single = r"with a single seed, the difference may be chance\."
    assert re.fullmatch(start + single, first((9.0, 5.0)))
    surely = first((9.0, 5.0), seeds=5, spread=0.1)
    assert ": 5 ±0.1, against 9 ±0.1 for " in surely
    assert re.fullmatch(start + r"the difference exceeds the noise between seeds\.", surely)
    unsure = first((9.0, 5.0), seeds=5, spread=4.0)
    assert re.fullmatch(start + r"the difference is within the noise between seeds\.", unsure)
    level = first((5.00001, 5.0), seeds=5, spread=0.1)
    assert re.fullmatch(start + r"the two are equal\.", level)


def test_several_measures_are_counted_each_in_its_own_direction(store):
    shown = study_view("cifar10_dlsm", store)
    of_column = {"base": 2.0, "scaling": 3.0, "ours": 1.0}
    first, second = answer(filled(shown, lambda cell, _: of_column[cell.column]))
    # Ours has the lowest values. Of eleven measures, low is better only for the distance.
    start = "Of 11 measures, compared by their means, "
    assert first.startswith(f"{start}scaling is best in 10 and ours is best in 1; ")
    assert second == (
        "Compared by the means, ours is better than base in 1, worse in 10 and equal to four "
        "digits in 0 of 11 comparisons."
    )
    level = answer(filled(shown, lambda *_: 1.0))
    assert level[0].startswith(f"{start}the best two are equal to four digits in 11;")
    assert level[1].endswith("in 0, worse in 0 and equal to four digits in 11 of 11 comparisons.")


def test_denoising_is_judged_by_each_measures_direction(store):
    shown = study_view("inception_score", store)
    _, second = answer(filled(shown, lambda _, q: {"raw": 2.0, "denoised": 1.0}[q]))
    assert second == (
        "Denoising the images improves fd[digits-cnn] in 4 of 4 cells and is[digits-cnn] in 0 of "
        "4 cells."
    )
    # Two data sets: each is compared with its own baseline, and there is no common median.
    shown = study_view("synthetic_2d", store)
    _, second = answer(filled(shown, lambda _, q: {"raw": 2.0, "denoised": 1.0}[q]))
    assert second == "Denoising the images improves distance in 2 of 2 cells."


def test_shares_are_set_against_equal_ones(store):
    shown = study_view("mnist_initial_noise", store)
    columns = list(dict.fromkeys(c.cell.column for c in shown.cells))[:3]

    def number(cell, quantity):
        if quantity == "reaching":
            return float(columns.index(cell.column) + 3)
        return 0.1 if cell.row != "digit 4" else 0.25

    first, second = answer(filled(shown, number))
    few, many, data = columns
    assert first == (
        f"The equal share is in the 95 % interval of 3 ({few}), 4 ({many}) and 5 ({data}) classes."
    )
    assert second.startswith(f"The shares of single classes lie between 10.0% and 25.0% ({few}), ")


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("noise_consistency", ("After L, the standard deviation of the noise in x is 0.6941 for "
                               "ALS (n_sigma = 1), ",
                               "between 1 (CAS) and 69.4 (ALS (n_sigma = 1)).")),
        ("likelihood_renormalisation", (" 0 at alpha = 1, ", "They differ most at alpha = 10: ")),
    ],
)  # fmt: skip
def test_exact_studies_say_what_they_show(name, sentences, tmp_path):
    store = Store(str(tmp_path / "exact"), create=True)
    module = find_study(name)
    study = module.study("demo", module.settings("demo"))
    drain(study, store)
    found = answer(read_study(Scheduler(study, store), store))
    for sentence, part in zip(found, sentences, strict=True):
        assert part in sentence
