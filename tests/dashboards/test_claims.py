"""Tests of the claims of all studies: the papers' own numbers, the command, the findings."""

import hashlib
import re
from pathlib import Path

import pytest

from dashboards.claims import MARKS, as_csv, as_markdown, between_marks, main, read_csv
from dashboards.results.cells import CellView, Measured, StudyView
from dashboards.results.claims import judged_claims
from studies.registry import STUDIES, find_study
from tests.dashboards.test_compare import run_exact
from tests.studies.whole_studies import whole_study

DOCS = Path(__file__).parents[2] / "docs"
LEAST_SEEDS = 3

UNET, DIVERSITY, A5 = "Section 6.1, Table 3", "Section 6.2, Table 4", "Table A5"
DISAGREEING = {
    # The paper's own sentence says "always", but of one pair its Table 3 says the opposite.
    ("cifar_unet_sampling_eps", "denoising lowers the distance", UNET): (7, 8),
    ("uncurated_samples", "denoising lowers the distance", UNET): (7, 8),
    # Section 6.2 concludes from equal numbers of modes; the KL is 1.36 and 1.49.
    ("stacked_mnist_modes", "adversarial training does not hurt diversity: KL", DIVERSITY): (0, 1),
    # Class-wise recall on CIFAR-100 is equal to two digits.
    ("cifar100_dlsm", "DLSM is better than base class by class", "Section 5.2, Table 2"): (3, 4),
    # From alpha = .5 to 1, and from 10 to 20, some numbers stay or go the other way.
    ("dlsm_scaling", "precision and density rise with alpha", A5): (18, 20),
    ("dlsm_scaling", "recall and coverage fall as alpha grows", A5): (17, 20),
    ("dlsm_scaling", "the distance rises with alpha", A5): (9, 10),
}
"""Claims with which some of the paper's own numbers disagree: how many agree, and of how many."""


@pytest.mark.parametrize("name", STUDIES)
def test_the_papers_own_numbers_agree_with_their_claims(name):
    # A wrong direction, row or column of a claim would show here.
    module = find_study(name)
    study = module.study("paper", module.settings("paper"))
    cells = []
    for cell in study.cells:
        known = {q: Measured((of.value,)) for q, of in cell.reported.items()}
        cells.append(CellView(cell, measured=known if cell.is_measured else {}))
    found, expected = {}, {}
    for one in judged_claims(StudyView(study, tuple(cells), (), {})):
        at = name, one.claim.text, one.claim.source
        found[at] = one.n_papers_agreeing, one.n_papers
        expected[at] = DISAGREEING.get(at, (one.n_papers, one.n_papers))
    assert found == expected


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims") / "exact"
    run_exact(folder)
    return folder


def digests(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_all_studies_of_a_store_are_judged_and_nothing_is_written(store, capsys):
    before = digests(store)
    assert main(["--store", str(store)]) == 0
    out = capsys.readouterr().out
    row = "| `noise_consistency` | the noise of ALS stays above that of CAS (Section 3.1, "
    assert row in out and '"shows" for 2, "does not show" for 0' in out
    assert "`noise_consistency`" not in out.partition("Not run: ")[2]
    assert "`synthetic_2d`" in out.partition("Not run: ")[2]
    assert digests(store) == before


def test_the_csv_can_be_read_again(store, tmp_path, capsys):
    file, again = tmp_path / "claims.csv", tmp_path / "again.csv"
    assert main(["--store", str(store), "--format", "csv", "-o", str(file)]) == 0
    assert main(["--csv", str(file), "--format", "csv", "-o", str(again)]) == 0
    assert again.read_text() == file.read_text() and file.read_text().count("\n") == 3
    capsys.readouterr()
    # What is in the CSV counts, and is not read again from a store.
    changed = file.read_text().replace("shows", "does not show", 1)
    file.write_text(changed)
    assert main(["--csv", str(file), "--store", str(store), "--format", "csv"]) == 0
    assert capsys.readouterr().out == changed
    assert main(["--store", str(store)]) == 0
    assert capsys.readouterr().out == as_markdown(read_csv(again))


def test_in_a_file_with_marks_only_what_is_between_is_replaced(store, tmp_path):
    page = tmp_path / "page.md"
    start, end = MARKS
    page.write_text(f"before\n\n{start}\nold\n{end}\n\nafter\n")
    for _ in range(2):  # a second time changes nothing
        assert main(["--store", str(store), "-o", str(page)]) == 0
        text = page.read_text()
        assert text.startswith(f"before\n\n{start}\nClaims: ") and "old" not in text
        assert text.endswith(f".\n{end}\n\nafter\n")
    assert between_marks(f"{end}\n{start}\n", "new\n") == "new\n"


def test_claims_of_fewer_seeds_are_listed_as_not_run():
    numbers = read_csv(DOCS / "claims.csv")
    few = numbers.assign(n_seeds=2)
    text = as_markdown(few, LEAST_SEEDS)
    exact = set(numbers[numbers["is_exact"]]["study"])
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == exact
    listed = text.partition("Not run with at least 3 seeds: ")[2]
    assert set(numbers["study"]) - exact <= set(re.findall(r"`(\w+)`", listed))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--store", "nowhere"], "nowhere"),
        (["--store", ""], "store must not be empty"),
        (["--csv", "nowhere.csv"], "the CSV must be readable, but nowhere.csv"),
        (["--csv", "other.csv"], "must have the columns that --format csv writes, but other.csv"),
        (["--csv", "ours.csv", "-o", "no/such/file"], "-o must be a writable text file"),
        (["--csv", "ours.csv", "-o", "binary"], "-o must be a writable text file, but binary"),
    ],
)
def test_what_cannot_be_read_or_written_is_refused_in_one_line(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("ours.csv").write_text((DOCS / "claims.csv").read_text())
    Path("binary").write_bytes(b"\xff\xfe\x00")
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert Path("binary").read_bytes() == b"\xff\xfe\x00"


def test_the_findings_show_what_the_csv_says_and_the_studies_claim():
    numbers, page = read_csv(DOCS / "claims.csv"), (DOCS / "findings.md").read_text()
    assert as_csv(numbers) == (DOCS / "claims.csv").read_text()
    block = page.partition(f"{MARKS[0]}\n")[2].partition(MARKS[1])[0]
    assert block == as_markdown(numbers, LEAST_SEEDS), (
        "docs/findings.md must show docs/claims.csv: run "
        f"python -m dashboards.claims --csv docs/claims.csv --least-seeds {LEAST_SEEDS} "
        "-o docs/findings.md"
    )
    assert ((numbers["n_seeds"] >= LEAST_SEEDS) | numbers["is_exact"]).all()
    for (name, scale), rows in numbers.groupby(["study", "scale"]):
        study = whole_study(name, scale)
        declared = [(claim.text, claim.source, len(claim.pairs)) for claim in study.claims]
        n_pairs = rows["n_pairs"] + rows["n_missing"]
        assert [*zip(rows["claim"], rows["source"], n_pairs, strict=True)] == declared, name
