"""Checks of the addresses of servers and databases, with messages that show no secrets.

Addresses are checked before any work starts. An address may hold a password. The address is passed
on unchanged, but no message repeats the password: messages name only the host and port, and an
address that cannot be parsed is not quoted at all.
"""

import os
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from scorelib.errors import InputError

_PROBE_SECONDS = 2.0
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_USER = re.compile(r"(?<=://)(?!/)\S*@")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:pass|secret|token|key|cred|sig)[^=&\s]*=)[^&\s'\"]*")


def without_secrets(text: str) -> str:
    """Returns a text with the user names, passwords and keys of its URLs removed.

    Args:
        text: any text, such as an address or an error message of a library.
    """
    return _SECRET.sub(r"\1***", _USER.sub("", text))


def local_path(text: str) -> Path:
    """Returns a path that a user gives, with ``~`` and ``~USER`` replaced by home folders.

    Args:
        text: the path.

    Raises:
        InputError: the path is empty, or begins with ``~``, but this user has no home folder.
    """
    if not text.strip():  # would be the current folder
        raise InputError(f"a path must not be empty, but got {text!r}: is a variable unset?")
    require_utf8(text)
    expanded = os.path.expanduser(text)
    if expanded == text and text.split("/")[0] == "~":
        raise InputError(
            f"a path with ~ needs a home folder, but got {text!r}, and this user has no home "
            "folder: write the whole path, or set HOME"
        )
    return Path(expanded)


def path_text(given: str | os.PathLike[str], field: str) -> str:
    """Returns a name, a path or a URL as text.

    Args:
        given: what the user gave.
        field: name of the field, for the message.

    Raises:
        InputError: what is given is none of these.
    """
    found = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(found, str) or not found.strip():
        raise InputError(f"{field} must be a name or a path, but got {given!r}", field)
    return found


def require_utf8(path: str) -> None:
    """Raises InputError for a path with bytes that are not UTF-8.

    Documents, databases and other machines get paths as text, which cannot hold such bytes.

    Args:
        path: a path, in which Python writes such bytes as lone surrogates.
    """
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"a path must be UTF-8, but got {os.fsencode(path)!r}: rename the folder or file"
        ) from error


def with_home(address: str) -> str:
    """Returns an address with the ``~`` of a local path or of a SQLite file replaced.

    Args:
        address: a path, or a URL, such as ``sqlite:///~/mlflow.db``.

    Raises:
        InputError: the path begins with ``~``, but this user has no home folder.
    """
    prefix = "sqlite:///" if address.startswith("sqlite:///") else ""
    path = address.removeprefix(prefix)
    require_utf8(path)
    return prefix + str(local_path(path)) if path.startswith("~") else address


def sqlite_url(file: Path) -> str:
    """Returns the SQLAlchemy URL of a SQLite file, whose path may hold any characters.

    Args:
        file: absolute path of the file.
    """
    from sqlalchemy import URL  # here, because the import takes 0.3 s

    # With the name of the driver, because MLflow makes the folder of a "sqlite:///..." as the
    # folder is written in the URL, which is another folder if a character is escaped.
    return URL.create("sqlite+pysqlite", database=str(file)).render_as_string()


def is_database(uri: str) -> bool:
    """Returns whether a tracking URI is the SQLAlchemy URL of a database, and not of a server."""
    return uri.partition(":")[0].partition("+")[0] in _DATABASES


def database_file(url: str) -> Path | None:
    """Returns the file of a SQLite database; None for the URL of any other database or server.

    Args:
        url: a URL that SQLAlchemy can parse, or the URL of a server.
    """
    if not url.startswith("sqlite"):
        return None
    from sqlalchemy import make_url  # here, because the import takes 0.3 s

    file = make_url(url).database
    return Path(file) if file and file != ":memory:" else None


