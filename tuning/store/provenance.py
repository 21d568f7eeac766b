"""Records the provenance of a study's results: the code, packages and data of each launch.

A launch is one start of ``python -m studies.run``. The key of a result identifies the settings, but
not the commit that computed the result. Each launch that runs jobs therefore writes its commit, its
package versions and the digests of its data to the store. Launches that differ only in their date
are recorded once.
"""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tuning.store.documents import Documents

PACKAGES = (
    "torch", "torchvision", "ray", "optuna", "mlflow", "numpy", "scipy", "scikit-learn",
    "torch-fidelity",
)  # fmt: skip
_FOLDER = "launches"
_KEPT = 20
_GIT_SECONDS = 5
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_CODE = ("scorelib", "tuning", "studies", "dashboards")
_SOURCES = (".py", ".so", "/")  # "/": git lists a repository inside the checkout as a folder

UNKNOWN = "unknown"
"""The commit of code in a checkout that git cannot read, or whose git is not installed."""

UNKNOWN_CHANGES = " (changes unknown)"
"""The addition to a commit if git could not tell whether the files differ from the commit."""


@dataclass(frozen=True)
class Launch:
    """A launch of a study that ran jobs.

    Attributes:
        commit: commit of the code, as `commit_of` returns it; None if the code is not in a git
            checkout, as in an installed package. Launches of version 0.2 and older are without
            "+changes" also where modules were untracked or git took longer than five seconds.
        packages: versions of the packages that affect results, by package name.
        data: digests of the data that were read, by name of the data set.
        python: version of Python and the platform.
        date: time of the launch in UTC, in ISO 8601.
    """

    commit: str | None
    packages: Mapping[str, str]
    data: Mapping[str, str]
    python: str
    date: str


def note_launch(store: Documents, name: str, data: Mapping[str, str]) -> Launch:
    """Records in the store that a launch of a study begins now, and returns the record.

    Nothing is written if a recorded launch differs only in its date. The store keeps the 20 latest
    records of a study.

    Args:
        store: store of the study.
        name: name of the study with its scale, as in `Study.id`.
        data: digests of the data that were read, by name of the data set.
    """
    launch = Launch(
        commit=commit_of(*(Path(__file__).parents[2] / package for package in _CODE)),
        packages={name: found for name in PACKAGES if (found := _version(name))},
        data=dict(data),
        python=f"{platform.python_version()} on {platform.platform(terse=True)}",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    alike = [asdict(known) | {"date": ""} for known in launches(store, name)]
    if asdict(launch) | {"date": ""} not in alike:
        kept = [asdict(known) for known in launches(store, name)][1 - _KEPT :]
        store.put_document(_FOLDER, name, [*kept, asdict(launch)])
    return launch


def launches(store: Documents, name: str) -> list[Launch]:
    """Returns the recorded launches of a study, in order of their first appearance."""
    return [Launch(**body) for body in store.document(_FOLDER, name) or []]


def commit_of(*folders: Path) -> str | None:
    """Returns the git commit of folders of code, as far as git can tell.

    A checkout counts only if it tracks files of the folders. So a package that is installed in an
    environment inside the checkout of another project does not have that project's commit. A new
    module that git does not track counts as a change, even if git ignores the module.

    Args:
        folders: folders of the code, all in one checkout or in none.

    Returns:
        40 hexadecimal digits; followed by "+changes" if tracked files differ from the commit or the
        folders hold untracked modules; followed by `UNKNOWN_CHANGES` if git could not compare them
        within seconds, or was told to overlook changes of some files. `UNKNOWN` if there is a
        checkout but no git that can read it. None if there is no checkout of the folders.
    """
    folders = tuple(folder.resolve() for folder in folders)
    if not any((above / ".git").exists() for above in (folders[0], *folders[0].parents)):
        return None
    tracked = _git(folders, "ls-files", "-v", "--", *map(str, folders))
    if tracked == "":
        return None
    commit = _git(folders, "rev-parse", "HEAD")
    if tracked is None or commit is None:
        return UNKNOWN
    changed = _git(folders, "status", "--porcelain", "--untracked-files=no")
    others = _git(folders, "ls-files", "--others", "-z", "--", *map(str, folders))
    if changed or any(name.endswith(_SOURCES) for name in (others or "").split("\0")):
        return f"{commit}+changes"
    is_compared = changed is not None and others is not None and not _has_unseen(tracked)
    return commit if is_compared else commit + UNKNOWN_CHANGES


def _has_unseen(tracked: str) -> bool:
    """Returns whether git was told not to look for changes of some of the files that it lists.

    Git marks such files by a lower-case letter ("assume unchanged") or by S
    ("skip worktree").
    """
    return any(line[:1].islower() or line.startswith("S ") for line in tracked.splitlines())


def _git(folders: tuple[Path, ...], *arguments: str) -> str | None:
    """Returns the output of git in the first folder, or None if git fails or takes too long."""
    # Variables such as GIT_DIR, which git sets for hooks, would lead to another repository.
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    try:
        done = subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(folders[0]), *arguments],
            capture_output=True, text=True, errors="replace", timeout=_GIT_SECONDS, check=True,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
