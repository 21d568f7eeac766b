"""Helper: values over seeds with a given mean and spread."""

import numpy as np

from dashboards.results.cells import Measured


def measured(mean, spread=None, n_seeds=1):
    """Returns a number whose values have this mean and standard deviation (divisor n - 1).

    Without a standard deviation, the number has a mean only.
    """
    assert (spread is None) == (n_seeds == 1)
    if spread is None:
        return Measured((mean,))
    steps = np.linspace(-1, 1, n_seeds)
    return Measured(tuple((mean + spread * steps / steps.std(ddof=1)).tolist()))
