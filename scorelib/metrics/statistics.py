"""Published statistics of a reference: the mean and the covariance of its features, in a file.

Files of pytorch-fid, TTUR, clean-fid, EDM and OpenAI hold ``mu``, (d,), and ``sigma``, (d, d), in
an ``.npz``. They say neither from which features nor with which resizing they were made, so a
distance to them is right only with the extractor and the resizing of those who made them. The name
of the file and the digest of its content are part of the protocol.
"""

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from scorelib.errors import InputError, require_input
from scorelib.metrics.features import Extractor
from scorelib.metrics.frechet import Moments
from scorelib.spec import Spec

MEAN, COVARIANCE = "mu", "sigma"
_TOLERANCE = 1e-6
"""Largest asymmetry, and most negative eigenvalue, relative to the largest entry and eigenvalue:
above the rounding of statistics in single precision."""


@dataclass(frozen=True, kw_only=True)
class Statistics(Spec):
    """The mean and covariance of the features of a reference, in a file; use `of` to create it.

    Attributes:
        name: name of the file, without its suffix.
        sha256: SHA-256 sum of the file, 64 hexadecimal digits.
        n_features: dimension of the features.
    """

    KIND = "Statistics"

    name: str
    sha256: str
    n_features: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Creates the spec of the statistics in a file, after checking them.

        Raises:
            InputError: the file cannot be read, or does not hold a mean and a covariance.
        """
        content = _content(path)
        mean, _ = _checked(path, content)
        return cls(name=path.stem, sha256=hashlib.sha256(content).hexdigest(), n_features=len(mean))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image of the reference: (), since the file does not tell it."""
        return ()

    def require_features_of(self, extractor: Extractor) -> None:
        """Raises InputError if an extractor has another number of features."""
        if extractor.n_features != self.n_features:
            raise InputError(
                f"the statistics {self.name} must be of the {extractor.n_features:,} features of "
                f"{extractor.name}, but are of {self.n_features:,}: take the extractor and the "
                "statistics of one program",
                "reference",
                "extractor",
            )

    def are_at(self, path: Path) -> bool:
        """Returns whether a path is a file of this content."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False

    def moments(self, path: Path) -> Moments:
        """Returns the mean and covariance in a file, with 0 as their unknown number of images.

        Raises:
            InputError: the file is not the one of the spec.
        """
        content = _content(path)
        found = hashlib.sha256(content).hexdigest()
        require_input(
            found == self.sha256,
            f"{path} must have the SHA-256 {self.sha256}, but has {found}: run the command again",
        )
        return Moments.from_covariance(*_checked(path, content), n_images=0)


def holds_statistics(path: Path) -> bool:
    """Returns whether a file is an ``.npz`` with a mean and a covariance."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{MEAN}.npy", f"{COVARIANCE}.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} must be readable, but is not ({error.strerror})") from error


def _checked(path: Path, content: bytes) -> tuple[Tensor, Tensor]:
    """Returns the mean and the covariance in float64, (d,) and (d, d)."""
    mean, cov = _arrays(path, content)
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)) or len(mean) < 1:
        raise InputError(
            f"{MEAN} and {COVARIANCE} of {path} must have the shapes (d,) and (d, d), but have "
            f"{tuple(mean.shape)} and {tuple(cov.shape)}"
        )
    if not (mean.isfinite().all() and cov.isfinite().all()):
        raise InputError(f"{MEAN} and {COVARIANCE} of {path} must be finite, but are not")
    asymmetry = float((cov - cov.T).abs().max() / cov.abs().max().clamp_min(1e-300))
    require_input(
        asymmetry <= _TOLERANCE,
        f"{COVARIANCE} of {path} must be symmetric, but two entries across the diagonal differ by "
        f"{asymmetry:.2g} of the largest entry: fetch the file again",
    )
    values = torch.linalg.eigvalsh((cov + cov.T) / 2)
    require_input(
        bool(values[0] >= -_TOLERANCE * values[-1].abs()),
        f"{COVARIANCE} of {path} must have no negative eigenvalue, but has {float(values[0]):.2g} "
        f"(largest {float(values[-1]):.2g}), so it is no covariance: fetch the file again",
    )
    return mean, (cov + cov.T) / 2


def _arrays(path: Path, content: bytes) -> tuple[Tensor, Tensor]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile) or not {MEAN, COVARIANCE} <= set(file):
                held = ", ".join(getattr(file, "files", ["an array without a name"]))
                raise InputError(
                    f"{path} must hold the statistics {MEAN} and {COVARIANCE}, but holds {held}"
                )
            found = [file[name] for name in (MEAN, COVARIANCE)]
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split()).partition(".")[0] or type(error).__name__
        raise InputError(
            f"{path} must be an .npz file of numbers, read without running code, but reading "
            f"failed ({reason}): save {MEAN} and {COVARIANCE} as arrays of floats"
        ) from error
    for name, array in zip((MEAN, COVARIANCE), found, strict=True):
        require_input(
            array.dtype.kind == "f",
            f"{name} of {path} must be of floating-point numbers, but is {array.dtype.name}",
        )
    mean, cov = (torch.from_numpy(array.astype(np.float64)) for array in found)
    return mean, cov