def require_server(uri: str) -> None:
    """Raises InputError, within seconds, unless a tracking URI leads to a server or a database.

    Args:
        uri: an http or https URL of a server, or a SQLAlchemy URL of a database.

    Raises:
        InputError: if `uri` is no URL or a URL of another kind, or if nothing answers there.
    """
    parts = _split(uri, "tracking_uri")
    if is_database(uri):
        require_database(uri, "tracking_uri")
        require_database_folder(uri, "tracking_uri")
    elif parts.scheme in ("http", "https"):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        require_listening(parts.hostname or "", port, "tracking_uri")
    else:
        raise _wrong(
            "tracking_uri", "must be a server (http://HOST:PORT) or a database "
            f"(sqlite:///FILE, postgresql://...), but got {_quoted(uri)}",
        )  # fmt: skip


def require_listening(host: str, port: int, field: str) -> None:
    """Raises InputError if nothing accepts connections at a host and port within two seconds.

    Args:
        host: a host name or an IP address.
        port: a TCP port.
        field: the name of the setting that holds the address.
    """
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except (OSError, UnicodeError) as error:  # UnicodeError: the text is no valid host name
        raise InputError(
            f"{field} {host}:{port} must answer, but got {error}: start the server or correct the "
            "address",
            field,
        ) from error


def require_database(url: str, field: str) -> None:
    """Raises InputError, with a message of one line, unless a database can be used.

    A SQLite file is neither created nor opened.

    Args:
        url: a SQLAlchemy URL.
        field: the name of the setting that holds the URL.
    """
    from sqlalchemy import create_engine, exc  # here, because the import takes 0.3 s

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
        is_ours = parts.scheme.startswith("postgresql")
        cure = "run pip install 'score-studies[services]'" if is_ours else "install its driver"
        raise _wrong(
            field, f"needs a package for {parts.scheme} that is not installed ({error}): {cure}"
        ) from error
    except (exc.SQLAlchemyError, ValueError) as error:
        cause = getattr(error, "orig", None) or "SQLAlchemy cannot use this URL"
        account = f"got {_quoted(url)}: {without_secrets(str(cause))}"
        raise _wrong(field, f"must be a database that answers, but {account}") from error


def require_database_folder(url: str, field: str) -> None:
    """Raises InputError if a SQLite file would lie in a folder that is not there.

    Args:
        url: a SQLAlchemy URL that passed `require_database`.
        field: the name of the setting that holds the URL.
    """
    file = database_file(url)
    if url.startswith("sqlite") and (file is None or not file.parent.is_dir()):
        raise _wrong(
            field, f"must be a SQLite file in a folder that is there, but got {_quoted(url)}: make "
            "the folder or correct the address",
        )  # fmt: skip


def require_no_password(url: str, field: str, instead: str) -> None:
    """Raises InputError if a URL that will be stored holds a password.

    Args:
        url: the URL.
        field: the name of the setting that holds the URL.
        instead: advice for the message on where to give the password.
    """
    if "://" in url and (_split(url, field).password is not None or _SECRET.search(url)):
        raise InputError(f"{field} must hold no password, because it is stored: {instead}", field)


def _split(url: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises ValueError if the port is no number)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    # An @ after the host, or a space in the host, comes from a password that is not URL-encoded.
    odd = (":" in parts.netloc and "@" in parts.path) or re.search(r"\s", parts.netloc)
    if odd or ("://" in url and not parts.scheme):
        raise _wrong(
            field, "must be a URL such as http://HOST:PORT, with / and @ in a password written as "
            "%2F and %40; the value is not shown here, because it may hold a password",
        )  # fmt: skip
    return parts


def _wrong(field: str, account: str) -> InputError:
    return InputError(f"{field} {account}", field)


def _quoted(url: str) -> str:
    """Returns a URL as a message may show it, or a placeholder if the URL may hold a password."""
    shown = without_secrets(url)
    return "an address that is not shown here" if "@" in shown else repr(shown)
