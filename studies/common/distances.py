"""Frechet distances: those at a table's foot, and how the papers measured theirs."""

from scorelib.data import Cifar10, DataSpec
from scorelib.metrics.inception import InceptionFeatures
from tuning.stages import Baseline, FidProtocol


def baselines(protocol: FidProtocol) -> tuple[Baseline, ...]:
    """The distances of held-out images and of Gaussian noise, for the foot of a table."""
    reference = protocol.reference
    return (
        Baseline(reference=reference, kind="held-out"),
        Baseline(reference=reference, kind="gaussian", n_images=protocol.n_images),
    )


def papers_protocol(data: DataSpec | None = None, n_images: int = 10_000) -> FidProtocol:
    """How the papers measured their distances, as far as they say; CIFAR-10 unless other data."""
    return FidProtocol(
        extractor=InceptionFeatures(), data=data or Cifar10(), n_images=n_images, seeds="unstated"
    )
