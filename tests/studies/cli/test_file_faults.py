"""Tests of users' files that cannot be read: one line with the name, exit code 2, nothing written.

Devices fail and folders are closed for real (`tests.disks`).
"""

import re
from contextlib import nullcontext

import pytest
import torch
from PIL import Image

from dashboards.table import main as table
from scorelib.errors import InputError
from studies.api.results import Run
from studies.registry import find_study
from studies.run import main
from tests.disks import closed, fail
from tests.studies.own_study import TEXT
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import StoreReadError
from tuning.store.store import Store

EIO = "Input/output error|Invalid argument"
"""A store looks for the end of a file first, which a memory does not have."""
NAME = "cifar_sampling_eps"


def pictures(folder):
    folder.mkdir()
    for i in range(6):
        Image.effect_noise((8, 8), 50 + i).save(folder / f"{i}.png")
    return folder


def config(place):
    (place / "x.toml").write_text("seeds = 3\n")
    return place / "x.toml", lambda: main([NAME, "--config", str(place / "x.toml"), "--plan"])


def study(place):
    (place / "mine.py").write_text(TEXT)
    return place / "mine.py", lambda: main([str(place / "mine.py"), "--plan"])


def module(place):
    (place / "mine.py").write_text("x = 1\n")
    arguments = [NAME, "--module", str(place / "mine.py"), "--plan"]
    return place / "mine.py", lambda: main(arguments)


def images(place):
    folder = pictures(place / "cats")
    arguments = ["sampling_eps", "--set", f"images={folder}", "--plan"]
    return folder / "0.png", lambda: main(arguments)


def model(place):
    torch.save({"weight": torch.ones(2)}, place / "w.pth")
    given = [f"model={place}/w.pth", f"images={pictures(place / 'cats')}"]
    arguments = ["sampling_eps", "--plan", "--set", given[0], "--set", given[1]]
    return place / "w.pth", lambda: main(arguments)


def store(place):
    Store(str(place / "store"), create=True).put_document("studies", f"{NAME}-demo", {"spec": "x"})
    arguments = [NAME, "--store", str(place / "store")]
    return place / "store" / "studies" / f"{NAME}-demo.json", lambda: table(arguments)


def mark_of_a_store(place):
    Store(str(place / "store"), create=True)
    arguments = [NAME, "--store", str(place / "store")]
    return place / "store" / "store.json", lambda: main([*arguments, "--plan"])


@pytest.mark.parametrize("fault", ["fails", "closed", "folder closed", "cut"])
@pytest.mark.parametrize(
    "kind", [config, study, module, images, model, store, mark_of_a_store],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_line_with_its_name(
    tmp_path, monkeypatch, capsys, kind, fault
):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    file, run = kind(place)
    content = file.read_bytes()
    if fault == "fails":
        fail(file)
    elif fault == "cut":
        if kind in (study, module):
            content = b"def f(:\n"
        file.write_bytes(content[: len(content) // 2])
    broken = {"closed": file, "folder closed": file.parent}.get(fault)
    with closed(broken) if broken else nullcontext():
        assert run() == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("error: ") and "report it" not in printed.err
    assert file.name in printed.err or str(file.parent) in printed.err
    if fault in ("fails", "closed"):
        assert file.name in printed.err
        assert re.search(EIO if fault == "fails" else "Permission denied", printed.err)
        assert "fetch" not in printed.err
    assert list(tmp_path.iterdir()) == [place]


def test_results_and_checkpoints_on_a_failing_disk_are_named(tmp_path):
    store = Store(str(tmp_path / "store"), create=True)
    store.put_checkpoint("ab", "latest", b"state")
    store.commit("score", "cd", spec={}, result={}, cost={}, files={"numbers": b"1"})
    (numbers,) = (tmp_path / "store").glob("objects/score/cd/*/numbers")
    for file, read in (
        (tmp_path / "store/checkpoints/ab/latest", lambda: store.checkpoint("ab", "latest")),
        (numbers, lambda: store.read("score", "cd", "numbers")),
        (numbers.parents[1] / "manifest.json", lambda: store.manifest("score", "cd")),
    ):
        with closed(file), pytest.raises(StoreReadError, match="Permission denied") as caught:
            read()
        assert f"of {file.relative_to(tmp_path / 'store')} failed" in str(caught.value)
        fail(file)
        with pytest.raises(StoreReadError, match=EIO) as caught:
            read()
        assert f"of {file.relative_to(tmp_path / 'store')} failed" in str(caught.value)


COMPOSED, APART = "caf\u00e9", "cafe\u0301"


def test_files_in_another_unicode_form_are_pointed_at(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in (f"{COMPOSED}.toml", f"{COMPOSED}.pth", f"{COMPOSED}.py"):
        (tmp_path / name).write_text("x = 1\n")
    pictures(tmp_path / COMPOSED)
    for arguments in (
        [NAME, "--config", f"{APART}.toml"],
        [NAME, "--module", f"{APART}.py"],
        ["sampling_eps", "--set", f"images={tmp_path / APART}"],
        ["sampling_eps", "--set", f"images={tmp_path / COMPOSED}", "--set", f"model={APART}.pth"],
    ):
        assert main([*arguments, "--plan"]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        assert "there has the same letters in another Unicode form" in line, line


def test_studies_and_cells_are_found_in_both_forms(tmp_path):
    (tmp_path / f"{APART}_of_a_test.py").write_text(
        "from scorelib.data import Digits\n"
        "from tuning.stages import Snapshot\n"
        "from tuning.study import Cell, Study\n"
        "def study():\n"
        f"    return Study(cells=(Cell(row='{APART}', column='{COMPOSED}'),))\n"
    )
    definition = find_study(str(tmp_path / f"{APART}_of_a_test.py"))
    study = definition.study("demo", definition.settings("demo"))
    store = Store(str(tmp_path / "store"), create=True)
    run = Run(Scheduler(study, store), store)
    for typed in (COMPOSED, APART):
        assert find_study(f"{typed}_of_a_test").kind == definition.kind
        cell = run.cell(typed, typed)
        assert (cell.row, cell.column) == (APART, COMPOSED)
    with pytest.raises(InputError, match="the row must be one of"):
        run.cell("cafe", COMPOSED)
