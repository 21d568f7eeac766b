"""Adam with support for a negative beta1 (negative momentum).

    m_t = beta1 m_{t-1} + (1 - beta1) g_t            v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    p_t = p_{t-1} - learning_rate (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + adam_eps)

Adversarial training uses beta1 = 0 for the score network and beta1 = -0.5 for the discriminator:
negative momentum damps the rotation of two-player games. The recursion is valid for any beta1 in
(-1, 1). PyTorch's kernels compute it for all these values; only the constructor of
`torch.optim.Adam` rejects negative ones.

References:
    Kingma and Ba 2015, algorithm 1.
    Gidel et al. 2019, Negative momentum for improved game dynamics.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from scorelib.errors import InputError
from scorelib.spec import Spec, added_later


class _Eager:
    """The methods of an optimiser of the Adam family without PyTorch's wrappers.

    The wrappers keep `torch.compile` out of the methods and import its machinery, which takes
    more than a second of every worker's start. Nothing here compiles an optimiser.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Adam.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class AdamW(_Eager, torch.optim.AdamW):
    """The AdamW optimiser `torch.optim.AdamW`."""


class Adam(_Eager, torch.optim.Adam):
    """The Adam optimiser `torch.optim.Adam`, with beta1 in (-1, 1).

    Args:
        params: parameters to optimise.
        lr: learning rate.
        betas: decay rates (beta1, beta2) of the first and second moment.
        eps: constant added to the square root of the second moment (``adam_eps`` elsewhere).
        foreach: whether to update all parameters of a device together, one operation at a time.
        fused: whether to update all parameters of a device in one fused kernel.

    Raises:
        InputError: beta1 is outside (-1, 1).
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        beta1, beta2 = betas
        if not -1 < beta1 < 1:
            raise InputError(f"-1 < beta1 < 1 must hold, but got {beta1}")
        super().__init__(params, lr, (abs(beta1), beta2), eps, foreach=foreach, fused=fused)
        # The constructor checked the groups and filled them with |beta1|, but each update reads the
        # betas from the groups: set the true values there.
        self.defaults["betas"] = betas
        for group in self.param_groups:
            group["betas"] = betas


@dataclass(frozen=True, kw_only=True)
class AdamSpec(Spec):
    """Settings of Adam; the defaults are those of the non-adversarial score networks.

    Args:
        learning_rate: learning rate, > 0.
        beta1: decay rate of the first moment, in (-1, 1).
        beta2: decay rate of the second moment, in [0, 1).
        adam_eps: constant added to the square root of the second moment, > 0.
        warmup: number of updates during which the learning rate rises linearly from 0, >= 0.
        clip: largest norm of the gradient of all parameters, > 0; larger gradients are scaled
            down to it. None disables clipping.
    """

    KIND = "AdamSpec"

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    warmup: int = added_later(0)
    clip: float | None = added_later(None)

    def validate(self) -> None:
        """Raises InputError if a setting is out of its range."""
        for name, holds, rule in (
            ("learning_rate", self.learning_rate > 0, "> 0"),
            ("beta1", -1 < self.beta1 < 1, "in (-1, 1)"),
            ("beta2", 0 <= self.beta2 < 1, "in [0, 1)"),
            ("adam_eps", self.adam_eps > 0, "> 0"),
            ("warmup", self.warmup >= 0, ">= 0"),
            ("clip", self.clip is None or self.clip > 0, "> 0 or null"),
        ):
            if not holds:
                raise InputError(f"AdamSpec.{name} must be {rule}; got {getattr(self, name)}")

    def build(self, parameters: Iterable[nn.Parameter]) -> Adam:
        """Returns an optimiser of the parameters, with the fused kernel."""
        betas = (self.beta1, self.beta2)
        return Adam(parameters, self.learning_rate, betas, eps=self.adam_eps, fused=True)

    def step(self, optimizer: torch.optim.Optimizer, iteration: int) -> None:
        """Performs one update: sets the learning rate of the warm-up, clips the gradient, steps.

        Args:
            optimizer: optimiser returned by `build`, with gradients in its parameters.
            iteration: number of previous updates, >= 0. In a warm-up the first update (0) has
                learning rate 0.
        """
        if self.warmup:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * min(1.0, iteration / self.warmup)
        if self.clip is not None:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()
