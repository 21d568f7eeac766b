"""Tests of the commit that a launch notes: a clean commit is noted only where git says so."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tuning.store import provenance
from tuning.store.provenance import UNKNOWN, UNKNOWN_CHANGES, Launch, commit_of, launches

GIT = shutil.which("git")
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org")

pytestmark = pytest.mark.skipif(GIT is None, reason="git is not installed")


def git(folder, *arguments):
    done = subprocess.run([GIT, *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Returns a checkout with two committed packages and its commit."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "checkout"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        (root / name / "code.py").write_text("x = 1\n")
    (root / ".gitignore").write_text("__pycache__/\nprivate_*\n.venv/\n")
    git(root.parent, "init", "-q", str(root))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root, git(root, "rev-parse", "HEAD")


def found(root):
    return commit_of(root / "one", root / "two")


@pytest.mark.parametrize(
    "path",
    ["two/code.py", "two/new.py", "two/inner/new.py", "two/private_new.py", "two/fast.so",
     "two/clone/code.py"],
)  # fmt: skip
def test_changed_and_untracked_modules_are_changes(checkout, path):
    root, commit = checkout
    place = root / path
    place.parent.mkdir(exist_ok=True)
    place.write_text("x = 2\n")
    if "clone" in path:
        git(place.parent, "init", "-q")
        git(place.parent, "add", ".")
        git(place.parent, "commit", "-q", "-m", "its own")
    assert found(root) == f"{commit}+changes"


def test_files_that_are_no_code_of_the_packages_are_no_changes(checkout):
    root, commit = checkout
    (root / "two" / "__pycache__").mkdir()
    for path in ("two/__pycache__/code.cpython-311.pyc", "two/notes.txt", "scratch.py"):
        (root / path).write_text("x")
    assert found(root) == commit


@pytest.mark.parametrize("folder", [".venv/lib/site-packages", "vendor"])
def test_a_package_inside_the_checkout_of_another_project_has_no_commit(checkout, folder):
    root, _ = checkout
    for name in ("one", "two"):
        shutil.copytree(root / name, root / folder / name)
    assert found(root / folder) is None


def test_a_package_that_the_enclosing_checkout_tracks_has_its_commit(checkout):
    root, _ = checkout
    for name in ("one", "two"):
        shutil.copytree(root / name, root / "vendor" / name)
    git(root, "add", "vendor")
    git(root, "commit", "-q", "-m", "vendored")
    assert found(root / "vendor") == git(root, "rev-parse", "HEAD")


@pytest.mark.parametrize("slow", ["status", "--others"])
@pytest.mark.parametrize("fails", [subprocess.TimeoutExpired, subprocess.CalledProcessError])
def test_changes_that_git_cannot_tell_are_unknown(checkout, monkeypatch, slow, fails):
    root, commit = checkout
    run = subprocess.run

    def half_a_git(command, **given):
        assert given["timeout"] == 5
        if slow in command:
            raise fails(5, command)
        return run(command, **given)

    monkeypatch.setattr(provenance.subprocess, "run", half_a_git)
    assert found(root) == f"{commit}{UNKNOWN_CHANGES}"
    monkeypatch.setattr(provenance.subprocess, "run", run)
    (root / "two" / "code.py").write_text("x = 2\n")
    (root / "two" / "new.py").write_text("x = 2\n")
    monkeypatch.setattr(provenance.subprocess, "run", half_a_git)
    assert found(root) == f"{commit}+changes", "one of the two calls still tells"


@pytest.mark.parametrize("told", ["assume-unchanged", "skip-worktree"])
def test_changes_that_git_was_told_to_overlook_are_unknown(checkout, told):
    root, commit = checkout
    git(root, "update-index", f"--{told}", "two/code.py")
    (root / "two" / "code.py").write_text("x = 2\n")
    assert found(root) == f"{commit}{UNKNOWN_CHANGES}"
    git(root, "update-index", f"--no-{told}", "two/code.py")
    assert found(root) == f"{commit}+changes"


def test_a_checkout_that_git_cannot_read_is_unknown(checkout, tmp_path, monkeypatch):
    root, _ = checkout
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(tmp_path))
        assert found(root) == UNKNOWN
        assert commit_of(tmp_path) is None, "no checkout needs no git"
    (root / ".git" / "HEAD").unlink()
    assert found(root) == UNKNOWN


def test_variables_of_a_git_hook_lead_to_no_other_repository(checkout, tmp_path, monkeypatch):
    root, commit = checkout
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert found(root) == commit


def test_a_launch_notes_the_commit_of_all_four_packages(tmp_path, monkeypatch, store):
    asked = []
    monkeypatch.setattr(provenance, "commit_of", lambda *folders: asked.extend(folders))
    provenance.note_launch(store, "study-demo", {})
    root = Path(provenance.__file__).parents[2]
    assert asked == [root / name for name in ("scorelib", "tuning", "studies", "dashboards")]
    assert all(folder.is_dir() for folder in asked)


def test_launches_noted_by_version_0_2_are_read(store):
    body = {
        "commit": "3" * 40, "packages": {"torch": "2.14.0"}, "data": {"digits": "a" * 64},
        "python": "3.11.2 on Linux", "date": "2026-11-28T12:00:00+00:00",
    }  # fmt: skip
    store.put_document("launches", "study-demo", [body, body | {"commit": None}])
    assert launches(store, "study-demo") == [Launch(**body), Launch(**body | {"commit": None})]
