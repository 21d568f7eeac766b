"""Parts of the local HTTP servers: a check of the requested host, and errors of one line.

A website that a user visits can give its own name the address 127.0.0.1 (DNS rebinding). The
browser then sends the requests of this website to a local server, with the name of the website as
their host. The port of the host is not checked: through a tunnel, it may be another one.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

_OURS = ("127.0.0.1", "localhost")


def refusal(host: str | None, port: int) -> str | None:
    """Returns why a request is refused, in one line; None if the host is this machine.

    Args:
        host: host of the request, with its port.
        port: port of the page, for the message.
    """
    name, _, its_port = (host or "").partition(":")
    if name in _OURS and (not its_port or its_port.isdecimal()):
        return None
    return f"the address must begin with http://127.0.0.1:{port} or http://localhost:{port}\n"


class QuietHandler(BaseHTTPRequestHandler):
    """A request handler that logs nothing and gives up a connection that is silent for seconds."""

    timeout = 20.0

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


class QuietErrors(HTTPServer):
    """A server that drops a connection whose client has left, without a traceback."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints an error in one line, unless the client has ended the connection."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            said = " ".join(str(error).split())
            print(f"error: a request failed: {type(error).__name__}: {said}", file=sys.stderr)
