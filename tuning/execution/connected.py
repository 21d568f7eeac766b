"""The Ray to which a process is connected before a session begins, as in a notebook."""

import contextlib
import socket

from scorelib.errors import InputError
from tuning.execution.ray_import import ray, ray_client


def is_connected() -> bool:
    """Returns whether this process is connected to a Ray."""
    return bool(ray.is_initialized())


def require_usable(address: str | None) -> None:
    """Raises InputError unless a session can use the Ray to which this process is connected.

    Args:
        address: address that the session shall have; None for any.
    """
    if ray_client.is_connected():
        raise InputError(
            "this process must be connected to Ray on a node of the cluster, but is connected by a "
            "ray:// address, which would separate the driver from its store and lock: use `ray job "
            "submit`, or call ray.shutdown() first",
            "address",
        )
    own = str(ray.get_runtime_context().gcs_address)
    if address not in (None, "auto") and _numeric(address) != _numeric(own):
        raise InputError(
            f"the address must be that of the Ray to which this process is connected, {own}, but "
            f"got {address!r}: leave the address out, or call ray.shutdown() first",
            "address",
        )


def _numeric(address: str) -> str:
    """Returns an address with the IP of its host; the loopback is this node."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):  # an unknown name stays as it is
        host = socket.gethostbyname(host)
    return f"{ray.util.get_node_ip_address() if host.startswith('127.') else host}:{port}"
