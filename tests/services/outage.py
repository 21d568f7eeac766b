"""Check of an outage of the MLflow server of a given length, and readers of what it shows."""

import time

from mlflow.tracking import MlflowClient

from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter

FAILED_ATTEMPTS = 3
QUEUED_WITHIN_SECONDS = 5.0


def record(number, experiment):
    return RunRecord(
        key=f"{experiment}-{number}", name=f"run {number}", tags={"kind": "trial"},
        params={"number": number}, metrics={"fd": float(number)},
        curves={"loss": [(step, 1.0 / step) for step in range(1, 20)]},
        files={"grid.png": b"picture" * 100},
    )  # fmt: skip


def runs(uri, experiment):
    """Returns all runs in the order of their creation."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    ids = [found.experiment_id] if found else []
    return client.search_runs(ids, order_by=["attributes.start_time ASC"]) if ids else []


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def check_outage(server, experiment, seconds=0.0):
    """Kills the server between records and restarts it; checks that all arrive once, in order.

    Args:
        server: a running `tests.services.servers.mlflow_server`.
        experiment: an experiment that only this test uses.
        seconds: minimum duration of the outage; it also lasts until some attempts have failed.
    """
    attempts = 0
    with MlflowWriter(server.uri, experiment, "") as writer:
        for number in range(3):
            writer.write(lambda number=number: [record(number, experiment)])
        wait_until(lambda: len(runs(server.uri, experiment)) == 3)

        server.kill()
        connect = writer._connect

        def counted():
            nonlocal attempts
            attempts += 1
            return connect()

        writer._connect = counted
        started = time.monotonic()
        for number in range(3, 8):
            writer.write(lambda number=number: [record(number, experiment)])
        assert time.monotonic() - started < QUEUED_WITHIN_SECONDS, "writing waits for the server"
        # Each retry opens a new connection, so there is one attempt more than have failed.
        wait_until(
            lambda: attempts > FAILED_ATTEMPTS and time.monotonic() - started > seconds,
            seconds + 120,
        )
        server.start()
    found = runs(server.uri, experiment)
    assert [run.data.tags["key"] for run in found] == [f"{experiment}-{n}" for n in range(8)]
    assert {run.info.status for run in found} == {"FINISHED"}
    client = MlflowClient(server.uri)
    for run in found:
        curve = client.get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in curve] == list(range(1, 20))
        assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["grid.png"]
