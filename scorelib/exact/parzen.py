r"""The Parzen density of a finite data set and its exact scores, the reference for score errors.

The density of the noised data is the mean of M normal densities with standard deviation sigma, one
centred at each data point. With the smoothing kernel

    p_sigma(x | x_i) = (2 pi sigma^2)^(-D/2) exp(-|x - x_i|^2 / (2 sigma^2)),

the density and its score, which depends on the weights w of the points at x, are

    p_sigma(x)          = 1/M sum_i p_sigma(x | x_i),
    grad log p_sigma(x) = sum_i w_i(x) (x_i - x) / sigma^2,
    w(x)                = softmax_i(-|x - x_i|^2 / (2 sigma^2)).

This is Eq. 2, with the division by the sum of the kernels computed in logarithms. Far from all
points every kernel underflows, and adding a small number to the sum, as the authors' code does,
would change the score to zero there. The same formulas, restricted to the points with label y, give
p_sigma(x | y). By Bayes' theorem,

    grad log p_sigma(x | y) = grad log p_sigma(y | x) + grad log p_sigma(x)
          posterior score          likelihood score        prior score        of x given its label

(Eq. 5, and its terms), where p(y) is the share of the points with label y.

The M weights of all x are never in memory at once: the points are processed in chunks, and the sums
of the chunks are combined in logarithms.

References:
    Chao et al., Denoising likelihood score matching for conditional score-based data generation,
    ICLR 2022, https://arxiv.org/abs/2203.14206, Eqs. 2 and 5, Proposition 1.
"""

import math

import torch
from torch import Tensor

from scorelib.errors import InputError


