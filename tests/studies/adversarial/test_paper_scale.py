"""Tests of the paper scale of "Adversarial score matching": reported numbers, shared images."""

import pytest

from scorelib.data import Digits
from studies.registry import STUDIES, find_study
from studies.reported import _rows
from tests.studies.miniatures import miniature


def test_all_numbers_of_the_papers_tables_stand_beside_ours():
    held = {name: find_study(name) for name in STUDIES}
    reported = [
        (result.source.removeprefix("Table "), quantity, result.value)
        for name in ("cifar_sampling_eps", "church_sampling_eps", "cifar_unet_sampling_eps")
        for cell in held[name].study("paper", held[name].settings("paper")).cells
        for quantity, result in cell.reported.items()
    ]
    rows = [
        ("Section 6.1" if row["table"] == "text-6.1" else row["table"],
         "denoised" if row["metric"].endswith("denoised") else "raw", float(row["value"]))
        for row in _rows()
        if row["paper"] == "acsm" and row["table"] in ("1", "2", "3", "text-6.1")
    ]  # fmt: skip
    assert sorted(reported) == sorted(rows) and len(rows) == 50


def test_the_papers_kl_of_stacked_mnist_is_corrected_and_said_to_be():
    made = miniature("stacked_mnist_modes")
    by_name = {cell.name: cell for cell in made.cells}
    for row, printed, corrected in (
        ("non-adversarial DSM", 1.36, 0.053),
        ("adversarial DSM", 1.49, 0.121),
    ):
        assert by_name[f"{row}, KL"].reported["raw"].value == corrected
        assert "inference" in by_name[f"{row}, KL"].reported["raw"].source
        assert by_name[f"{row}, KL as printed"].reported["raw"].value == printed
    assert any("inference" in note for note in made.notes)
    assert by_name["DCGAN, modes"].reported["raw"].value == 99


@pytest.mark.parametrize(
    ("n_images", "modes", "kl"),
    [(200, "181.2", "1.743"), (1000, "630.7", "0.576"), (26_000, "1,000", "0.024")],
)
def test_the_notes_give_the_numbers_of_as_many_perfect_stacks_of_mnist(n_images, modes, kl):
    module = find_study("stacked_mnist_modes")
    made = module.study("paper", module.settings("paper").replace(n_images=n_images))
    perfect = {note.split()[0]: note for note in made.notes if "perfect stacks" in note}
    assert perfect.keys() == {f"{n_images:,}", "5,000"}  # those of the cells and of the search
    note = perfect[f"{n_images:,}"]
    assert f"hit {modes} of 1,000 modes (95% of such samples: " in note
    assert f"a KL of {kl} (" in note and note.endswith("as frequent as in stacked-mnist")


def test_modes_of_data_with_unknown_shares_are_taken_to_be_equally_frequent(monkeypatch):
    monkeypatch.setattr(Digits, "class_shares", None)
    module = find_study("stacked_mnist_modes")
    made = module.study("demo", module.settings("demo").replace(n_images=200))
    (note,) = [note for note in made.notes if note.startswith("200 perfect stacks")]
    assert "hit 181.4 of" in note and "KL of 1.742 (" in note
    assert note.endswith("if the modes are equally frequent")


def test_the_inception_score_rests_on_table_1s_own_images():
    settings = find_study("inception_score").settings("demo")
    own = find_study("inception_score").study("demo", settings)
    table = find_study("cifar_sampling_eps").study("demo", settings)
    assert {s.space.key for s in own.searches} == {s.space.key for s in table.searches}
    best = table.searches[1].space.score({"epsilon": 0.01})
    chunks = {chunk for cell in own.cells[:2] for s in cell.jobs(best) for chunk in s.chunks()}
    assert chunks == {chunk for s in table.cells[0].jobs(best) for chunk in s.chunks()}
