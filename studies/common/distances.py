"""Frechet distances: baselines for the foot of a table, and the protocol of the papers."""

from scorelib.data import Cifar10, DataSpec
from scorelib.metrics.inception import InceptionFeatures
from tuning.stages import Baseline, FidProtocol


def baselines(protocol: FidProtocol) -> tuple[Baseline, ...]:
    """Returns the two baselines of a table: held-out images and a Gaussian baseline.

    Args:
        protocol: protocol of the table's distances, which gives the reference data and, for the
            Gaussian baseline, the number of images.
    """
    reference = protocol.reference
    return (
        Baseline(reference=reference, kind="held-out"),
        Baseline(reference=reference, kind="gaussian", n_images=protocol.n_images),
    )


def papers_protocol(data: DataSpec | None = None, n_images: int = 10_000) -> FidProtocol:
    """Returns the protocol by which the papers measured their distances, as far as they state it.

    Args:
        data: data set of the paper; None for CIFAR-10.
        n_images: number of generated images.
    """
    return FidProtocol(
        extractor=InceptionFeatures(), data=data or Cifar10(), n_images=n_images, seeds="unstated"
    )
