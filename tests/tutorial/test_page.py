"""Tests that every snippet of two pages of ``docs`` works, with small sizes and in this process.

``make tutorial`` runs the snippets as they stand, from an installed wheel. Here the jobs run
without Ray, and then the commands of the page find them finished.
"""

import runpy
import shlex
import sys

import pytest

from scorelib import spec
from studies.cli.options import parser
from studies.cli.score_studies import main
from studies.opening import cli_common
from studies.opening.open_study import configured
from studies.registry import find_study
from tests.tuning.draining import drain
from tests.tutorial.page import DDPM, OWN, SIZES, file_of, snippets
from tuning import own_modules
from tuning.store.store import Store


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Follows the page; returns the folder, what each command printed, and the cells' names."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("user")
        patched.chdir(folder)
        patched.setattr(own_modules, "_LOADED", {})
        patched.setattr(sys, "path", list(sys.path))
        patched.setattr(cli_common, "_installed_names", False)
        yield folder, *follow(folder)
        sys.modules.pop("rings", None)
        for kind in [kind for kind in spec._KINDS if kind.startswith("rings:")]:
            del spec._KINDS[kind]


def follow(folder):
    names, codes = {}, {}
    for snippet in snippets(small=True):
        if snippet.kind == "file":
            (folder / snippet.name).write_text(snippet.text)
        for command in snippet.commands:
            program, *words = shlex.split(command.replace("$PWD", str(folder)))
            if program == "python":
                runpy.run_path(words[0], run_name="__main__")
                continue
            run_jobs(folder, words)
            codes[command] = main(words)
        if snippet.kind == "cell":
            exec(snippet.text, names)
    return codes, names


def run_jobs(folder, words):
    """Runs the jobs of a command in this process; workers of a Ray would run them else."""
    command, *arguments = words
    if command != "run":
        return
    args = parser().parse_args(arguments)
    settings = configured(args.name, args.scale, args.changes, args.config)
    study = find_study(args.name).study(args.scale, settings)
    drain(study, Store(str(folder / args.store), create=True), data_root=folder)


def test_every_command_of_the_page_succeeds(followed):
    folder, codes, _ = followed
    assert set(codes.values()) == {0} and len(codes) == 8
    for page in ("sampling_eps-demo.html", "sweep-demo.html"):
        assert (folder / page).stat().st_size > 10_000
    assert len(list((folder / "pictures").iterdir())) == 24


def test_the_cells_of_the_page_read_the_finished_study(followed):
    *_, names = followed
    assert names["run"].is_complete and names["cell"].samples(8).shape == (8, 3, 16, 16)


def test_own_components_and_the_sweep_are_measured(followed, capsys):
    assert main(["table", "rings.py", "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "fd[blur]" in printed and "ink" in printed and "nan" not in printed
    assert "width 4" in printed
    assert main(["table", "sweep", "--format", "csv"]) == 0
    assert "the best found" in capsys.readouterr().out


def test_a_ddpm_is_trained_saved_and_read(tmp_path, monkeypatch):
    """``make tutorial`` searches the step sizes too, and tests/studies/general samples a model."""
    monkeypatch.chdir(tmp_path)
    file, commands = snippets(DDPM, small=True)
    (tmp_path / file.name).write_text(file.text)
    train, search, table = map(shlex.split, commands.commands)
    runpy.run_path(train[1], run_name="__main__")
    args = parser().parse_args(search[2:])
    settings = configured(args.name, args.scale, args.changes)
    made = find_study(args.name).study(args.scale, settings)
    assert [cell.row for cell in made.cells] == ["ALS, n_sigma = 1", "CAS, n_sigma = 1"]
    assert settings.model.network.shape == (1, 8, 8) and table[2] == args.name


def test_own_components_are_at_most_sixty_lines_of_code():
    docstring, *code = [line for line in file_of("rings.py").splitlines() if line.strip()]
    assert docstring.startswith('"""') and docstring.endswith('"""') and len(code) <= 60


def test_the_page_is_as_long_as_five_minutes_allow():
    assert len(SIZES[OWN]) < 20 and len(snippets()) < 20
