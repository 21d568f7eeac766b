"""Creation and opening of SQLite files that several processes of one host share."""

import contextlib
import fcntl
import glob
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tuning.addresses import database_file, sqlite_url


@contextlib.contextmanager
def exclusive_open(url: str) -> Iterator[None]:
    """Holds an exclusive lock, among the processes of this host, for opening a SQLite file.

    Two drivers that create the tables of one SQLite file at the same time can make the file
    unusable. For a database that is not a SQLite file, the context does nothing.

    Args:
        url: SQLAlchemy URL of the database.
    """
    file = database_file(url)
    if file is None:
        yield
        return
    with open(_lock_of(file), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def create_database(url: str, make: Callable[[str], None]) -> None:
    """Creates a SQLite file if it is missing; call this inside `exclusive_open`.

    The file is created in a temporary folder and then renamed, because its tables are created in
    many steps. If the disk became full between two steps, some tables would be missing, and neither
    MLflow nor Optuna would create them on a later start.

    Args:
        url: SQLAlchemy URL of the database; other databases than SQLite files are left alone.
        make: function that creates the database at a given URL and closes it.
    """
    path = database_file(url)
    if path is None or path.exists():
        return
    for left in path.parent.glob(f".{glob.escape(path.name)}-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed in the next lines
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        make(sqlite_url(aside.absolute()))
        aside.replace(path)


def is_being_opened(database: Path) -> bool:
    """Returns, without waiting, whether a process of this host holds `exclusive_open` of a file.

    Args:
        database: the SQLite file.
    """
    try:
        with open(_lock_of(database)) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock_of(database: Path) -> str:
    return f"{database}.lock"
