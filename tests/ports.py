"""Ports for servers that tests start."""

import random
import socket

_FIRST, _LAST = 20_000, 32_000
"""Range below the ports that Linux gives to connections and above the ports of Ray's workers."""

_chance = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Returns consecutive ports of 127.0.0.1 on which no process listens.

    No other process gets one of the ports by chance before the test uses the port: Linux gives
    ports above this range to connections and to servers that ask for any port.

    Args:
        count: number of ports, at least 1.
    """
    while True:
        first = _chance.randrange(_FIRST, _LAST - count)
        ports = list(range(first, first + count))
        if all(map(_is_free, ports)):
            return ports


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which no process listens; see `free_ports`."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
