"""Scenarios of servers and disks that fail during a study."""

from pathlib import Path

from tests.disks import mounted
from tests.launches import csv, finish, launch, mlflow_runs, undisturbed, wait_for
from tests.services.outage import check_outage
from tests.services.passwords import SMALLER, STORE, check_hidden, options, with_password
from tests.services.servers import mlflow_server, postgres_server, s3_server

OUTAGE_SECONDS = 60.0


def mlflow_is_away(folder: Path) -> str:
    """Kills MLflow on PostgreSQL and S3 and restarts it a minute later."""
    with postgres_server() as postgres, s3_server(folder):
        postgres.create("mlflow")
        with mlflow_server(postgres.url("mlflow"), folder) as server:
            check_outage(server, "outage", seconds=OUTAGE_SECONDS)
    return f"away for {OUTAGE_SECONDS:g} s: everything written afterwards, in order, once"


def passwords(folder: Path) -> str:
    """Runs the command with S3, PostgreSQL and MLflow; one address has a password."""
    with postgres_server() as postgres, s3_server(folder):
        for database in ("mlflow", "searches"):
            postgres.create(database)
        searches, work = postgres.url("searches"), folder / "work"
        work.mkdir()
        changes = SMALLER | {"projections.optuna": searches}
        with mlflow_server(postgres.url("mlflow"), folder) as server:
            printed = finish(
                STORE, work, *options(changes), "--tracking-uri", with_password(server)
            )
            check_hidden(printed, server, postgres, searches)
        assert not list(work.iterdir()), "something was written beside the store"
    return "no output, log, database or object holds the password"


def disk_is_full(folder: Path) -> str:
    """Fills the disk of the store while the command runs; it continues with free space."""
    reference = undisturbed()
    with mounted(folder / "disk", "100m") as disk:
        store = disk.folder / "store"
        process = launch(store, folder)
        wait_for(store, "objects/sample/*/manifest.json", 3, process)
        used = sum(p.stat().st_size for p in store.rglob("*") if p.is_file())
        disk.remount(f"size={used + 4096 * 40}")
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 2 and "No space left" in output, output
        assert "Traceback" not in output, output
        disk.remount("size=100m")
        finish(store, folder)
        assert csv(store) == csv(reference)
        assert sorted(mlflow_runs(store)) == sorted(mlflow_runs(reference))
    return "exit code 2 with one line; same table and runs after space was made"
