"""The hosts of a request that pages of this machine answer, against DNS rebinding.

A website that a user visits can give its own name the address 127.0.0.1. The browser then sends the
requests of this website to a local server, with the name of the website as their host.
"""


def refusal(host: str | None, port: int) -> str | None:
    """Returns why a request is refused, in one line; None if the host is this machine.

    Args:
        host: host of the request, with its port.
        port: port of the page.
    """
    if host in {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}:
        return None
    return (
        f"the address must begin with http://127.0.0.1:{port} or http://localhost:{port}; through "
        f"a tunnel, use the same port {port} on your machine\n"
    )
