"""Frechet distances that studies share: the baselines below a table, and the papers' protocol.

A protocol is a metric with all settings that its value depends on (`tuning.stages.protocols`).
"""

from scorelib.data import Cifar10, DataSpec
from scorelib.errors import require_input
from scorelib.metrics.inception import InceptionFeatures
from tuning.stages import Baseline, FidProtocol, Reference


def baselines(protocol: FidProtocol) -> tuple[Baseline, ...]:
    """Returns the two baselines of a table, distances that give a scale for the distances above.

    The first is the distance of held-out real images. The second is the distance of images drawn
    from a normal distribution with the mean and covariance of the training pixels.

    Args:
        protocol: protocol of the table's distances. It gives the reference data and the number of
            images drawn from the normal distribution.
    """
    reference = protocol.reference
    require_input(
        isinstance(reference, Reference),
        f"baselines need the images of a data set, but {protocol.about} is none",
    )
    assert isinstance(reference, Reference)
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
