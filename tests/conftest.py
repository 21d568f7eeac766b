"""Shared fixtures: one torch thread, a fresh store, tiny specs."""

import gc
import os

# Set before torch is imported anywhere: tests share two cores with Ray's workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.displays import copied_databases
from tests.shares import DurationRecorder, longest_first, recorded, share

# Tests set the appearance of tables and the proxy for servers of this machine; the terminal and the
# network of the caller must not.
os.environ |= {
    # Ray gives workers a low priority: beside four test processes they would get almost no time.
    "RAY_worker_niceness": "0",
    # Compiles in this process: each process of a pool would first import torch.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    # Trusts the processor's flags. Trial compilations of vector code would take six seconds.
    "TORCHINDUCTOR_VEC_ISA_OK": "1",
    "TERM": "xterm",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(name, None)

# The collection of tests makes objects that stay. Looking through them again and again takes
# seconds.
gc.disable()
# Assertions in this module show the compared values, as in test files.
pytest.register_assert_rewrite("tests.studies.miniature_contract")


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk():
    """Disables waiting for the disk: tests kill processes and fill disks, but cut no power."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _databases_are_copied(tmp_path_factory):
    """Spares this process the migrations of MLflow's databases, which take seconds for each."""
    folder = tmp_path_factory.getbasetemp()
    is_one_of_several = folder.name.startswith("popen-")  # in a folder that all of them share
    with copied_databases(folder.parent if is_one_of_several else folder):
        yield


@pytest.fixture
def store(tmp_path):
    """Returns an empty store in a separate folder."""
    from tuning.store.store import Store

    return Store(str(tmp_path / "store"), create=True)


def pytest_addoption(parser):
    parser.addoption(
        "--record-durations", action="store_true", help="write what each share took: `tests.shares`"
    )


def pytest_configure(config):
    is_worker = hasattr(config, "workerinput")
    if config.getoption("record_durations") and not is_worker:
        config.pluginmanager.register(DurationRecorder())
    if is_worker or not config.getoption("numprocesses", None):
        _prepare_process()


def _prepare_process():
    """Sets up a process that runs tests; one that only distributes them need not import torch."""
    import hypothesis
    import torch

    torch.set_num_threads(1)
    # On a busy machine any example may be slow now and then.
    hypothesis.settings.register_profile("tests", deadline=None)
    hypothesis.settings.load_profile("tests")


def pytest_collection_finish():
    gc.freeze()
    # What tests keep is large: looking through all of it as often as Python does by default takes
    # up to a tenth of the processor time (measured on the tests of the dashboards).
    gc.set_threshold(10_000, 10, 50)
    gc.enable()


def pytest_collection_modifyitems(items):
    names = dict.fromkeys(share(item.nodeid) for item in items)
    places = {name: place for place, name in enumerate(longest_first(names, recorded()))}
    items.sort(key=lambda item: places[share(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Shares(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return share(nodeid)

    return Shares(config, log)
