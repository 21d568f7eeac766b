"""Exponential moving averages (EMA) of a network's weights, for several decays at once.

Samples are drawn with averaged weights. The best decay depends on the length of training, so one
training run keeps the averages of all candidate decays. After every step, for each decay mu,

    shadow_t = mu shadow_{t-1} + (1 - mu) p_t,    shadow_0 = p_0,

where p_t are the weights after step t. There is no warm-up: after t steps the initial weights still
contribute with weight mu^t (74% for mu = 0.9999 and t = 3000), as in the published runs of NCSNv2.
(The averages of NCSN++ start with smaller decays; the difference vanishes after some thousand
steps.) Buffers are not trained and therefore not averaged: the latest buffers are kept, once for
all decays.
"""

import torch
from torch import Tensor, nn

from scorelib.errors import InputError


class Ema:
    """Exponential moving averages of a module's parameters.

    Args:
        module: module whose parameters are averaged; every average starts at its current weights.
        decays: decay mu of each average, in [0, 1), all different.

    Raises:
        InputError: a decay is out of range or is given twice.
    """

    def __init__(self, module: nn.Module, decays: tuple[float, ...]) -> None:
        if len(set(decays)) < len(decays) or not all(0 <= decay < 1 for decay in decays):
            raise InputError(f"EMA decays must be different and in [0, 1), but got {decays}")
        self.decays = decays
        self._parameters = {decay: _copies(_parameters_of(module)) for decay in decays}
        self._buffers = _copies(_buffers_of(module))

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Updates every average with the module's current weights; call once after each step."""
        latest = list(_parameters_of(module).values())
        for decay, shadow in self._parameters.items():
            torch._foreach_lerp_(list(shadow.values()), latest, 1 - decay)
        if self._buffers:
            torch._foreach_copy_(list(self._buffers.values()), list(_buffers_of(module).values()))

    def weights(self, decay: float) -> dict[str, Tensor]:
        """Returns the averaged weights by name, in the format of the module's ``load_state_dict``.

        The tensors are not copies: the next `update` changes them.

        Args:
            decay: one of `decays`.

        Raises:
            InputError: `decay` is not one of `decays`.
        """
        if decay not in self._parameters:
            raise InputError(f"EMA decay must be one of {self.decays}, but got {decay}")
        return self._parameters[decay] | self._buffers

    def state_dict(self) -> dict[str, Tensor]:
        """Returns all averages and the buffers as one flat dictionary of tensors."""
        state = {f"buffers/{name}": value for name, value in self._buffers.items()}
        for decay, shadow in self._parameters.items():
            state |= {f"{decay!r}/{name}": value for name, value in shadow.items()}
        return state

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copies the averages from the result of `state_dict`.

        Args:
            state: result of `state_dict` of an Ema with the same module architecture and decays.

        Raises:
            InputError: the state belongs to other decays or another module.
        """
        own = self.state_dict()
        odd = {(name, value.shape) for name, value in own.items()}
        odd ^= {(name, value.shape) for name, value in state.items()}
        if odd:
            name, shape = min(odd)
            raise InputError(
                f"EMA state must be of the same module and the decays {self.decays}, but only one "
                f"of the two has {name!r} of shape {tuple(shape)}"
            )
        for name, value in own.items():
            value.copy_(state[name])


def _parameters_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in module.named_parameters(remove_duplicate=False)}


def _buffers_of(module: nn.Module) -> dict[str, Tensor]:
    trained = _parameters_of(module)
    return {name: b for name, b in module.state_dict().items() if name not in trained}


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}
