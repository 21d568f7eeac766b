"""Answers HTTP requests with the pages of the site.

Only requests addressed to 127.0.0.1 or localhost are answered. Another website that a user visits
therefore cannot read results through the user's browser (by DNS rebinding). Only reading requests
are known, and no request changes anything.
"""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from dashboards.web.hosts import QuietHandler, refusal
from dashboards.web.mlflow_links import NoSuchPageError
from dashboards.web.site import Site, said, static
from scorelib.errors import InputError
from studies.opening.cli_common import NEXT_TIME, UNREADABLE

_HTML = "text/html"
_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
_OF_REPORT = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; " \
    "script-src 'unsafe-inline'"  # fmt: skip
_NOT_THERE = "there is no such page, or it has no results yet: start from the page /\n"

_STUDY = r"/(\d{1,3})/([A-Za-z0-9][\w.=-]*)"

Page = tuple[bytes, str, str]
"""Content, MIME type and security policy of a page."""


def _html(text: str, policy: str = _POLICY) -> Page:
    return text.encode(), _HTML, policy


def _routes(site: Site) -> list[tuple[str, Callable[..., Page]]]:
    """Returns the patterns of paths with the functions that make the pages."""
    return [
        (r"/", lambda: _html(site.home())),
        (r"/live", lambda: _html(site.home_live())),
        (r"/(\d{1,3})/offers/(\w+)", lambda n, name: _html(site.offers(int(n), name))),
        (
            rf"/compare{_STUDY}{_STUDY}",
            lambda a, ours, b, theirs: _html(site.compare(int(a), ours, int(b), theirs)),
        ),
        (_STUDY, lambda n, name: _html(site.study(int(n), name))),
        (rf"{_STUDY}/live", lambda n, name: _html(site.study_live(int(n), name))),
        (
            rf"{_STUDY}/figures",
            lambda n, name: (site.figures(int(n), name).encode(), "application/json", _POLICY),
        ),
        (rf"{_STUDY}/report", lambda n, name: _html(site.report(int(n), name), _OF_REPORT)),
        (rf"{_STUDY}/cell/(\d+)", lambda n, name, of: _html(site.cell(int(n), name, int(of)))),
        (rf"{_STUDY}/search/(\d+)", lambda n, name, of: _html(site.search(int(n), name, int(of)))),
        (
            rf"{_STUDY}/picture/(\w+)/(\w+)/([\w-]+\.png)",
            lambda n, name, *of: (site.picture(int(n), name, *of), "image/png", _POLICY),
        ),
    ]


class _Moved(Exception):
    """The content lies at another address."""


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    """Returns the request handler class of a site."""
    routes = [(re.compile(pattern), make) for pattern, make in _routes(site)]

    def page_of(path: str) -> Page:
        if path.startswith("/static/") and (found := static(path.removeprefix("/static/"))):
            return found[0].encode(), found[1], _POLICY
        for pattern, make in routes:
            if match := pattern.fullmatch(path):
                return make(*match.groups())
        if match := re.fullmatch(rf"{_STUDY}/(cells|trials|trainings|compare)", path):
            raise _Moved(site.link(int(match[1]), match[2], match[3]))
        if match := re.fullmatch(rf"{_STUDY}/mlflow/([\w.-]+)", path):
            raise _Moved(site.link(int(match[1]), match[2], "mlflow", match[3]))
        raise NoSuchPageError

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            text = refusal(self.headers.get("Host"), port)
            if text is not None:
                self._answer_text(HTTPStatus.FORBIDDEN, text)
                return
            try:
                self._answer(*page_of(unquote(self.path.partition("?")[0])))
            except _Moved as moved:
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", str(moved))
                self.end_headers()
            except NoSuchPageError:
                self._answer_text(HTTPStatus.NOT_FOUND, _NOT_THERE)
            except InputError as error:
                self._answer_text(HTTPStatus.INTERNAL_SERVER_ERROR, f"error: {said(error)}\n")
            except UNREADABLE as error:
                text = f"error: {error}; {NEXT_TIME}\n"
                self._answer_text(HTTPStatus.INTERNAL_SERVER_ERROR, text)

        def _answer_text(self, status: HTTPStatus, text: str) -> None:
            self._answer(text.encode(), "text/plain", _POLICY, status)

        def _answer(
            self, data: bytes, kind: str, policy: str, status: HTTPStatus = HTTPStatus.OK
        ) -> None:
            tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
            if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
                status, data = HTTPStatus.NOT_MODIFIED, b""
            self.send_response(status)
            charset = "" if kind.startswith("image/") else "; charset=utf-8"
            self.send_header("Content-Type", kind + charset)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", tag)
            self.send_header("Cache-Control", "no-cache")  # kept, but asked for again
            self.send_header("Content-Security-Policy", policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(data)

    return Handler
