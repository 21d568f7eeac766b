"""Shared servers of the tests in this folder: one of each kind."""

import pytest

from tests.services.servers import mlflow_server, postgres_server, s3_server


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="package")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="package")
def s3(folder):
    with s3_server(folder) as server:
        yield server


@pytest.fixture(scope="package")
def mlflow(postgres, s3, folder):
    """Yields MLflow on PostgreSQL, with artifacts on S3."""
    postgres.create("mlflow")
    with mlflow_server(postgres.url("mlflow"), folder) as server:
        yield server
