"""Tests of the links to MLflow: what MLflow does not hold is no link."""

from dashboards.records.mlflow_views import views
from dashboards.web.child_servers import ChildServers
from dashboards.web.mlflow_links import pages_in_mlflow
from tests.displays import empty_database
from tests.miniature import miniature_study
from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter


def test_what_older_code_did_not_write_is_said_to_be_missing(store):
    study, servers = miniature_study(), ChildServers(store, 1, 2)

    def missing(is_written):
        pages = pages_in_mlflow(servers, study, is_written=is_written)
        assert not pages.there, "MLflow does not run"
        return list(pages.missing)

    titles = ["cells in MLflow", "compare cells", "trials", "trainings"]
    assert missing(True) == titles, "there is no database"
    uri = empty_database(store.folder / "mlflow.db")
    assert missing(True) == titles
    with MlflowWriter(uri, study.full_name, "", views=views(study)) as writer:
        writer.write(lambda: [RunRecord(key="k", name="n", tags={})])
    assert missing(True) == ["compare cells"]
    assert missing(False) == [], "a launch is going to write the view, or nothing is there to show"
    assert pages_in_mlflow(None, study, is_written=True).missing == ()
