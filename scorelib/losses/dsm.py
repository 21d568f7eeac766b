"""Denoising score matching (DSM), Eq. 1.

A network that sees ``x + sigma z`` and is asked for ``-z`` learns, at the minimum of

    1/2 E || sigma s(x + sigma z, sigma) + z ||^2,

sigma times the score of the data smoothed by sigma. Networks here output ``sigma * score``
directly, so the loss reads the same for conditional and unconditional networks.

At one level it is sigma^2 times Vincent's ``J = 1/2 E || score - grad log q(x~ | x) ||^2``. Two
other losses are the same in other words. The simple loss of diffusion models, ``E || eps -
eps_theta(x_t, t) ||^2``, is twice this one: ``x_t`` divided by ``sqrt(abar_t)`` is data with noise
of level ``sqrt((1 - abar_t) / abar_t)``, and ``eps_theta = -s`` there. And the squared error of a
denoising autoencoder with tied weights, ``W^T sigmoid(W x + b) + c``, is ``2 sigma^4 J`` of the
score ``(reconstruction - x) / sigma^2``.

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
    """Plain denoising score matching, levels drawn uniformly.

    Attributes:
        sigma_power: p of the weight sigma^p of the squared error of the score, >= 0; with 2, Eq. 1,
            all levels count alike.
    """

    KIND = "Dsm"

    sigma_power: float = added_later(2.0)

    def validate(self) -> None:
        """Refuses powers that blow up where there is little noise."""
        if self.sigma_power < 0:
            raise InputError(f"Dsm.sigma_power must be >= 0; got {self.sigma_power:g}")

    def update_multiply_adds(self, network: int, shape: tuple[int, ...]) -> int:
        """Multiply-adds of one update per image of its batch; a gradient costs two passes.

        Args:
            network: multiply-adds of one pass of the score network.
            shape: shape of one example.
        """
        return 3 * network


def perturbed(x: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Each clean example, (B, ...), with noise of its own level, (B,), added."""
    return x + sigma.view(-1, *[1] * (x.dim() - 1)) * noise


def dsm_from_output(output: Tensor, noise: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """The loss of an output, (B, ...), for data perturbed by this noise; see `dsm_loss`.

    Args:
        output: the network's.
        noise: standard normal draw, of the same shape.
        weight: of each example, (B,), or of all.
    """
    return 0.5 * (weight * (output + noise).square().flatten(1).sum(1)).mean()


def dsm_loss(
    network: nn.Module, x: Tensor, sigma: Tensor, noise: Tensor, sigma_power: float = 2.0
) -> Tensor:
    """Denoising score matching loss of a batch.

    Args:
        network: maps (x_noisy, sigma), (B, ...) and (B,), to sigma * score, (B, ...).
        x: clean data, shape (B, ...).
        sigma: one noise level per sample, shape (B,).
        noise: standard normal draw, shape (B, ...).
        sigma_power: see `Dsm`.

    Returns:
        Scalar: summed over dimensions, averaged over the batch, times one half (Eq. 1). A network
        that always answers 0 has loss D / 2, if all levels count alike.
    """
    weight = 1.0 if sigma_power == 2 else sigma ** (sigma_power - 2)
    return dsm_from_output(network(perturbed(x, sigma, noise), sigma), noise, weight)
