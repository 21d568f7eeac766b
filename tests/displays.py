"""Helper: an MLflow database without runs that tests can copy.

Creating a database takes one to four seconds, because MLflow runs 68 migrations.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tuning.tracking.mlflow_writer import _make_database


def empty_database(path):
    """Copies an empty database to a path and returns its URI.

    For tests of what is written to a database, not of how a database is created.
    """
    shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


@functools.cache
def _template():
    """Creates the template once per process; the template is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make_database(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"
