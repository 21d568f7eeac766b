"""Tests of labels, paths and numbers of a user's study in two Unicode forms of the same letters."""

import unicodedata
from dataclasses import dataclass
from typing import ClassVar

import pytest

from scorelib.errors import InputError
from scorelib.spec import Spec
from tuning.cells import Cell, Search
from tuning.claims import Claim, Pair, Place
from tuning.jobs import Job, Stage
from tuning.spaces import Objective, OneOf, SweepSpace
from tuning.spaces.trial import Result
from tuning.study import Study

COMPOSED, APART = "caf\u00e9", "cafe\u0301"
PATH = unicodedata.normalize("NFD", "inner.gr\u00f6\u00dfe")


@dataclass(frozen=True, kw_only=True)
class Inner(Spec):
    KIND = "InnerOfUnicodeLabels"

    größe: int = 1


@dataclass(frozen=True, kw_only=True)
class Café(Job):
    KIND = "JobOfUnicodeLabels"
    STAGE: ClassVar[Stage] = Stage("cafe", 5, "score")
    lower_is_better: ClassVar[bool | None] = True

    inner: Inner = Inner()
    seed: int = 0

    def title(self):
        return "a job"

    def run(self, at):
        raise NotImplementedError


def search(name="search", path=PATH):
    space = SweepSpace(
        template=Café(),
        parameters=(OneOf(name="size", path=path, values=(1, 2)),),
        round_size=1,
        objectives=(Objective(name=APART, number=APART, lower=True),),
        seed_path="",
        strategy="grid",
    )
    return Search(name=name, space=space, n_trials=2, starts=())


def cell(row=COMPOSED, column="x", job=None):
    return Cell(row=row, column=column, job=job or Café(), quantities=("value",))


def test_a_parameter_sets_the_field_of_its_letters():
    space = search().space
    assert [space.score({"size": value}).inner.größe for value in (1, 2)] == [1, 2]
    with pytest.raises(InputError, match="is not a field"):
        search(path="inner.grosse")


def test_a_number_of_a_result_is_found_by_its_letters():
    result = Result({COMPOSED: 1.5, "raw": 2.0})
    assert (result.of(APART), result.of("raw"), result.of("cafe")) == (1.5, 2.0, None)


@pytest.mark.parametrize("what", ["rows", "columns", "searches"])
def test_labels_that_look_the_same_are_refused_in_words(what):
    given = {
        "rows": {"cells": (cell(row=COMPOSED), cell(row="cafe"), cell(row=APART))},
        "columns": {"cells": (cell(column=COMPOSED), cell(column=APART))},
        "searches": {"cells": (), "searches": (search(COMPOSED), search(APART))},
    }
    with pytest.raises(InputError, match=f"the {what} must have different letters") as refusal:
        Study(**given[what])
    assert r"'caf\xe9' and 'cafe\u0301' are the same letters" in str(refusal.value)


def test_a_claim_about_a_number_in_the_other_form_is_refused_in_words():
    places = [Place(COMPOSED, "x", "value"), Place(APART, "x", "value")]
    claim = Claim("it is so", "Table 1", (Pair(*places),))
    with pytest.raises(InputError, match="has the same letters in another Unicode form than"):
        Study(cells=(cell(),), claims=(claim,))
    with pytest.raises(InputError) as refusal:
        Study(cells=(cell(row="tea"),), claims=(claim,))
    assert "letters" not in str(refusal.value)
