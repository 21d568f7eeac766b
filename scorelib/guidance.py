r"""Guidance: the score of a class from a classifier and the score of all data.

By Bayes, Eqs. 5 and 6, with alpha = 1,

    grad log p_sigma(x | y) = alpha grad log p_sigma(y | x) + grad log p_sigma(x).
        posterior score           likelihood score               prior score

The first term is the gradient of a noise-conditional classifier in its input, the second a score
network. Another alpha is the scaling method: it trades variety for fidelity, and the sum is then
no longer the score of a known density (see `scorelib.exact.renormalisation`).

The classifier's logarithm is log_softmax of its logits. The authors add 1e-8 to the probability
first, which switches guidance off where it is needed most, at p(y | x) < 1e-8.

**Batch normalisation couples examples.** With the statistics of the batch, log p(y_i | x_i) depends
on every x_j. Differentiating the sum over the batch, as one does, then gives for x_j not the
likelihood score but the gradient of all examples' log likelihoods in x_j, which depends on who else
is in the batch and on their labels, and is another function than the one that guides sampling,
where stored statistics are used. (The authors train so.) Such classifiers are refused here. Batch
normalisation with stored statistics (evaluation mode) is a fixed map of each example, and so are
group, layer and instance normalisation: these work.

References:
    Chao et al. (2022), Eqs. 5 and 6.
    Dhariwal and Nichol, Diffusion models beat GANs on image synthesis, 2021 (scaling).
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from scorelib.errors import InputError
from scorelib.networks import ScoreNetwork


def require_independent_examples(classifier: nn.Module) -> None:
    """Raises InputError if batch normalisation makes examples depend on one another."""
    for name, module in classifier.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise InputError(
                "a classifier's examples must not depend on one another, but its layer "
                f"{name!r} normalises over the batch; use GroupNorm, or evaluation mode"
            )


def likelihood_score(
    classifier: nn.Module,
    x: Tensor,
    sigma: Tensor,
    labels: Tensor,
    *,
    create_graph: bool = False,
) -> tuple[Tensor, Tensor]:
    """The log likelihood, log p_sigma(y | x), and its gradient in x.

    Gradients are taken whatever mode the caller is in, inference mode too.

    Args:
        classifier: maps (x, sigma) to logits (B, K); see `scorelib.networks.noise_classifier`.
        x: noisy data, (B, ...); nothing flows back to it.
        sigma: noise level, () or (B,).
        labels: the classes y, (B,) int64.
        create_graph: whether a loss of the two is to be differentiated in the classifier's weights.

    Returns:
        The log likelihood, (B,), in nats, and the likelihood score, of the shape of x.

    Raises:
        InputError: the classifier normalises over the batch.
    """
    require_independent_examples(classifier)
    with torch.inference_mode(False), torch.enable_grad():
        # Clones are ordinary tensors, even of what was made in inference mode.
        x, sigma, labels = x.detach().clone().requires_grad_(), sigma.clone(), labels.clone()
        log_probabilities = classifier(x, sigma).log_softmax(dim=1)
        log_likelihood = log_probabilities.gather(1, labels[:, None])[:, 0]
        (gradient,) = torch.autograd.grad(log_likelihood.sum(), x, create_graph=create_graph)
    return log_likelihood, gradient


class ClassGuidance(nn.Module):
    """(x, sigma) -> sigma * alpha * grad log p_sigma(y | x), the guiding term.

    Args:
        classifier: as for `likelihood_score`.
        labels: the class y of all examples, or of each, (B,) int64.
        scale: alpha.
    """

    def __init__(self, classifier: nn.Module, labels: int | Tensor, *, scale: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.labels, self.scale = classifier, labels, scale

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The term, of the shape of x; sigma is () or (B,)."""
        labels = torch.as_tensor(self.labels, device=x.device).expand(len(x))
        _, gradient = likelihood_score(self.classifier, x, sigma, labels)
        return self.scale * sigma.view(-1, *[1] * (x.dim() - 1)) * gradient


class GuidedNetwork(ScoreNetwork):
    """A score network of classes: Eq. 6.

    Args:
        network: score network of all data.
        guidance: what leads to them.
    """

    def __init__(self, network: nn.Module, guidance: ClassGuidance) -> None:
        super().__init__()
        self.network, self.guidance = network, guidance

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Sigma times the posterior score at x, of the shape of x; sigma is () or (B,)."""
        return self.network(x, sigma) + self.guidance(x, sigma)
