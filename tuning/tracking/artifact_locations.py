"""The locations of artifacts in an MLflow database whose folder was moved or copied.

MLflow stores an absolute path for each experiment, run and model. The database and the folder of
artifacts are in one folder, the store's. When that folder is moved or copied, the paths still lead
to the old folder. So these functions find such paths and replace the old folder by the present one.
Paths that lead elsewhere, such as those of a user's own experiments, stay.
"""

import contextlib
import sqlite3
from pathlib import Path

from tuning.addresses import database_file

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_UNUSED_DEFAULT = "experiment_id = 0 AND NOT EXISTS (SELECT 1 FROM runs WHERE experiment_id = 0)"


def location_of(artifacts: Path) -> str:
    """Returns the location of a local folder of artifacts, as MLflow stores it: a file URI."""
    return artifacts.resolve().as_uri()


def are_outdated(url: str, artifacts: Path) -> bool:
    """Returns whether a database holds locations in another folder of artifacts.

    The content stays as it is. But if a process was killed while it wrote, SQLite needs the
    permission to write: the first reader restores the file from the journal beside the file.

    Args:
        url: SQLAlchemy URL of an existing MLflow database; the result is False for a database that
            is not a SQLite file.
        artifacts: present folder of the artifacts, beside the database.

    Raises:
        sqlite3.Error: if the file cannot be read or is no MLflow database.
    """
    file = database_file(url)
    if file is None:
        return False
    address = f"{file.resolve().as_uri()}?mode=rw"  # creates no file
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        return bool(_outdated(database, artifacts))


def update_locations(url: str, artifacts: Path) -> None:
    """Replaces outdated locations by those in the present folder; call this in `exclusive_open`.

    The default experiment, which MLflow places in the current folder, is moved to the folder of
    artifacts as well, unless it has runs.

    Args:
        url: SQLAlchemy URL of an existing MLflow database; another database than a SQLite file is
            left alone.
        artifacts: present folder of the artifacts, beside the database.

    Raises:
        sqlite3.Error: if the file cannot be written or is no MLflow database.
    """
    file = database_file(url)
    if file is None or not are_outdated(url, artifacts):
        return
    new = location_of(artifacts)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for old in _outdated(database, artifacts):
            for table, column in _COLUMNS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                    f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                )
        database.execute(
            f"UPDATE experiments SET artifact_location = ? WHERE {_UNUSED_DEFAULT}", (f"{new}/0",)
        )


def _outdated(database: sqlite3.Connection, artifacts: Path) -> list[str]:
    """Returns the other folders of artifacts, of the same name, in which experiments are located.

    The location of an unused default experiment is included if it is outside the present folder.
    """
    new, end = location_of(artifacts), f"/{artifacts.resolve().name}"
    rows = database.execute("SELECT DISTINCT artifact_location FROM experiments")
    found = [old for (old,) in rows if old and old.endswith(end) and old != new]
    unused = database.execute(
        f"SELECT artifact_location FROM experiments WHERE {_UNUSED_DEFAULT}"
    ).fetchall()
    return found + [old for (old,) in unused if old != f"{new}/0"]
