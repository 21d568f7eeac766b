"""Addresses of a study's runs in the MLflow server that the site started."""

import contextlib
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboards.records.mlflow_records import tracking_uri
from dashboards.records.mlflow_views import CELLS, COMPARISON, TRAININGS, TRIALS, view_name
from dashboards.web.child_servers import ChildServers
from tuning.store.store import Store
from tuning.study import Study
from tuning.tracking.mlflow_record import run_link, view_link, view_tag

_KEY = re.compile(r"[\w.-]+")


class NoSuchPageError(Exception):
    """There is no page at an address, or the page has no content yet."""


@dataclass(frozen=True)
class MlflowPages:
    """The pages of a study's runs in MLflow.

    Attributes:
        there: titles of the pages that MLflow can show now, by kind of view.
        missing: titles of the pages that `dashboards.sync` would write.
    """

    there: dict[str, str]
    missing: Sequence[str]


def pages_in_mlflow(servers: ChildServers | None, study: Study, *, is_written: bool) -> MlflowPages:
    """Returns the pages of a study's runs in MLflow; those that older code wrote may be fewer.

    Args:
        servers: servers of the store; None if the store is not a local folder.
        study: the study.
        is_written: whether the study has results and no launch that writes them.
    """
    if servers is None:
        return MlflowPages({}, ())
    wanted = {CELLS: "cells in MLflow", COMPARISON: "compare cells"}
    wanted |= {TRIALS: "trials"} if study.searches else {}
    wanted |= {TRAININGS: "trainings"} if study.snapshots else {}
    tags = _tags(servers.mlflow.database, study)
    known = {kind: t for kind, t in wanted.items() if view_tag(view_name(kind, study)) in tags}
    missing = [title for kind, title in wanted.items() if is_written and kind not in known]
    return MlflowPages(known if servers.mlflow.state == "runs" else {}, missing)


def _tags(file: Path, study: Study) -> set[str]:
    """Returns the names of the tags of a study's experiment; empty if there is none yet.

    The database is read without MLflow's client, whose import takes seconds.
    """
    query = "SELECT key FROM experiment_tags JOIN experiments USING (experiment_id) WHERE name = ?"
    address = f"{file.as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            return {name for (name,) in database.execute(query, [study.full_name])}
    except sqlite3.Error:
        return set()


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
