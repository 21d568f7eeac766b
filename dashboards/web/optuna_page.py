"""Serves optuna-dashboard for reading only, to requests that are addressed to this machine.

    python -m dashboards.web.optuna_page DATABASE_URL PORT

optuna-dashboard's own server answers any host name, and changes and deletes studies at the request
of any website. Its application is therefore served here, behind a check of each request. No other
port leads to the application.
"""

import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from dashboards.web.hosts import QuietErrors, QuietHandler, refusal
from dashboards.web.pages import asset

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
_READING = ("GET", "HEAD")
_SCRIPT = "/optuna_link.js"
"""Address of the script that adds the link; optuna-dashboard's pages run no inline scripts."""


def read_only(application: Application, port: int) -> Application:
    """Returns a WSGI application that passes on only GET and HEAD requests to this machine.

    Args:
        application: the application that answers the requests.
        port: port of the page.
    """

    def checked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        text = refusal(environ.get("HTTP_HOST"), port)
        status = HTTPStatus.FORBIDDEN
        if text is None and environ["REQUEST_METHOD"] not in _READING:
            text, status = "this page only shows the studies\n", HTTPStatus.METHOD_NOT_ALLOWED
        if text is None:
            return application(environ, start_response)
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Allow", ", ".join(_READING))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [text.encode()]

    return checked


def with_link(application: Application, home: int, store: int) -> Application:
    """Returns a WSGI application whose pages link back to the served site.

    Args:
        application: the application that answers the requests.
        home: port of the served site.
        store: number of the store in the addresses of the site.
    """
    script = asset("optuna_link.js").replace("HOME_PORT", str(home))
    served = script.replace("HOME_STORE", str(store)).encode()
    added = f'<script src="{_SCRIPT}"></script></body>'.encode()

    def linked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == _SCRIPT:
            length = ("Content-Length", str(len(served)))
            start_response("200 OK", [("Content-Type", "text/javascript; charset=utf-8"), length])
            return [served]
        began: list[Any] = []
        body = application(environ, lambda *of: began.append(of))
        status, headers, *_ = began[-1]
        kinds = {name.lower(): value for name, value in headers}
        if "text/html" in kinds.get("content-type", ""):
            whole = b"".join(body).replace(b"</body>", added)
            headers = [(n, v) for n, v in headers if n.lower() != "content-length"]
            headers.append(("Content-Length", str(len(whole))))
            body = [whole]
        start_response(status, headers)
        return body

    return linked


class _Server(ThreadingMixIn, QuietErrors, WSGIServer):
    daemon_threads = True


class _Quiet(QuietHandler, WSGIRequestHandler):
    pass


def main(url: str, home: int, store: int, port: int) -> None:
    """Serves the dashboard of a database on 127.0.0.1 until the process is ended.

    Args:
        url: SQLAlchemy URL of the Optuna database.
        home: port of the served site.
        store: number of the store in the addresses of the site.
        port: port of the page.
    """
    from optuna_dashboard import wsgi  # here: its import takes a second

    application = read_only(with_link(wsgi(url), home, store), port)
    make_server("127.0.0.1", port, application, _Server, _Quiet).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
