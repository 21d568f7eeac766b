"""One Ray instance for the tests of this folder that need one."""

import pytest

from tuning.execution.session import ClusterOptions, ray_session


@pytest.fixture(scope="package")
def capacity():
    """Yields one Ray session: two CPUs, and one GPU that exists only as a number."""
    with pytest.MonkeyPatch.context() as patched:
        # A local session is asked for: the address of a cluster in the environment is ignored.
        patched.setenv("RAY_ADDRESS", "127.0.0.1:1")
        yield from _session()


def _session():
    with ray_session(ClusterOptions(cpus=2, gpus=1)) as found:
        yield found
