"""Denoising score matching (DSM), Eq. 1.

A score network receives noised data ``x~ = x + sigma z``, where z is standard normal noise, and is
trained to predict ``-z``. The loss is

    1/2 E || sigma s(x~, sigma) + z ||^2.

At its minimum, s is the score of the data distribution smoothed by Gaussian noise of standard
deviation sigma. Networks in this library output ``sigma * score`` directly, so the formula is the
same for conditional and unconditional networks.

At one noise level the loss is sigma^2 times Vincent's
``J = 1/2 E || score - grad log q(x~ | x) ||^2``. Two other losses are equivalent:

- The simple loss of diffusion models, ``E || eps - eps_theta(x_t, t) ||^2``, is twice this loss.
  ``x_t / sqrt(abar_t)`` is data with noise of level ``sqrt((1 - abar_t) / abar_t)``, and
  ``eps_theta`` is minus the network's output at that level.
- The squared error of a denoising autoencoder with tied weights, ``W^T sigmoid(W x + b) + c``, is
  ``2 sigma^4 J`` for the score ``(reconstruction - x) / sigma^2``.

References:
    Vincent, A connection between score matching and denoising autoencoders, 2011.
    Ho et al., Denoising diffusion probabilistic models, NeurIPS 2020, Eq. 14.
    Jolicoeur-Martineau et al. (2021), Eq. 1.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.spec import Spec, added_later


@dataclass(frozen=True, kw_only=True)
class Dsm(Spec):
    """Denoising score matching with uniformly drawn noise levels.

    Attributes:
        sigma_power: exponent p of the weight sigma^p on the squared error of the score, >= 0. The
            default 2 gives Eq. 1, where all noise levels have equal weight.
    """

    KIND = "Dsm"

    sigma_power: float = added_later(2.0)

    def validate(self) -> None:
        """Raises InputError if `sigma_power` is negative: the loss would diverge at low noise."""
        if self.sigma_power < 0:
            raise InputError(f"Dsm.sigma_power must be >= 0, but got {self.sigma_power:g}")

    def update_multiply_adds(self, network: int, shape: tuple[int, ...]) -> int:
        """Returns the multiply-adds of one update, per image of the batch.

        One forward pass and its gradient, which costs as much as two passes.

        Args:
            network: multiply-adds of one forward pass of the score network for one example.
            shape: shape of one example; not used by this objective.
        """
        return 3 * network


def perturbed(x: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Returns ``x + sigma * noise``: each example of a batch with noise of its own level added.

    Args:
        x: clean examples, shape (B, ...).
        sigma: noise level of each example, shape (B,), or one level for all, shape ().
        noise: standard normal draw, shape (B, ...).

    Returns:
        Noised examples, shape (B, ...).
    """
    return x + sigma.view(-1, *[1] * (x.dim() - 1)) * noise


def dsm_from_output(output: Tensor, noise: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Returns the denoising score matching loss of a network output; see `dsm_loss`.

    Args:
        output: network output, sigma * score, at data perturbed by `noise`; shape (B, ...).
        noise: standard normal draw that perturbed the data, shape (B, ...).
        weight: weight of each example, shape (B,), or one weight for all.

    Returns:
        A scalar; see `dsm_loss`.
    """
    return 0.5 * (weight * (output + noise).square().flatten(1).sum(1)).mean()


def dsm_loss(
    network: nn.Module, x: Tensor, sigma: Tensor, noise: Tensor, sigma_power: float = 2.0
) -> Tensor:
    """Returns the denoising score matching loss of a batch.

    Args:
        network: maps noisy data and noise levels, shapes (B, ...) and (B,), to sigma * score,
            shape (B, ...).
        x: clean data, shape (B, ...).
        sigma: noise level of each example, shape (B,).
        noise: standard normal draw, shape (B, ...).
        sigma_power: exponent of the weight; see `Dsm`.

    Returns:
        A scalar: half the squared error, summed over dimensions and averaged over the batch
        (Eq. 1). With sigma_power=2 and D dimensions, a network that always outputs 0 has an
        expected loss of D / 2.
    """
    weight = 1.0 if sigma_power == 2 else sigma ** (sigma_power - 2)
    return dsm_from_output(network(perturbed(x, sigma, noise), sigma), noise, weight)
