"""Denoising score matching (DSM), Eq. 1.

A network that sees ``x + sigma z`` and is asked for ``-z`` learns, at the minimum of

    1/2 E || sigma s(x + sigma z, sigma) + z ||^2,

sigma times the score of the data smoothed by sigma. Networks here output ``sigma * score``
directly, so the loss reads the same for conditional and unconditional networks.

References:
    Vincent, A connection between score matching and denoising autoencoders, 2011.
    Jolicoeur-Martineau et al. (2021), Eq. 1.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Dsm(Spec):
    """Plain denoising score matching, levels drawn uniformly."""


def dsm_loss(network: nn.Module, x: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Denoising score matching loss of a batch.

    Args:
        network: maps (x_noisy, sigma), (B, ...) and (B,), to sigma * score, (B, ...).
        x: clean data, shape (B, ...).
        sigma: one noise level per sample, shape (B,).
        noise: standard normal draw, shape (B, ...).

    Returns:
        Scalar: summed over dimensions, averaged over the batch, times one half (Eq. 1). A network
        that always answers 0 has loss D / 2.
    """
    x_noisy = x + sigma.view(-1, *[1] * (x.dim() - 1)) * noise
    residual = network(x_noisy, sigma) + noise
    return 0.5 * residual.square().flatten(1).sum(1).mean()
