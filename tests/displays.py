"""MLflow's database without a run, to be copied: making one is 68 migrations, a second or four."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tuning.tracking.mlflow_writer import _make_database


def empty_database(path):
    """Puts one where a test is about what is written to it, not how it is made; returns its URI."""
    shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


@functools.cache
def _template():
    """Made once by a process, removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make_database(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"
