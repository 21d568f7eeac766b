"""Identifies the network of a published state, and gives its tensors our names.

The names of the tensors determine the family of the network, the shapes its sizes. This network, or
the network that the user names, determines all names and shapes. A missing or unexpected tensor, or
another shape, is an error of the input: a network with some initial weights would give wrong
results without any error.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import DdpmUNet, Ncsn, NcsnPp, Ncsnv2, NetworkSpec
from scorelib.schedules import Schedule
from scorelib.weights import ncsnpp, refinenet, unet
from scorelib.weights.ties import Shapes, Tie, mismatch, some, to_ours, to_theirs

_LEAST_SIDE = 64

_ABSENT = {
    "input_blocks.": "a U-Net of OpenAI's programs",
    "down_blocks.": "a U-Net of diffusers, whose folder must be named",
    "all_modules.": "DDPM, DDPM++ or positional NCSN++ of score_sde",
    "model.diffusion_model.": "a latent diffusion model",
    "net.model.": "a network of EDM",
}
"""Networks that are not available here, by the beginning of the names of their tensors."""

_NEAREST: tuple[NetworkSpec, ...] = (
    Ncsn(), Ncsnv2(), Ncsnv2(multipliers=(1, 2, 2, 4, 4)), Ncsnv2(multipliers=(1, 2, 2, 2, 4, 4)),
    DdpmUNet(centres_input=False), NcsnPp(),
)  # fmt: skip


def identified(published: Mapping[str, Tensor], schedule: Schedule | None) -> NetworkSpec:
    """Returns the network whose weights a published state holds.

    Args:
        published: tensors by published name.
        schedule: the noise levels, which the spec of NCSN holds; None if not known.

    Raises:
        InputError: no network here has such tensors, or NCSN's schedule is not known.
    """
    shapes = Shapes({name: tuple(t.shape) for name, t in published.items()})
    tops = {name.split(".")[0] for name in shapes}
    if tops & {"begin_conv", "res1", "refine1"}:
        return refinenet.identified(shapes, schedule)
    if tops & {"downblocks", "upblocks"}:
        return unet.identified(shapes)
    if ncsnpp.FREQUENCIES in shapes:
        return ncsnpp.identified(shapes)
    absent = [what for begin, what in _ABSENT.items() if any(n.startswith(begin) for n in shapes)]
    looks = f", which are those of {absent[0]}" if absent else ""
    raise InputError(
        "weights must be of NCSN, NCSNv2, the U-Net of adversarial score matching or continuous "
        f"NCSN++; got {len(shapes)} tensors such as {some(sorted(shapes))}{looks}; "
        f"{_nearest(shapes)}: give weights of one of these",
        "path",
    )


def _nearest(shapes: Shapes) -> str:
    """Returns the published network that shares most shapes, whatever the names, in words."""
    found = Counter(shapes.values())
    best, n_shared, n_all = _NEAREST[0], -1, 1
    for network in _NEAREST:
        wanted = _shapes(network)
        if (found & wanted).total() / wanted.total() > n_shared / n_all:
            best, n_shared, n_all = network, (found & wanted).total(), wanted.total()
    return f"the nearest here is {best}, with {n_shared} of its {n_all} shapes"


@cache
def _shapes(network: NetworkSpec) -> Counter[tuple[int, ...]]:
    return Counter(Published(network, 3).shapes.values())


def n_channels_of(network: NetworkSpec, published: Mapping[str, Tensor]) -> int:
    """Returns the number of channels of images; 3 if the published state does not determine it."""
    first = "all_modules.3" if isinstance(network, NcsnPp) else "begin_conv"
    first = "downblocks.0" if isinstance(network, DdpmUNet) else first
    weight = published.get(f"{first}.weight")
    return int(weight.shape[1]) if weight is not None and weight.dim() > 1 else 3


@dataclass(frozen=True)
class Published:
    """The published form of a network's state.

    Attributes:
        network: the network; the properties raise InputError for a kind that was never published.
        n_channels: number of channels of an image.
        largest_first: whether tables of levels begin with the largest sigma.
    """

    network: NetworkSpec
    n_channels: int
    largest_first: bool = True

    @property
    def ties(self) -> list[Tie]:
        """The ties of all tensors."""
        return self._tied[0]

    @property
    def our_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors by our name."""
        return {name: tuple(t.shape) for name, t in self._tied[1].items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all published tensors by name, without the unused ones."""
        return {name: tuple(t.shape) for name, t in to_theirs(*self._tied).items()}

    @property
    def _tied(self) -> tuple[list[Tie], dict[str, Tensor]]:
        return _tied(self.network, self.n_channels, self.largest_first)

    def imported(self, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the state of our network for a published state.

        Raises:
            InputError: tensors are missing, unexpected or of another shape.
        """
        given = {name: t for name, t in published.items() if not self._is_unused(name)}
        self._require_match(given)
        return to_ours(self.ties, given)

    def exported(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the published state for a state of our network; unused tensors are zero."""
        unused = unet.unused(self.network) if isinstance(self.network, DdpmUNet) else {}
        return to_theirs(self.ties, state) | unused

    def _is_unused(self, name: str) -> bool:
        return isinstance(self.network, DdpmUNet) and name.startswith("temb_dense.")

    def _require_match(self, given: Mapping[str, Tensor]) -> None:
        wanted = self.shapes
        wrong = mismatch(wanted, given)
        if wrong:
            raise InputError(
                f"weights must be those of {self.network}, {len(wanted)} tensors; got {wrong}: "
                f"{self._cure(given)}",
                "network",
            )

    def _cure(self, given: Mapping[str, Tensor]) -> str:
        try:
            nearest = identified(given, getattr(self.network, "schedule", None))
        except InputError as error:
            return f"{error}"
        if nearest == self.network:
            return "this is the nearest architecture here, so fetch the whole file again"
        return f"the nearest architecture here is {nearest}; give that network, or leave it out"


@lru_cache(maxsize=16)
def _tied(
    network: NetworkSpec, n_channels: int, largest_first: bool
) -> tuple[list[Tie], dict[str, Tensor]]:
    """Returns the ties of a network, and its state without values."""
    side = max(_LEAST_SIDE, 2 ** len(getattr(network, "multipliers", ())))  # any side does
    with torch.device("meta"):
        built = network.build((n_channels, side, side))
    if isinstance(network, Ncsnv2):
        ties = refinenet.ties(built, largest_first=largest_first)  # type: ignore[arg-type]
    elif isinstance(network, DdpmUNet):
        ties = unet.ties(built)
    elif isinstance(network, NcsnPp):
        ties = ncsnpp.ties(built)
    else:
        raise InputError(
            f"the network must have an authors' layout, but {network.KIND} has none: save the "
            "network as safetensors instead",
            "network",
        )
    return list(ties), built.state_dict()
