"""What is run on a GPU: the sizes of the paper, and a miniature."""

from dataclasses import dataclass

from scorelib.networks import DdpmUNet, NcsnPp, Ncsnv2, NetworkSpec


@dataclass(frozen=True)
class Case:
    """A network at a size that is timed.

    Attributes:
        name: name of the network.
        spec: architecture.
        shape: shape of one image.
        forward: batch sizes of forward passes; empty for none.
        training: batch size of a training step.
        adversarial: whether an adversarial step is timed, too.
        compiled: whether the compiled network is timed, too.
    """

    name: str
    spec: NetworkSpec
    shape: tuple[int, ...]
    forward: tuple[int, ...]
    training: int
    adversarial: bool = False
    compiled: bool = False


@dataclass(frozen=True)
class Sizes:
    """Sizes of a run.

    Attributes:
        cases: networks that are timed, the most important first.
        width: width of the networks that are compared with a CPU.
        levels: number of noise levels of the timed chains.
        updates: number of updates between two readings of the clock.
        rounds: number of readings.
        product: side of the matrices by which the peak is measured.
        discriminator: width of the discriminator.
    """

    cases: tuple[Case, ...]
    width: int
    levels: int
    updates: int
    rounds: int
    product: int
    discriminator: int


DEEPER = Ncsnv2(multipliers=(1, 2, 2, 4, 4))
"""The network of the paper for scenes of 64 x 64 pixels."""

PAPER = Sizes(
    cases=(
        Case("NCSNv2", Ncsnv2(), (3, 32, 32), (128, 500), 128, adversarial=True, compiled=True),
        Case("Deeper NCSNv2", DEEPER, (3, 64, 64), (128,), 128),
        Case("U-Net", DdpmUNet(), (3, 32, 32), (128, 500), 64),
        Case("NCSN++", NcsnPp(n_blocks=8, dropout=0.0), (3, 32, 32), (128, 500), 128),
    ),
    width=32, levels=20, updates=5, rounds=7, product=8192, discriminator=64,
)  # fmt: skip

MINIATURE = Sizes(
    cases=(
        Case("NCSNv2", Ncsnv2(ngf=2), (3, 8, 8), (4,), 4, adversarial=True),
        Case("U-Net", DdpmUNet(width=2, multipliers=(1, 1)), (3, 8, 8), (4,), 4),
    ),
    width=4, levels=3, updates=1, rounds=2, product=64, discriminator=1,
)  # fmt: skip
