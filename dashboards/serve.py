"""Serves a web page of all studies of a store, with their reports, MLflow and optuna-dashboard.

    python -m dashboards.serve [--store URL] [--port N]

The page updates itself while studies run. With --port N, MLflow listens on the port N + 1 and
optuna-dashboard on N + 2, so that a tunnel can name them. The server only reads the store, listens
only on 127.0.0.1, and refuses requests for any other host name, so that no other website can read
it through a browser. If the store was moved or copied, the paths in its ``mlflow.db`` are
corrected.
"""

import argparse
import contextlib
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dashboards.web.child_servers import ChildServers, free_port
from dashboards.web.hosts import QuietErrors
from dashboards.web.site import Site, handler
from scorelib.errors import InputError
from studies.opening.cli_common import (
    DEFAULT_STORE,
    Arguments,
    add_module_argument,
    command_line,
    run_command,
)
from tuning.execution.stop import StopRequest
from tuning.store.store import Store

_POLL_SECONDS = 0.2


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.serve"), description=about)
    made.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")
    made.add_argument(
        "--port", type=int, metavar="N", help="use ports N, N+1 and N+2; default: free ports"
    )
    add_module_argument(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    store, stop = Store(args.store), StopRequest()
    with stop.listening(), contextlib.ExitStack() as stack:
        first = args.port
        server = _server(first)
        stack.callback(server.server_close)
        ports = [first + 1, first + 2] if first else [free_port(), free_port()]
        for port in ports if first and store.is_local else ():
            _server(port).server_close()
        servers = stack.enter_context(ChildServers(store, *ports)) if store.is_local else None
        server.RequestHandlerClass = handler(Site(store, servers))
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="pages")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        page = server.server_address[1]
        print(f"studies           http://127.0.0.1:{page}/", flush=True)
        for child in servers.all if servers else ():
            print(f"{child.name:<17} {child.url}", flush=True)
        used = [page, *ports] if servers else [page]
        tunnel = " ".join(f"-L {port}:127.0.0.1:{port}" for port in used)
        ssh = f"ssh -N {tunnel} {socket.gethostname()}"
        print(f"To see the pages on another machine, run there first: {ssh}", flush=True)
        print("Press Ctrl-C to stop.", flush=True)
        while not stop.is_set:
            time.sleep(_POLL_SECONDS)
    return 0


class _Server(QuietErrors, ThreadingHTTPServer):
    pass


def _server(port: int | None) -> _Server:
    try:
        return _Server(("127.0.0.1", port or 0), BaseHTTPRequestHandler)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"each port must be free and below 65536; {port}: {error}", "port"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
