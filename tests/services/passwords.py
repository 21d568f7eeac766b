"""Check that a password in an address is sent only to its server; also used by the long tests."""

import fsspec
import optuna
import psycopg

from tests.services.outage import runs
from tests.services.servers import PASSWORD

NAME = "cifar_sampling_eps"
SMALLER = {"n_sigma": "[1]", "search.n_trials": "2", "train.seed": "7"}
"""Settings of a study that `check_hidden` counts, beside those of the miniature."""

STORE = "s3://bucket/team"
BASE64 = "dXNlcjpzZWtyZXQ"
"""user:sekret as HTTP sends it."""


def with_password(mlflow):
    """Returns the address of an MLflow server with a user and a password."""
    return mlflow.uri.replace("//", f"//user:{PASSWORD}@")


def options(changes):
    """Returns settings as options of the command line."""
    return [word for path, value in changes.items() for word in ("--set", f"{path}={value}")]


def check_hidden(printed, mlflow, postgres, searches, n_before=0):
    """Checks that a run has written everything and the password nowhere.

    Args:
        printed: everything that the command printed.
        mlflow: MLflow server whose address had the password, with the database "mlflow".
        postgres: PostgreSQL server.
        searches: address of the Optuna storage.
        n_before: number of MLflow runs of the study before.
    """
    assert f"open {mlflow.uri}, experiment {NAME}" in printed
    assert "warning" not in printed and "Traceback" not in printed

    kinds = [run.data.tags["kind"] for run in runs(mlflow.uri, NAME)[n_before:]]
    assert sorted(set(kinds)) == ["cell", "search", "table", "training", "trial"]
    assert kinds.count("cell") == 2 and kinds.count("trial") == 6
    studies = optuna.get_all_study_summaries(searches)
    assert [study.n_trials for study in studies] == [2, 2, 2]

    bucket = fsspec.filesystem("s3", use_listings_cache=False)
    place = STORE.removeprefix("s3://")
    stored = {path: bucket.cat_file(path) for path in bucket.find(place)}
    assert sum(path.endswith("manifest.json") for path in stored) > 10
    said = [printed, mlflow.log, *rows(postgres.url("mlflow")), *rows(searches)]
    said += [data.decode("latin1") for data in stored.values()]
    for text in said:
        assert PASSWORD not in text and BASE64 not in text, text[:2000]


def rows(url):
    """Returns all rows of all tables of a database as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        ).fetchall()
        assert tables
        for (table,) in tables:
            yield from (str(row) for row in connection.execute(f'select * from "{table}"'))
