r"""Classifier guidance: class-conditional scores from a classifier and an unconditional score.

By Bayes' theorem (Eqs. 5 and 6), with alpha = 1,

    grad log p_sigma(x | y) = alpha grad log p_sigma(y | x) + grad log p_sigma(x).
        posterior score           likelihood score               prior score

The likelihood score is the gradient of a noise-conditional classifier with respect to its input;
the prior score is computed by a score network. An alpha other than 1 is called the scaling method:
it trades variety for fidelity, and the sum is then no longer the score of a known density (see
`scorelib.exact.renormalisation`).

The log probability is the log_softmax of the classifier's logits. The authors' code adds 1e-8 to
the probability before taking the logarithm, which disables guidance where p(y | x) < 1e-8, the
region in which guidance is needed most.

**Batch normalisation couples examples.** With the statistics of the batch, log p(y_i | x_i) depends
on every x_j. The usual implementation differentiates the sum over the batch. The gradient at x_j is
then not the likelihood score but the gradient of all examples' log likelihoods with respect to x_j.
This gradient depends on the other examples in the batch and on their labels, and it differs from
the function that guides sampling, which uses stored statistics. (The authors train in this way.)
Classifiers that normalise over the batch therefore raise InputError here. Batch normalisation with
stored statistics (evaluation mode) maps each example independently, as do group, layer and instance
normalisation; these are supported.

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
    """Raises InputError if a layer of the classifier normalises over the batch."""
    for name, module in classifier.named_modules():
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None):
            raise InputError(
                "a classifier must process each example independently, but its layer "
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
    """Returns the log likelihood, log p_sigma(y | x), and its gradient with respect to x.

    Gradients are computed even if the caller is in no-grad or inference mode.

    Args:
        classifier: module that maps (x, sigma) to logits (B, K); see
            `scorelib.networks.noise_classifier`.
        x: noisy data, (B, ...); detached, so no gradient flows back to it.
        sigma: noise level, () or (B,).
        labels: classes y, (B,) int64.
        create_graph: whether to keep the graph, so that a loss of the two results can be
            differentiated with respect to the classifier's weights.

    Returns:
        The log likelihood, (B,), in nats, and the likelihood score, of the shape of x.

    Raises:
        InputError: the classifier normalises over the batch.

    References:
        Chao et al. (2022), Eq. 5.
    """
    require_independent_examples(classifier)
    with torch.inference_mode(False), torch.enable_grad():
        # Clones are ordinary tensors, even if the originals were created in inference mode.
        x, sigma, labels = x.detach().clone().requires_grad_(), sigma.clone(), labels.clone()
        log_probabilities = classifier(x, sigma).log_softmax(dim=1)
        log_likelihood = log_probabilities.gather(1, labels[:, None])[:, 0]
        (gradient,) = torch.autograd.grad(log_likelihood.sum(), x, create_graph=create_graph)
    return log_likelihood, gradient


class ClassGuidance(nn.Module):
    """A module (x, sigma) -> sigma * alpha * grad log p_sigma(y | x), the guidance term.

    Args:
        classifier: noise-conditional classifier, as for `likelihood_score`.
        labels: class y, either one for all examples or one per example, (B,) int64.
        scale: factor alpha of the likelihood score.
    """

    def __init__(self, classifier: nn.Module, labels: int | Tensor, *, scale: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.labels, self.scale = classifier, labels, scale

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the guidance term, of the shape of x; sigma is () or (B,)."""
        labels = torch.as_tensor(self.labels, device=x.device).expand(len(x))
        _, gradient = likelihood_score(self.classifier, x, sigma, labels)
        return self.scale * sigma.view(-1, *[1] * (x.dim() - 1)) * gradient


class GuidedNetwork(ScoreNetwork):
    """A class-conditional score network: the sum of prior and scaled likelihood score (Eq. 6).

    Args:
        network: unconditional score network, for the prior score.
        guidance: guidance term, for the likelihood score.
    """

    def __init__(self, network: nn.Module, guidance: ClassGuidance) -> None:
        super().__init__()
        self.network, self.guidance = network, guidance

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the posterior score at x, of the shape of x; sigma is () or (B,)."""
        return self.network(x, sigma) + self.guidance(x, sigma)
