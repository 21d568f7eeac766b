"""Studies in miniature, each run once by the tests of a file."""

from functools import cache

import pytest

from tests.studies.miniatures import miniature
from tests.tuning.draining import drain
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


@pytest.fixture(scope="module")
def worked_off(tmp_path_factory):
    """Returns a function from a study's name to its scheduler, store, jobs and forecast."""

    @cache
    def working_off(name):
        store = Store(str(tmp_path_factory.mktemp(name)), create=True)
        made = miniature(name)
        planned = forecast(Scheduler(made, store), store, "cpu x1")
        ran = drain(made, store)
        return Scheduler(made, store), store, ran, planned

    return working_off


@pytest.fixture(scope="module")
def finished(request, worked_off):
    """Returns the same for the study that parametrises a test."""
    return worked_off(request.param)
