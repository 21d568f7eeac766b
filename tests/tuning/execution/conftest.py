"""One Ray instance for the tests of a file that need it."""

import pytest

from tuning.execution.session import ClusterOptions, ray_session


@pytest.fixture(scope="module")
def capacity():
    """Yields one Ray session per module: two CPUs, and one GPU that exists only as a number."""
    with pytest.MonkeyPatch.context() as patched:
        # A local session is asked for: the address of a cluster in the environment is ignored.
        patched.setenv("RAY_ADDRESS", "127.0.0.1:1")
        yield from _session()


def _session():
    with ray_session(ClusterOptions(cpus=2, gpus=1)) as found:
        yield found
