"""The features of pictures that were made elsewhere, and the moments that stand for a reference.

Features are stored chunk by chunk under the digest of the chunk's pixels: pictures that were
measured once are not read again, under whatever name and beside whatever others they lie.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor

from scorelib.data.files import as_floats
from scorelib.data.own.pictures import Pictures, chunks_of, read_chunk
from scorelib.metrics.features import Extractor, extract, quantize
from scorelib.metrics.frechet import moments
from scorelib.metrics.statistics import Statistics
from scorelib.pictures import grid_png
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.features.extractors import build_extractor, extractor_inputs
from tuning.stages.features.reference import MomentsJob

_COLUMNS = 8
"""Number of columns, and of rows, of the picture of the first images of a chunk."""


@dataclass(frozen=True, kw_only=True)
class PictureChunk(Job):
    """Features and class probabilities of a chunk of pictures that were made elsewhere.

    The job also stores a picture of the chunk's first images.

    Attributes:
        digest: digest of the chunk; see `scorelib.data.own.pictures`.
        n_images: number of images, >= 1.
        shape: shape (C, H, W) of an image.
        extractor: feature extractor.
    """

    KIND = "PictureChunk"
    STAGE: ClassVar[Stage] = Stage("pictures", 35, "score", assumed_seconds=5.0)

    digest: str
    n_images: int
    shape: tuple[int, ...]
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """Returns the inputs of the extractor."""
        return extractor_inputs(self.extractor)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The digest of the chunk."""
        return (self.digest,)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"features of {self.n_images:,} pictures {self.digest[:8]}"

    def work(self) -> Work:
        """Returns the number of images; feature extraction counts no network evaluations."""
        n_values = self.extractor.n_features + self.extractor.n_classes
        return Work(images=self.n_images, n_bytes=4 * self.n_images * n_values)

    def wants_gpu(self) -> bool:
        """Returns whether the extractor is slow on a CPU, as Inception is."""
        return self.extractor.needs_gpu

    def run(self, at: ExecutionContext) -> Run:
        """Reads the images, and stores their features and a picture of them; see `Job.run`.

        Raises:
            InputError: the images are not at hand, or have changed.
        """
        yield Progress(0, 1, "chunks")
        path, first = at.piece(self.digest)
        images = read_chunk(Path(path), first, self.n_images, self.digest)
        module = build_extractor(self.extractor, at)
        features, probabilities = extract(module, images, at.batch_images)
        tensors = {"features": features.contiguous(), "probabilities": probabilities.contiguous()}
        shown = quantize(as_floats(images[: _COLUMNS**2]))
        return Outcome(
            files={
                "features.safetensors": safetensors.torch.save(tensors),
                "raw.png": grid_png(shown, _COLUMNS),
            }
        )

    def read(self, at: ExecutionContext, what: str) -> Tensor:
        """Returns the finished features, (n, d), or class probabilities, (n, K), float32.

        Args:
            at: execution context that holds the chunk.
            what: "features" or "probabilities".

        Raises:
            MissingInputError: the chunk is not stored, or was found corrupt.
        """
        tensors: dict[str, Tensor] = safetensors.torch.load(at.read(self, "features.safetensors"))
        return tensors[what]


def picture_chunks(
    pictures: Pictures, n_images: int, extractor: Extractor
) -> tuple[PictureChunk, ...]:
    """Returns the jobs that hold the features of the first images of some pictures.

    Args:
        pictures: the pictures.
        n_images: number of images; the last chunk may hold more.
        extractor: feature extractor.
    """
    return tuple(
        PictureChunk(digest=digest, n_images=n, shape=pictures.shape, extractor=extractor)
        for digest, n in chunks_of(pictures, n_images)
    )


@dataclass(frozen=True, kw_only=True)
class PicturesReference(MomentsJob):
    """The mean and covariance of the features of pictures that were made elsewhere.

    Attributes:
        pictures: the pictures, of which all are used.
        extractor: feature extractor.
    """

    KIND = "PicturesReference"

    pictures: Pictures
    extractor: Extractor

    def chunks(self) -> tuple[PictureChunk, ...]:
        """Returns the chunks of the pictures."""
        return picture_chunks(self.pictures, self.pictures.n_images, self.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the chunks of the pictures."""
        return self.chunks()

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"statistics of {self.pictures.n_images:,} pictures"

    def run(self, at: ExecutionContext) -> Run:
        """Stores the moments of the features; see `Job.run`."""
        yield Progress(0, 1, "sets")
        features = torch.cat([chunk.read(at, "features") for chunk in self.chunks()])
        return self.outcome(moments(features))


@dataclass(frozen=True, kw_only=True)
class StatisticsReference(MomentsJob):
    """Published statistics, read once from their file into the store.

    Attributes:
        statistics: the statistics.
        extractor: extractor of the features that the statistics are said to be of.
    """

    KIND = "StatisticsReference"

    statistics: Statistics
    extractor: Extractor

    def validate(self) -> None:
        """Raises InputError if the extractor has another number of features."""
        self.statistics.require_features_of(self.extractor)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The digest of the file."""
        return (self.statistics.sha256,)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"published statistics {self.statistics.name}"

    def run(self, at: ExecutionContext) -> Run:
        """Reads and checks the file, and stores the moments; see `Job.run`.

        Raises:
            InputError: the file is not at hand, or has changed.
        """
        yield Progress(0, 1, "files")
        path, _ = at.piece(self.statistics.sha256)
        return self.outcome(self.statistics.moments(Path(path)))
