"""Helpers: an MLflow database without runs that tests copy.

Creating a database takes one to four seconds, because MLflow runs 68 migrations. All processes of
one run of the tests share the first database that one of them creates.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tuning.addresses import database_file
from tuning.tracking import mlflow_writer

make_database = mlflow_writer._make_database
"""Creates a database as users get it."""

_shared = Path(tempfile.gettempdir())


def empty_database(path):
    """Copies an empty database to a path and returns its URI.

    For tests of what is written to a database, not of how a database is created.
    """
    shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


@contextlib.contextmanager
def copied_databases(folder):
    """Makes the writers of this process copy new databases; child processes create their own.

    Args:
        folder: folder for the database that is copied, which other processes may share.
    """
    global _shared
    _shared = folder
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            mlflow_writer, "_make_database", lambda uri: empty_database(database_file(uri))
        )
        yield


def _template():
    file = _shared / "mlflow.db"
    with FileLock(_shared / "mlflow.db.lock"):
        if not file.exists():
            made = _shared / "making" / file.name
            made.parent.mkdir()
            make_database(f"sqlite:///{made}")
            made.rename(file)
    return file
