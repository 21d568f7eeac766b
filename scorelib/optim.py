"""Adam, with a first moment that may oscillate.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t            v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    p_t = p_{t-1} - learning_rate (m_t / (1 - beta1^t)) / (sqrt(v_t / (1 - beta2^t)) + adam_eps)

Adversarial training is played with beta1 = 0 for the score network and -0.5 for the
discriminator: negative momentum damps the rotation of two-player games. The recursion holds for
any beta1 in (-1, 1), and so do PyTorch's kernels; only the check in its constructor stands in the
way.

References:
    Kingma and Ba 2015, algorithm 1.
    Gidel et al. 2019, Negative momentum for improved game dynamics.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from scorelib.errors import InputError
from scorelib.spec import Spec, added_later


class Adam(torch.optim.Adam):
    """`torch.optim.Adam` for beta1 in (-1, 1).

    Args:
        params: parameters, as for any optimiser.
        lr: learning rate.
        betas: (beta1, beta2), decay rates of the first and second moment.
        eps: added to the root of the second moment (``adam_eps`` elsewhere).
        foreach: update all parameters of a device at once, operation by operation.
        fused: update them in one pass.

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
            raise InputError(f"-1 < beta1 < 1 must hold; got {beta1}")
        super().__init__(params, lr, (abs(beta1), beta2), eps, foreach=foreach, fused=fused)
        # The groups were checked and filled with |beta1|; the steps read what stands in them.
        self.defaults["betas"] = betas
        for group in self.param_groups:
            group["betas"] = betas


@dataclass(frozen=True, kw_only=True)
class AdamSpec(Spec):
    """Settings of Adam; the default is that of the non-adversarial score networks.

    Args:
        learning_rate: step size, positive.
        beta1: decay of the first moment, in (-1, 1).
        beta2: decay of the second moment, in [0, 1).
        adam_eps: added to the root of the second moment, positive.
        warmup: updates in which the learning rate rises linearly from 0, >= 0.
        clip: largest norm of the whole gradient, > 0; longer ones are scaled down. None: any.
    """

    KIND = "AdamSpec"

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    warmup: int = added_later(0)
    clip: float | None = added_later(None)

    def validate(self) -> None:
        """Checks the range of each setting."""
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
        """An optimiser of the parameters; its fused kernel does a step in one pass over them."""
        betas = (self.beta1, self.beta2)
        return Adam(parameters, self.learning_rate, betas, eps=self.adam_eps, fused=True)

    def step(self, optimizer: torch.optim.Optimizer, iteration: int) -> None:
        """Makes the update of an iteration, with the gradients and learning rate it should have.

        Args:
            optimizer: what `build` returned.
            iteration: updates made before, >= 0; the first of a warm-up changes nothing.
        """
        if self.warmup:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * min(1.0, iteration / self.warmup)
        if self.clip is not None:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()
