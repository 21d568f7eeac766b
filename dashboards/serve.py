"""Serves one page with all studies of a store, their reports, and MLflow and Optuna's pages beside.

    python -m dashboards.serve [--store URL] [--port N]

The page follows running studies by itself. It listens on 127.0.0.1 alone, only reads, and answers
no other host name than its own, so that no page of the web can read it through a browser.
"""

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dashboards import evidence
from dashboards.children import Children
from dashboards.mlflow_views import CELLS, TRAININGS, TRIALS, view_name
from dashboards.overview import Overview, overview
from dashboards.pages import css, render
from dashboards.report import render_report
from scorelib.errors import InputError
from studies.command import (
    DEFAULT_STORE,
    NEXT_TIME,
    UNREADABLE,
    Arguments,
    remembered_studies,
    run_command,
)
from tuning.driver import Driver
from tuning.mlflow_projection import compare_link, view_link
from tuning.scheduler import Scheduler
from tuning.stop import StopRequest
from tuning.store import Store

_LOOK_SECONDS = 0.2
_FRESH_SECONDS = 1.0
_SHARE_OF_TIME = 10  # counting many thousands of jobs takes time: never more than a tenth of it


class Site:
    """What there is to see of a store.

    Args:
        store: the store.
        children: the servers beside; None if the store is no local folder.
    """

    def __init__(self, store: Store, children: Children | None) -> None:
        self._store, self._children = store, children
        self._observer = Driver(store)
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._shown = Overview([], {})
        self._fresh_until = 0.0

    def index(self) -> str:
        """The page."""
        return render("serve.html", css=css(), store=self._store.url, studies=self.studies())

    def studies(self) -> str:
        """Its part that changes."""
        with self._lock:
            started = time.monotonic()
            if started >= self._fresh_until:
                self._shown = overview(self._store, self._observer)
                now = time.monotonic()
                self._fresh_until = now + max(_FRESH_SECONDS, _SHARE_OF_TIME * (now - started))
            children = [self._children.mlflow, self._children.optuna] if self._children else []
            return render("studies.html", shown=self._shown, children=children)

    def report(self, name: str) -> str | None:
        """A study's report; None if there is no such study."""
        scheduler = self._scheduler(name)
        with self._drawing:  # pyplot is not for two threads
            return render_report(scheduler, self._store) if scheduler else None

    def link(self, kind: str, name: str) -> str | None:
        """Where MLflow shows a study's runs of a kind, or the comparison of its cells; None if not.

        Args:
            kind: "cells", "trials", "trainings" or "compare".
            name: the study's, with its scale.
        """
        from mlflow.tracking import MlflowClient  # two seconds: not at import

        scheduler = self._scheduler(name)
        if scheduler is None or self._children is None or self._children.mlflow.state != "runs":
            return None
        client = MlflowClient(tracking_uri=evidence.tracking_uri(self._store, None))
        experiment = client.get_experiment_by_name(scheduler.study.name)
        if experiment is None:
            return None
        number = experiment.experiment_id
        if kind != "compare":
            named = view_name(kind, scheduler.study)
            return self._children.mlflow.url + view_link(number, named)
        wanted = f"tags.kind = 'cell' and tags.scale = '{scheduler.study.scale}'"
        order = ["attributes.start_time"]
        found = client.search_runs([number], filter_string=wanted, order_by=order)
        link = compare_link(number, [run.info.run_id for run in found])
        return self._children.mlflow.url + link if found else None

    def _scheduler(self, name: str) -> Scheduler | None:
        remembered = remembered_studies(self._store)
        for study in remembered.studies:
            if study.id == name:
                return Scheduler(study, self._store)
        if name in remembered.unreadable:
            raise InputError(remembered.unreadable[name])
        return None


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    """Answers requests from a site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
            if self.headers.get("Host") not in own:
                self._answer(HTTPStatus.FORBIDDEN, "this page is for this machine alone\n", "plain")
                return
            try:
                self._route(self.path.partition("?")[0])
            except InputError as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"error: {error}\n", "plain")
            except UNREADABLE as error:
                text = f"error: {error}; {NEXT_TIME}\n"
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, text, "plain")

        def _route(self, path: str) -> None:
            pages: dict[str, Callable[[], str]] = {"/": site.index, "/studies": site.studies}
            if path in pages:
                self._answer(HTTPStatus.OK, pages[path]())
                return
            _, kind, *rest = path.split("/")
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
                self._answer(HTTPStatus.NOT_FOUND, "there is no such page (yet)\n", "plain")

        def _answer(self, status: HTTPStatus, text: str, kind: str = "html") -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"text/{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """No line for every request."""

    return Handler


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    about = (__doc__ or "").split("\n")[0]
    parser = Arguments(prog="python -m dashboards.serve", description=about)
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")
    parser.add_argument("--port", type=int, metavar="N", help="of the page; default: a free one")
    return run_command(parser, _command, argv)


def _command(args: argparse.Namespace) -> int:
    store, stop = Store(args.store), StopRequest()
    with stop.listening(), contextlib.ExitStack() as stack:
        server = _server(args.port)
        stack.callback(server.server_close)
        children = stack.enter_context(Children(store)) if store.is_local else None
        server.RequestHandlerClass = handler(Site(store, children))
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="pages")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        print(f"studies           http://127.0.0.1:{server.server_address[1]}/", flush=True)
        for child in (children.mlflow, children.optuna) if children else ():
            print(f"{child.name:<17} {child.url}", flush=True)
        print("Ctrl-C ends all.", flush=True)
        while not stop.is_set:
            time.sleep(_LOOK_SECONDS)
    return 0


def _server(port: int | None) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer(("127.0.0.1", port or 0), BaseHTTPRequestHandler)
    except (OSError, OverflowError) as error:
        raise InputError(f"--port must be free and below 65536; {port}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