class Parzen:
    """The density of labelled points with Gaussian noise, computed in float64.

    Args:
        points: data points, (M, D), finite, M >= 1.
        labels: class of each point, (M,) integers; each of 0 .. K - 1 must occur. None assigns all
            points to class 0.
        chunk_pairs: largest number of distances in memory at once, about 32 bytes each.

    Raises:
        InputError: the points are not finite, or the shapes or labels are invalid.
    """

    def __init__(
        self, points: Tensor, labels: Tensor | None = None, *, chunk_pairs: int = 4_000_000
    ) -> None:
        if points.dim() != 2 or not len(points) or not points.isfinite().all():
            raise InputError(
                f"points must be finite and of shape (M, D), M >= 1; got {tuple(points.shape)}"
            )
        if labels is None:
            labels = torch.zeros(len(points), dtype=torch.long, device=points.device)
        if labels.shape != points.shape[:1]:
            raise InputError(
                f"every point must have a label; got {len(points)} points and labels of shape "
                f"{tuple(labels.shape)}"
            )
        present = labels.unique().tolist()
        if present != list(range(len(present))):
            raise InputError(f"labels must be 0 .. K - 1 and each must occur; got {present}")
        self.n_classes = len(present)
        self._points = points.double()
        self._of_class = [self._points[labels == c] for c in present]
        self._chunk_pairs = chunk_pairs

    def log_density(self, x: Tensor, sigma: Tensor | float, label: int | None = None) -> Tensor:
        """Returns the log density, log p_sigma(x), or log p_sigma(x | y) for a label y.

        Args:
            x: evaluation points, (B, D).
            sigma: noise level, data units, > 0, () or (B,).
            label: class y, in 0 .. K - 1; None for the density of all points.

        Returns:
            Log densities, (B,) float64, in nats.

        Raises:
            InputError: x has another number of dimensions, sigma is not positive, or there is no
                class `label`.
        """
        points = self._chosen(label)
        log_sum, _ = self._moments(x, sigma, points)
        log_scale = (2 * math.pi * _levels(sigma, x).square()).log() * (x.shape[1] / 2)
        return log_sum - math.log(len(points)) - log_scale

    def log_likelihood(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """Returns log p_sigma(y | x) of every class, as a perfect classifier of noised data would.

        Args:
            x: evaluation points, (B, D).
            sigma: noise level, data units, > 0, () or (B,).

        Returns:
            Log probabilities, (B, K) float64.

        Raises:
            InputError: as for `log_density`.
        """
        sums = [self._moments(x, sigma, points)[0] for points in self._of_class]
        return torch.stack(sums, dim=1).log_softmax(dim=1)

    def prior_score(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """Returns the gradient of log p_sigma(x), (B, D) float64; see `log_density`."""
        return self._score(x, sigma, None)

    def posterior_score(self, x: Tensor, sigma: Tensor | float, label: int) -> Tensor:
        """Returns the gradient of log p_sigma(x | y), (B, D) float64; see `log_density`."""
        return self._score(x, sigma, label)

    def likelihood_score(self, x: Tensor, sigma: Tensor | float, label: int) -> Tensor:
        """Returns the gradient of log p_sigma(y | x), (B, D) float64; see `log_density`.

        The likelihood score is the posterior score minus the prior score (Eq. 5).
        """
        return self._score(x, sigma, label) - self._score(x, sigma, None)

    def all_scores(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor]:
        """Returns the prior score and the posterior scores of all classes.

        Both are computed in one pass over the points. For the arguments and errors see
        `log_density`.

        Returns:
            Prior score, (B, D) float64, and posterior scores by class, (K, B, D) float64.
        """
        moments = [self._moments(x, sigma, points) for points in self._of_class]
        log_sums, means = (torch.stack(parts) for parts in zip(*moments, strict=True))
        shares = log_sums.softmax(dim=0)[..., None]  # p(y | x): sum of the weights of each class
        square = _levels(sigma, x).square()[:, None]
        x = x.double()
        return ((shares * means).sum(dim=0) - x) / square, (means - x) / square

    def _score(self, x: Tensor, sigma: Tensor | float, label: int | None) -> Tensor:
        _, mean = self._moments(x, sigma, self._chosen(label))
        return (mean - x.double()) / _levels(sigma, x).square()[:, None]

    def _chosen(self, label: int | None) -> Tensor:
        if label is None:
            return self._points
        if not 0 <= label < self.n_classes:
            raise InputError(f"label must be in 0 .. {self.n_classes - 1}; got {label}")
        return self._of_class[label]

    def _moments(self, x: Tensor, sigma: Tensor | float, points: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the log sum of the weights of the points at x, and the weighted mean point.

        Returns:
            log sum_i exp(-|x - x_i|^2 / (2 sigma^2)), (B,), and sum_i w_i(x) x_i, (B, D).
        """
        if x.dim() != 2 or x.shape[1] != points.shape[1]:
            raise InputError(f"x must be of shape (B, {points.shape[1]}); got {tuple(x.shape)}")
        per_row = min(len(points), self._chunk_pairs)
        n_rows = max(1, self._chunk_pairs // per_row)
        levels = _levels(sigma, x)
        parts = [
            _streamed(rows, its_levels, points.split(per_row))
            for rows, its_levels in zip(x.double().split(n_rows), levels.split(n_rows), strict=True)
        ]
        log_sums, means = zip(*parts, strict=True)
        return torch.cat(log_sums), torch.cat(means)


def _streamed(x: Tensor, sigma: Tensor, chunks: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Computes `Parzen._moments` with the distances of only one chunk in memory at a time."""
    log_sum = torch.full_like(sigma, -math.inf)
    mean = torch.zeros_like(x)
    for points in chunks:
        # From differences: with inner products, digits would cancel near the points.
        distances = torch.cdist(x, points, compute_mode="donot_use_mm_for_euclid_dist")
        logs = -0.5 * (distances / sigma[:, None]).square()
        its_sum, its_mean = logs.logsumexp(dim=1), logs.softmax(dim=1) @ points
        both = torch.logaddexp(log_sum, its_sum)
        share = (its_sum - both).exp()[:, None]
        mean = torch.lerp(mean, its_mean, share)
        log_sum = both
    return log_sum, mean


def _levels(sigma: Tensor | float, x: Tensor) -> Tensor:
    """Returns the noise level of each row of x, (B,) float64."""
    levels = torch.as_tensor(sigma, dtype=torch.float64, device=x.device)
    if not bool((levels > 0).all()):
        raise InputError(f"sigma must be positive; got {levels.min().item():g}")
    return levels.expand(len(x))
