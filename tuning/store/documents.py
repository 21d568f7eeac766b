"""Small files under one URL: the documents of a store, its pictures, and its format.

A document is JSON, written whole: by an atomic replace (a rename on a file system, a PUT on an
object store), or only if there is none. Names are checked, so that none leaves its folder.
"""

import contextlib
import errno
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from scorelib.errors import InputError
from tuning.store.files import create_local, file_system, replace_local

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")


class StoreError(InputError):
    """The store cannot be used as it is."""


class StoreReadError(StoreError):
    """The store cannot be read: out of reach, or closed to this user."""


class StoreWriteError(StoreError):
    """The store cannot be written to: full, read-only or gone."""


class Documents:
    """Small files under one fsspec URL, which holds a store.

    Every method that reads may raise StoreReadError, every one that changes something
    StoreWriteError, with what the file system said.

    Args:
        url: a folder or any fsspec URL.
        create: make the store if it is not there.

    Raises:
        InputError: no store at the URL (with create=False), or one made by a newer version.
        StoreWriteError: it cannot be created.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self._fs, root = file_system(url)
        self.url, self._root = url, root.rstrip("/")
        self.is_local = isinstance(self._fs, LocalFileSystem)
        self._check_format(create)

    def _check_format(self, create: bool) -> None:
        document = _read_format(self._fs, self._root, self.url)
        if document is None:
            if not create:
                raise InputError(
                    f"the folder must hold a store; {self.url!r} has no store.json", "store"
                )
            if self.is_local:
                with self._writing():
                    self._fs.makedirs(self._root, exist_ok=True)
                    replace_local(self._path("store.json"), as_json({"format": FORMAT}))
            else:
                self._put(self._path("store.json"), as_json({"format": FORMAT}))
            return
        found = document.get("format") if isinstance(document, dict) else None
        if not isinstance(found, int):
            raise InputError(
                f"store.json of {self.url!r} cannot be read: it must hold a format number; got "
                f"{found!r}"
            )
        if found > FORMAT:
            raise InputError(
                f"the store {self.url!r} must have format {FORMAT} or older; it has {found}: "
                "made by a newer version, update this one"
            )

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there is a store at a URL.

        Raises:
            InputError: that cannot be told: no credentials, no connection, not readable.
        """
        found, root = file_system(url)
        return _read_format(found, root.rstrip("/"), url) is not None

    @property
    def folder(self) -> Path:
        """The store's folder; for databases that must be local files.

        Raises:
            InputError: the store is not on a local file system.
        """
        if not self.is_local:
            raise InputError(
                f"a store without a tracking server must be a local folder; got {self.url!r}",
                "tracking_uri",
            )
        return Path(self._root)

    def require_writable(self) -> None:
        """Raises StoreWriteError, in one line, if a small file cannot be written now."""
        probe = self._path(f"probe-{uuid.uuid4().hex}")
        self._put(probe, b"probe" * 1000)
        self._remove(probe)

    def put_pictures(self, folder: str, pictures: Mapping[str, bytes]) -> None:
        """Writes a folder's PNG files for people, by name; earlier ones with other names go."""
        place = f"pictures/{checked_name(folder)}"
        for name, data in pictures.items():
            self._put(self._path(f"{place}/{checked_name(name)}"), data)
        for name in (n for n in self._names(place) if n.endswith(".png") and n not in pictures):
            self._remove(self._path(f"{place}/{name}"))

    def put_document(self, folder: str, name: str, body: Any) -> None:
        """Writes a small JSON document atomically."""
        self._put(self._path(f"{folder}/{checked_name(name)}.json"), as_json(body))

    def document(self, folder: str, name: str) -> Any | None:
        """A small JSON document, or None if there is none or it is corrupt."""
        data = self._get(self._path(f"{folder}/{checked_name(name)}.json"))
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            return None

    def create_document(self, folder: str, name: str, body: Any) -> bool:
        """Writes a document only if there is none; False if there is."""
        path = self._path(f"{folder}/{checked_name(name)}.json")
        with self._writing():
            try:
                if self.is_local:
                    self._make_folder(self._fs._parent(path))
                    create_local(path, as_json(body))
                else:
                    self._fs.pipe_file(path, as_json(body), mode="create")
            except FileExistsError:
                return False
        return True

    def remove_document(self, folder: str, name: str) -> None:
        """Removes a document, if it is there."""
        self._remove(self._path(f"{folder}/{checked_name(name)}.json"))

    def document_names(self, folder: str) -> list[str]:
        """Names of the documents in a folder, sorted."""
        return [n.removesuffix(".json") for n in self._names(folder) if n.endswith(".json")]

    # -- paths and bytes ---------------------------------------------------------------------------

    def _names(self, folder: str) -> list[str]:
        with self._reading():
            try:
                paths = self._fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        names = (PurePosixPath(p).name for p in paths)
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _path(self, relative: str) -> str:
        return f"{self._root}/{relative}"

    def _get(self, path: str) -> bytes | None:
        """A file's bytes, or None if it is not there."""
        with self._reading():
            try:
                return bytes(self._fs.cat_file(path))
            except FileNotFoundError:
                return None

    def _put(self, path: str, data: bytes) -> None:
        with self._writing():
            if self.is_local:
                self._make_folder(self._fs._parent(path))
                replace_local(path, data)
            else:
                self._fs.pipe_file(path, data)

    def _make_folder(self, path: str) -> None:
        """Makes a folder in a store that is there: removed or unmounted at work, it stays so."""
        try:
            self._fs.info(self._path("store.json"))
        except FileNotFoundError:
            message = "it is not there any more"
            raise FileNotFoundError(errno.ENOENT, message, self._root) from None
        self._fs.makedirs(path, exist_ok=True)

    def _remove(self, path: str) -> None:
        with self._writing(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(path)

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        """Makes a StoreReadError of what a file system raises."""
        return self._guarded(StoreReadError, "be readable", "mend permissions or the connection")

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        """Makes a StoreWriteError of what a file system raises."""
        return self._guarded(
            StoreWriteError, "be writable and have room", "free space or mend permissions"
        )

    @contextlib.contextmanager
    def _guarded(self, kind: type[StoreError], must: str, mend: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # object stores' clients have errors of their own
            raise kind(
                f"the store {self.url!r} must {must}; {_account(error)}: {mend}, then run again"
            ) from error


def _account(error: Exception) -> str:
    return getattr(error, "strerror", None) or repr(error)


def checked_name(name: str) -> str:
    """A name that cannot leave its folder."""
    if not _NAME.fullmatch(name):
        raise InputError(f"a stored name must match {_NAME.pattern}; got {name!r}")
    return name


def _read_format(file_system: Any, root: str, url: str) -> Any | None:
    """What store.json says, or None if there is none."""
    try:
        return json.loads(file_system.cat_file(f"{root}/store.json"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # object stores' clients have errors of their own
        raise InputError(f"store.json of {url!r} cannot be read: {error!r}") from error


def as_name(text: str) -> str:
    """Any text, such as a device's, as a stored name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "unknown"


def as_json(body: Any) -> bytes:
    """JSON, the same bytes for equal bodies; ValueError for numbers that are not finite."""
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()
