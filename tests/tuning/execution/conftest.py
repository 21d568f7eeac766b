"""One Ray for the tests of a file that need it."""

import pytest

from tuning.execution.session import ClusterOptions, ray_session


@pytest.fixture(scope="module")
def capacity():
    """One Ray for the module: two CPUs, one GPU that is only a number."""
    with ray_session(ClusterOptions(cpus=2, gpus=1)) as found:
        yield found
