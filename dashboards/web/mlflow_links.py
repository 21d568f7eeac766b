"""Addresses of a study's runs in the MLflow server that the site started."""

import re

from dashboards.records.mlflow_records import tracking_uri
from dashboards.records.mlflow_views import COMPARISON, view_name
from dashboards.web.child_servers import ChildServers
from tuning.store.store import Store
from tuning.study import Study
from tuning.tracking.mlflow_record import run_link, view_link, view_tag

_KEY = re.compile(r"[\w.-]+")


class NoSuchPageError(Exception):
    """There is no page at an address, or the page has no content yet."""


def mlflow_address(
    store: Store, servers: ChildServers | None, study: Study, kind: str, key: str = ""
) -> str:
    """Returns the address of a page of runs in MLflow.

    Args:
        store: store of the study.
        servers: servers of the store; None if the store is not a local folder.
        study: the study.
        kind: kind of a view (see `mlflow_views`), or "mlflow" for one run.
        key: key of the run, with the kind "mlflow".

    Raises:
        NoSuchPageError: MLflow does not run or holds no such runs.
    """
    from mlflow.tracking import MlflowClient  # local: the import takes two seconds

    if servers is None or servers.mlflow.state != "runs":
        raise NoSuchPageError
    client, address = MlflowClient(tracking_uri=tracking_uri(store, None)), servers.mlflow.url
    experiment = client.get_experiment_by_name(study.full_name)
    if experiment is None:
        raise NoSuchPageError
    of = experiment.experiment_id
    if kind != "mlflow":
        view = view_name(kind, study)
        if view_tag(view) not in experiment.tags:
            raise NoSuchPageError
        return address + view_link(of, view, shows_charts=kind == COMPARISON)
    if not _KEY.fullmatch(key):
        raise NoSuchPageError
    found = client.search_runs([of], filter_string=f"tags.key = '{key}'")
    if not found:
        raise NoSuchPageError
    return address + run_link(of, found[0].info.run_id)
