"""Finds lasting faults of displays: faults that a user must mend, since retries cannot succeed.

Examples are a deleted experiment, a damaged database, a database of a newer version, and a server
that is not an MLflow server. A launch refuses a display with such a fault before any work. A writer
gives up at once, whereas it waits for the end of an outage.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorelib.errors import InputError
from tuning.addresses import database_file, is_database, without_secrets

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PROBE_SECONDS = 5.0
_MOST_CHARACTERS = 400


class LastingFaultError(InputError):
    """A display that cannot be written to until somebody mends it; the message says how.

    Args:
        message: description of the fault and its cure.
        field: setting that holds the address of the display; None for a file of a store.
    """

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__(message, *([field] if field else []))


@dataclass(frozen=True)
class Tool:
    """A tool whose tables a database may hold.

    Attributes:
        name: name of the tool, for people.
        package: its Python package.
        migrations: folder of its Alembic migrations in the package.
        upgrade: its command that upgrades a database, without the database.
    """

    name: str
    package: str
    migrations: str
    upgrade: str


MLFLOW = Tool("MLflow", "mlflow", "store/db_migrations", "mlflow db upgrade")
OPTUNA = Tool("Optuna", "optuna", "storages/_rdb/alembic", "optuna storage upgrade with storage")


def require_database_of(
    tool: Tool, url: str, field: str | None, experiment: str | None = None
) -> None:
    """Raises LastingFaultError, with the cure, if a tool cannot use an existing database.

    A SQLite file that is not there passes: the writer creates the file. The content stays as it is.

    Args:
        tool: the tool that reads and writes the database.
        url: SQLAlchemy URL of the database.
        field: setting that holds the URL; None for the database of a store, which can be made again
            from the results of the store.
        experiment: name of the MLflow experiment that will be written, if any.

    Raises:
        LastingFaultError: the file is damaged or not accessible, a newer or older version of the
            tool made the tables, or the experiment is deleted.
    """
    from sqlalchemy import create_engine, exc  # here, because the import takes 0.3 s

    file = database_file(url)
    if file is not None and not file.exists():
        return
    cure = _cure(file, field)
    if file is not None and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
        raise LastingFaultError(
            f"{file} must be a file that this user may read and write, but is not: {cure}", field
        )
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if file is not None:
                _require_sound(connection, file, field, cure)
            _require_version(tool, connection, url, field, cure)
            if experiment is not None:
                _require_active(connection, url, experiment, field)
    except exc.DBAPIError as error:
        if file is None or "locked" in str(error.orig):
            return  # an outage, or another writer: both pass
        raise LastingFaultError(
            f"{file} must be a sound database of {tool.name}, but {error.orig}: {cure}", field
        ) from error
    finally:
        engine.dispose()


def require_mlflow(uri: str, field: str | None, experiment: str) -> None:
    """Raises LastingFaultError unless MLflow can write an experiment at a tracking URI.

    A server gets two real calls of MLflow's client, and five seconds to answer them.

    Args:
        uri: tracking URI of MLflow.
        field: setting that holds the URI; None for the database of a store.
        experiment: name of the experiment that will be written.
    """
    if is_database(uri):
        require_database_of(MLFLOW, uri, field, experiment)
        return
    shown = without_secrets(uri)
    must = f"the tracking server {shown} must be an MLflow server that answers within seconds"
    try:
        found = _within(_PROBE_SECONDS, lambda: _experiment(uri, experiment))
    except Exception as error:  # requests, MLflow and its parser of messages have their own
        why = without_secrets(" ".join(str(error).split()))[:_MOST_CHARACTERS] or repr(error)
        raise LastingFaultError(
            f"{must}, but got: {why}: correct the address or mend the server", field
        ) from error
    if found is not None and found.name != experiment:
        raise LastingFaultError(f"{must}, but another program answered: correct the address", field)
    if found is not None and found.lifecycle_stage != "active":
        raise _deleted(experiment, found.experiment_id, uri, field)


def _experiment(uri: str, name: str) -> Any:
    """Returns an experiment of a server, or None if an MLflow server has no such experiment."""
    from mlflow.entities import ViewType  # here, because the import takes two seconds
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    # Any server may answer 404, which the second call takes for the answer of a MLflow without the
    # experiment; the first call takes a 404 for an error.
    client.search_experiments(view_type=ViewType.ALL, max_results=1)
    return client.get_experiment_by_name(name)


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """Returns what a call returns; raises TimeoutError if the call takes longer."""
    import mlflow.tracking  # noqa: F401  (its import is no part of the time)

    outcome: list[Any] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="probe")
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return outcome[0]


def _cure(file: Path | None, field: str | None) -> str:
    if field is None:
        return (
            f"delete {file}, which only shows results, and the next run (or python -m "
            "dashboards.sync) writes it again"
        )
    return "restore it from a copy, or name another one"


def _require_sound(connection: "Connection", file: Path, field: str | None, cure: str) -> None:
    said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if said != "ok":
        said = " ".join(str(said).split())
        raise LastingFaultError(
            f"{file} must be a sound database, but is damaged ({said}): {cure}", field
        )


def _require_version(
    tool: Tool, connection: "Connection", url: str, field: str | None, cure: str
) -> None:
    """Raises LastingFaultError unless the installed version of a tool made the tables."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy import inspect

    spec = find_spec(tool.package)
    if spec is None or not inspect(connection).has_table("alembic_version"):
        return  # the tool makes its tables in an empty database
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    scripts = ScriptDirectory(str(Path(str(spec.origin)).parent / tool.migrations))
    if found in scripts.get_heads():
        return
    try:
        is_older = scripts.get_revision(str(found)) is not None
    except CommandError:
        is_older = False
    shown = without_secrets(url)
    if is_older:
        mend = cure if field is None else f"run {tool.upgrade} {shown}"
    else:
        mend = f"update {tool.name}, or {cure}"
    raise LastingFaultError(
        f"the database {shown} must be of the installed {tool.name}, but "
        f"{'an older version' if is_older else 'another or newer one'} made its tables "
        f"({str(found)[:_MOST_CHARACTERS]!r}): {mend}",
        field,
    )


def _require_active(connection: "Connection", url: str, experiment: str, field: str | None) -> None:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("experiments"):
        return
    wanted = text("SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = :name")
    for number, stage in connection.execute(wanted, {"name": experiment}):
        if stage != "active":
            raise _deleted(experiment, number, url, field)


def _deleted(experiment: str, number: Any, uri: str, field: str | None) -> LastingFaultError:
    shown = without_secrets(uri)
    file = database_file(uri)
    other = f", or delete {file} and run again" if field is None and file is not None else ""
    return LastingFaultError(
        f"the MLflow experiment {experiment!r} must not be deleted, but it is, in {shown}: run "
        f"MLFLOW_TRACKING_URI={shown} mlflow experiments restore -x {number}{other}",
        field,
    )
