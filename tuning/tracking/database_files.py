"""Databases that are files, opened by several processes of one host."""

import contextlib
import fcntl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_FILE = "sqlite:///"


@contextlib.contextmanager
def exclusive_open(url: str) -> Iterator[None]:
    """Alone among the processes of this host with a database that is a file; for opening it.

    Two drivers that make the tables of one SQLite file at once can leave it unusable.
    """
    if not url.startswith(_FILE):
        yield
        return
    with open(_lock_of(url), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create_database(url: str, make: Callable[[str], None]) -> None:
    """Makes a database file if it is not there: aside, then renamed; for `exclusive_open`.

    Its tables are many steps. A full disk between them leaves some, which neither
    MLflow nor Optuna completes at any later start.

    Args:
        url: the database.
        make: makes one at the URL it is given, and closes it.
    """
    path = Path(url.removeprefix(_FILE))
    if not url.startswith(_FILE) or path.exists():
        return
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        make(f"{_FILE}{aside}")
        aside.replace(path)


def is_being_opened(url: str) -> bool:
    """Whether a process of this host has a database open alone that is a file; answers at once."""
    try:
        with open(_lock_of(url)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock_of(url: str) -> str:
    return f"{url.removeprefix(_FILE)}.lock"
