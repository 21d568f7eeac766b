"""What made a study's results: code, packages, data; noted in the store at each launch.

The keys of results say which settings they have, not which commit computed them. A launch that does
work notes that here, beside digests of the data it read: the launches of a study, each kind once.
"""

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from torch import Tensor

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
    """A launch that did work.

    Attributes:
        commit: of the code, with "+changes" if files differ from it; None if it is no checkout.
        packages: versions of the packages that results rest on.
        data: digests of the data read, by name of the set.
        python: its version and platform.
        date: when it began, ISO 8601, UTC.
    """

    commit: str | None
    packages: Mapping[str, str]
    data: Mapping[str, str]
    python: str
    date: str


def note_launch(store: Documents, name: str, data: Mapping[str, str]) -> None:
    """Notes a launch of a study that begins now.

    Args:
        store: the study's store.
        name: the study's, with its scale.
        data: digests of the data read, by name of the set.
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
    """The launches of a study that did work, each kind once, the first first."""
    return [Launch(**body) for body in store.document(_FOLDER, name) or []]


def commit_of(folder: Path) -> str | None:
    """The commit that a folder is checked out at, or None: no checkout, or no git here."""

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


def digest_of(*tensors: Tensor) -> str:
    """SHA-256 of tensors' shapes, types and values, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.shape} {array.dtype.str}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
