"""Serves the home of all studies of some stores: progress, results, reports, MLflow and Optuna.

    python -m dashboards.serve [--store URL]... [--port N] [--mlflow-port N] [--optuna-port N]

The pages update themselves while studies run. With --port N, MLflow listens on the port N + 1 and
optuna-dashboard on N + 2, so that a tunnel can name them; each further local store has the next two
ports. The server only reads the stores, listens only on 127.0.0.1, and refuses requests for any
other host name, so that no other website can read it through a browser. If a store was moved or
copied, the paths in its ``mlflow.db`` are corrected.
"""

import argparse
import contextlib
import shlex
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dashboards.live.store import LiveStore
from dashboards.web.child_servers import ChildServers, free_port
from dashboards.web.hosts import QuietErrors
from dashboards.web.routes import handler
from dashboards.web.site import Place, Site
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
    made.add_argument(
        "--store", action="append", metavar="URL",
        help="default: ./store (repeatable, for several stores side by side)",
    )  # fmt: skip
    made.add_argument(
        "--port", type=int, metavar="N", help="use ports N, N+1 and N+2; default: free ports"
    )
    made.add_argument("--mlflow-port", type=int, metavar="N", help="port of MLflow")
    made.add_argument("--optuna-port", type=int, metavar="N", help="port of optuna-dashboard")
    add_module_argument(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    stores = [Store(url) for url in dict.fromkeys(args.store or [DEFAULT_STORE])]
    stop = StopRequest()
    with stop.listening(), contextlib.ExitStack() as stack:
        server = _server(args.port)
        stack.callback(server.server_close)
        places: list[Place] = []
        used = [server.server_address[1]]
        for number, store in enumerate(stores, start=1):
            servers = None
            if store.is_local:
                ports = _ports(args, sum(place.servers is not None for place in places))
                servers = stack.enter_context(ChildServers(store, *ports, used[0], number))
                used += ports
            elsewhere = "" if store.url == DEFAULT_STORE else f"--store {shlex.quote(store.url)}"
            places.append(Place(number, LiveStore(store, elsewhere), servers))
        server.RequestHandlerClass = handler(Site(places))
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="pages")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        print(f"studies           http://127.0.0.1:{used[0]}/", flush=True)
        for place in places:
            of = f" of {place.live.store.url}" if len(places) > 1 else ""
            for child in place.servers.all if place.servers else ():
                print(f"{child.name:<17} {child.url}{of}", flush=True)
        tunnel = " ".join(f"-L {port}:127.0.0.1:{port}" for port in used)
        ssh = f"ssh -N {tunnel} {socket.gethostname()}"
        print(f"To see the pages on another machine, run there first: {ssh}", flush=True)
        print("Press Ctrl-C to stop.", flush=True)
        while not stop.is_set:
            time.sleep(_POLL_SECONDS)
    return 0


def _ports(args: argparse.Namespace, before: int) -> tuple[int, int]:
    """Returns the ports of MLflow and optuna-dashboard for a local store.

    Args:
        args: parsed arguments.
        before: number of local stores before this store.

    Raises:
        InputError: a given port is not free.
    """
    found = []
    for place, given in enumerate((args.mlflow_port, args.optuna_port), start=1):
        first = given or (args.port and args.port + place)
        if first:
            _server(first + 2 * before).server_close()
        found.append(first + 2 * before if first else free_port())
    return found[0], found[1]


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
