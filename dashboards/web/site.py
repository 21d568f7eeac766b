"""The web site of a store: a page that lists all studies, their reports, and links to MLflow.

The site only reads the store. It answers only requests addressed to 127.0.0.1 or localhost. Another
website that a user visits therefore cannot read results through the user's browser (by DNS
rebinding).
"""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from dashboards.records import mlflow_records
from dashboards.records.mlflow_views import CELLS, TRAININGS, TRIALS, view_name
from dashboards.results.overview import Overview, overview
from dashboards.web.child_servers import ChildServers
from dashboards.web.hosts import QuietHandler, refusal
from dashboards.web.pages import css, render
from dashboards.web.report_page import render_report
from scorelib.errors import InputError
from studies.opening.cli_common import (
    NEXT_TIME,
    UNREADABLE,
    Arguments,
    add_module_argument,
    with_options,
)
from studies.opening.open_study import last_run_studies
from tuning.drivers.driver import Driver
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store
from tuning.tracking.mlflow_writer import compare_link, view_link

_OPTIONS = Arguments()  # those that mend what a page cannot show
add_module_argument(_OPTIONS)

_FRESH_SECONDS = 1.0
# Counting thousands of jobs is slow. After a count that took t seconds, the result is kept for 10 t
# seconds, so that counting takes at most about a tenth of the time.
_SHARE_OF_TIME = 10


class Site:
    """The pages of a store.

    Args:
        store: the store.
        servers: servers of MLflow and Optuna; None if the store is not a local folder.
    """

    def __init__(self, store: Store, servers: ChildServers | None) -> None:
        self._store, self._servers = store, servers
        self._observer = Driver(store)
        self._lock, self._drawing_lock = threading.Lock(), threading.Lock()
        self._overview = Overview([], {})
        self._fresh_until = 0.0

    def index(self) -> str:
        """Renders the page of all studies."""
        return render("serve.html", css=css(), store=self._store.url, studies=self.studies())

    def studies(self) -> str:
        """Renders the list of studies, which the page fetches again; its numbers are cached."""
        with self._lock:
            started = time.monotonic()
            if started >= self._fresh_until:
                self._overview = overview(self._store, self._observer)
                now = time.monotonic()
                self._fresh_until = now + max(_FRESH_SECONDS, _SHARE_OF_TIME * (now - started))
            servers = self._servers.all if self._servers else ()
            unreadable = {
                name: with_options(_OPTIONS, why) for name, why in self._overview.unreadable.items()
            }
            return render(
                "studies.html", rows=self._overview.rows, unreadable=unreadable, servers=servers
            )

    def report(self, name: str) -> str | None:
        """Renders a study's report; None if the study does not exist.

        Args:
            name: name of the study with its scale.

        Raises:
            InputError: the study cannot be read.
        """
        scheduler = self._scheduler(name)
        with self._drawing_lock:  # matplotlib is not thread-safe
            return render_report(scheduler, self._store) if scheduler else None

    def link(self, kind: str, name: str) -> str | None:
        """Returns the address of the page of a study's runs in MLflow; None if there is no page.

        Args:
            kind: kind of runs ("cells", "trials" or "trainings"), or "compare" for the comparison
                of the study's cells.
            name: name of the study with its scale.

        Raises:
            InputError: the study cannot be read.
        """
        from mlflow.tracking import MlflowClient  # local: the import takes two seconds

        scheduler = self._scheduler(name)
        if scheduler is None or self._servers is None or self._servers.mlflow.state != "runs":
            return None
        client = MlflowClient(tracking_uri=mlflow_records.tracking_uri(self._store, None))
        experiment = client.get_experiment_by_name(scheduler.study.full_name)
        if experiment is None:
            return None
        number = experiment.experiment_id
        if kind != "compare":
            named = view_name(kind, scheduler.study)
            return self._servers.mlflow.url + view_link(number, named)
        wanted = f"tags.kind = 'cell' and tags.scale = '{scheduler.study.scale}'"
        order = ["attributes.start_time"]
        found = client.search_runs([number], filter_string=wanted, order_by=order)
        link = compare_link(number, [run.info.run_id for run in found])
        return self._servers.mlflow.url + link if found else None

    def _scheduler(self, name: str) -> Scheduler | None:
        last_run = last_run_studies(self._store)
        for study in last_run.studies:
            if study.id == name:
                return Scheduler(study, self._store)
        if name in last_run.unreadable:
            raise last_run.unreadable[name]
        return None


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    """Returns the request handler class of a site."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            text = refusal(self.headers.get("Host"), port)
            if text is not None:
                self._answer(HTTPStatus.FORBIDDEN, text, "plain")
                return
            try:
                self._route(self.path.partition("?")[0])
            except InputError as error:
                self._answer(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    f"error: {with_options(_OPTIONS, error)}\n",
                    "plain",
                )
            except UNREADABLE as error:
                text = f"error: {error}; {NEXT_TIME}\n"
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, text, "plain")

        def _route(self, path: str) -> None:
            pages: dict[str, Callable[[], str]] = {"/": site.index, "/studies": site.studies}
            if path in pages:
                self._answer(HTTPStatus.OK, pages[path]())
                return
            _, kind, *rest = path.split("/") if path.startswith("/") else ("", "")
            page = site.report(rest[0]) if kind == "report" and len(rest) == 1 else None
            link = None
            if kind in (CELLS, TRIALS, TRAININGS, "compare") and len(rest) == 1:
                link = site.link(kind, rest[0])
            if link is not None:
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", link)
                self.end_headers()
            elif page is not None:
                self._answer(HTTPStatus.OK, page)
            else:
                text = "there is no such page, or it has no results yet: start from the page /\n"
                self._answer(HTTPStatus.NOT_FOUND, text, "plain")

        def _answer(self, status: HTTPStatus, text: str, kind: str = "html") -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(data)

    return Handler
