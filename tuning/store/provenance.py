"""Records the provenance of a study's results: the code, packages and data of each launch.

A launch is one start of ``python -m studies.run``. The key of a result identifies the settings, but
not the commit that computed the result. Each launch that runs jobs therefore writes its commit, its
package versions and the digests of its data to the store. Launches that differ only in their date
are recorded once.
"""

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


@dataclass(frozen=True)
class Launch:
    """A launch of a study that ran jobs.

    Attributes:
        commit: commit of the code, with "+changes" if tracked files differ from it; None if the
            code is not in a git checkout.
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


def note_launch(store: Documents, name: str, data: Mapping[str, str]) -> None:
    """Records in the store that a launch of a study begins now.

    Nothing is written if a recorded launch differs only in its date. The store keeps the 20 latest
    records of a study.

    Args:
        store: store of the study.
        name: name of the study with its scale, as in `Study.id`.
        data: digests of the data that were read, by name of the data set.
    """
    launch = Launch(
        commit=commit_of(Path(__file__).parent),
        packages={name: found for name in PACKAGES if (found := _version(name))},
        data=dict(data),
        python=f"{platform.python_version()} on {platform.platform(terse=True)}",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    alike = [asdict(known) | {"date": ""} for known in launches(store, name)]
    if asdict(launch) | {"date": ""} not in alike:
        kept = [asdict(known) for known in launches(store, name)][1 - _KEPT :]
        store.put_document(_FOLDER, name, [*kept, asdict(launch)])


def launches(store: Documents, name: str) -> list[Launch]:
    """Returns the recorded launches of a study, in order of their first appearance."""
    return [Launch(**body) for body in store.document(_FOLDER, name) or []]


def commit_of(folder: Path) -> str | None:
    """Returns the git commit of a folder; None outside a checkout or without an installed git.

    Args:
        folder: any folder in the checkout.

    Returns:
        40 hexadecimal digits, followed by "+changes" if tracked files have changed.
    """

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments],
                capture_output=True, text=True, timeout=_GIT_SECONDS, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
