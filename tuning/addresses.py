"""Addresses of servers and databases: checked before anything starts, shown without secrets.

An address may hold a password. It is passed on as it is, but nothing here repeats it: messages name
host and port, and an address that cannot be taken apart is not quoted at all.
"""

import re
import socket
from typing import Any
from urllib.parse import SplitResult, urlsplit

from scorelib.errors import InputError

_PROBE_SECONDS = 2.0
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_USER = re.compile(r"(?<=://)(?!/)\S*@")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:pass|secret|token|key|cred|sig)[^=&\s]*=)[^&\s'\"]*")


def without_secrets(text: str) -> str:
    """A text, such as an address or a library's message, without users and passwords in URLs."""
    return _SECRET.sub(r"\1***", _USER.sub("", text))


def require_server(uri: str) -> None:
    """Refuses a tracking URI, within seconds, unless a server or a database answers there.

    Raises:
        InputError: no URL, another kind of URL, or nothing answers.
    """
    parts = _split(uri, "tracking_uri")
    kind = parts.scheme.partition("+")[0]
    if kind in _DATABASES:
        require_database(uri, "tracking_uri")
    elif kind in ("http", "https"):
        port = parts.port or (443 if kind == "https" else 80)
        require_listening(parts.hostname or "", port, "tracking_uri")
    else:
        raise _wrong(
            "tracking_uri", "must be a server (http://HOST:PORT) or a database "
            f"(sqlite:///FILE, postgresql://...); got {_quoted(uri)}",
        )  # fmt: skip


def require_listening(host: str, port: int, field: str) -> None:
    """Raises InputError if nothing accepts connections at a host and port within two seconds.

    Args:
        host: a name or number.
        port: TCP port.
        field: what the address was given as.
    """
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except (OSError, UnicodeError) as error:  # the second of a name that cannot be a host's
        raise InputError(
            f"{field} {host}:{port} must answer; got {error}: start it or mend the address", field
        ) from error


def require_database(url: str, field: str) -> None:
    """Raises InputError, in one line, unless a database can be used; SQLite's is not made.

    Args:
        url: SQLAlchemy URL.
        field: what the address was given as.
    """
    from sqlalchemy import create_engine, exc  # a third of a second: not at import

    parts = _split(url, field)
    timeout: dict[str, Any] = {}
    if parts.scheme.startswith("postgresql"):
        timeout["connect_timeout"] = int(_PROBE_SECONDS)
    try:
        engine = create_engine(url, connect_args=timeout)
        if not parts.scheme.startswith("sqlite"):
            engine.connect().close()
        engine.dispose()
    except ImportError as error:
        raise _wrong(
            field, f"needs a package for {parts.scheme}, which is not installed ({error}): "
            "pip install 'score-studies[services]'",
        ) from error  # fmt: skip
    except (exc.SQLAlchemyError, ValueError) as error:
        cause = getattr(error, "orig", None) or "not a URL SQLAlchemy can use"
        account = f"got {_quoted(url)}: {without_secrets(str(cause))}"
        raise _wrong(field, f"must be a database that answers; {account}") from error


def require_no_password(url: str, field: str, instead: str) -> None:
    """Raises InputError if a URL that is written down holds a password.

    Args:
        url: the URL.
        field: what it was given as.
        instead: where its password belongs.
    """
    if "://" in url and (_split(url, field).password is not None or _SECRET.search(url)):
        raise InputError(f"{field} must hold no password, for it is written down; {instead}", field)


def _split(url: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises if it is no number)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    # An @ after the host or a space in it: a password that is not written as a URL wants it.
    odd = (":" in parts.netloc and "@" in parts.path) or re.search(r"\s", parts.netloc)
    if odd or ("://" in url and not parts.scheme):
        raise _wrong(
            field, "must be a URL such as http://HOST:PORT, with / and @ in a password written "
            "%2F and %40; it is not shown here, for it may hold one",
        )  # fmt: skip
    return parts


def _wrong(field: str, account: str) -> InputError:
    return InputError(f"{field} {account}", field)


def _quoted(url: str) -> str:
    """A URL for a message; one without a host is shown only if it cannot hold a password."""
    shown = without_secrets(url)
    return "another address, not shown here" if "@" in shown else repr(shown)
