"""Values over seeds with a given mean and spread."""

import numpy as np

from dashboards.results.cells import Measured


def measured(mean, spread=None, n_seeds=1):
    """A number whose values have this mean and standard deviation (n - 1); one without spread."""
    assert (spread is None) == (n_seeds == 1)
    if spread is None:
        return Measured((mean,))
    steps = np.linspace(-1, 1, n_seeds)
    return Measured(tuple((mean + spread * steps / steps.std(ddof=1)).tolist()))
