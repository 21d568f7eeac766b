"""Reads and writes the small files of a store.

A store is the folder, or the place in an object store, where studies keep their results. Its small
files are JSON documents, PNG pictures and ``store.json``, which marks the place as a store and
contains the version number of the store's format. (`tuning.store.store` adds the results of jobs.)

Readers never see half a document: a write either replaces the whole file atomically (a rename on a
file system, a PUT on an object store) or creates a file that did not exist. Names of documents are
checked, so that a name such as "../x" cannot lead outside the store.
"""

import contextlib
import json
import logging
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from scorelib.errors import InputError
from scorelib.unicode_forms import other_form
from tuning.store.files import create_local, file_system, replace_local
from tuning.store.processes import mark
from tuning.store.shapes import NAME, parsed, shape_of

FORMAT = 2  # since 2, manifests name the code; version 0.2 would take them for corrupt


class StoreError(InputError):
    """An error that prevents the use of the store in its present state."""


class StoreReadError(StoreError):
    """A failed read: the store cannot be reached, or this user has no permission to read it."""


class StoreWriteError(StoreError):
    """A failed write: the store is full, read-only or no longer there."""


class DamagedDocumentError(StoreError):
    """A document that is damaged and that no run writes again by itself."""


class Documents:
    """The small files of the store at one fsspec URL.

    Every method that reads may raise StoreReadError, and every method that writes may raise
    StoreWriteError. The messages contain the error of the file system.

    Args:
        url: path of a folder or any fsspec URL.
        create: whether to create the store if there is none.

    Raises:
        InputError: if there is no store at the URL (with create=False), or if a newer version made
            the store.
        StoreWriteError: if the store cannot be created.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self._fs, root = file_system(url)
        self.url, self._root = url, root.rstrip("/")
        self.is_local = isinstance(self._fs, LocalFileSystem)
        self._said: set[str] = set()
        self._check_format(create)

    def _check_format(self, create: bool) -> None:
        document = _read_format(self._fs, self._root, self.url)
        if document is None:
            if not create:
                raise InputError(
                    f"{self.url!r} must be a store, but it has no store.json: correct the name, "
                    "mount the folder, or run a study, which creates a store"
                    f"{other_form(Path(self._root)) if self.is_local else ''}",
                    "store",
                )
            if self.is_local:
                with self._writing():
                    self._fs.makedirs(self._root, exist_ok=True)
                    replace_local(self._path("store.json"), as_json({"format": FORMAT}))
            else:
                self._put(self._path("store.json"), as_json({"format": FORMAT}))
            return
        found = document.get("format") if isinstance(document, dict) else None
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise InputError(
                f"store.json of {self.url!r} cannot be read: it must hold a format number, but got "
                f"{found!r}"
            )
        if found > FORMAT:
            raise InputError(
                f"the store {self.url!r} must have format {FORMAT} or older, but it has {found}: "
                "a newer version of score-studies made it, so update score-studies"
            )
        if found < FORMAT and create:
            self._put(self._path("store.json"), as_json({"format": FORMAT}))

    @staticmethod
    def exists(url: str) -> bool:
        """Returns whether there is a store at a URL.

        Args:
            url: path of a folder or any fsspec URL.

        Raises:
            InputError: if the URL cannot be read, for example without credentials or connection.
        """
        found, root = file_system(url)
        return _read_format(found, root.rstrip("/"), url) is not None

    @property
    def folder(self) -> Path:
        """The store's local folder, which also contains the SQLite databases of MLflow and Optuna.

        Raises:
            InputError: if the store is not on a local file system, where SQLite cannot work.
        """
        if not self.is_local:
            raise InputError(
                f"a store without a tracking server must be a local folder, but got {self.url!r}",
                "tracking_uri",
            )
        return Path(self._root)

    @property
    def place(self) -> str:
        """The identity, on this host, of the store's place; a copy of the store has another one.

        A local folder is identified by its device and inode, so that several paths can lead to it.
        """
        if not self.is_local:
            return self._root
        with self._reading():
            found = Path(self._root).stat()
        return f"{found.st_dev}:{found.st_ino}"

    def require_writable(self) -> None:
        """Raises StoreWriteError, with a message of one line, if a small file cannot be written."""
        probe = self._path(f"probe-{mark(os.getpid())}-{uuid.uuid4().hex}")
        self._put(probe, b"probe" * 1000)
        self._remove(probe)

    def put_pictures(self, folder: str, pictures: Mapping[str, bytes]) -> None:
        """Writes the PNG files of a folder and removes older PNG files with other names.

        Args:
            folder: name of the folder below ``pictures/``.
            pictures: contents of PNG files, by name.
        """
        place = f"pictures/{checked_name(folder)}"
        for name, data in pictures.items():
            self._put(self._path(f"{place}/{checked_name(name)}"), data)
        for name in (n for n in self._names(place) if n.endswith(".png") and n not in pictures):
            self._remove(self._path(f"{place}/{name}"))

    def put_document(self, folder: str, name: str, body: Any) -> None:
        """Writes a JSON document atomically, replacing an earlier one.

        Args:
            folder: path of the folder in the store.
            name: name of the document, without ".json".
            body: content; anything that can be written as JSON.

        Raises:
            InputError: if `name` could leave its folder.
            ValueError: if a number in `body` is not finite.
        """
        self._put(self._path(f"{folder}/{checked_name(name)}.json"), as_json(body))

    def document(self, folder: str, name: str, *, is_replaced: bool = False) -> Any | None:
        """Returns the content of a JSON document, or None if there is none.

        A damaged document that a run writes again is set aside, with a warning of one line. A
        damaged document of a driver counts as missing and stays in its place.

        Args:
            folder: path of the folder in the store.
            name: name of the document, without ".json".
            is_replaced: whether the caller writes the document anew, from what a user gave.

        Raises:
            DamagedDocumentError: the document is damaged, and no run writes the document again.
        """
        data = self.document_bytes(folder, name)
        shape = shape_of(folder)
        try:
            return None if data is None else parsed(data, shape)
        except ValueError as error:
            if shape.cure and not is_replaced:
                raise DamagedDocumentError(
                    f"{folder}/{name}.json of the store {self.url!r} must hold {shape.holds}, but "
                    f"is damaged ({_in_one_line(error)}): {shape.cure}"
                ) from error
            if not shape.is_of_drivers:
                self.set_document_aside(folder, name, _in_one_line(error))
            return None

    def document_bytes(self, folder: str, name: str) -> bytes | None:
        """Returns the bytes of a document, damaged or not, or None if there is none."""
        return self._get(self._path(f"{folder}/{checked_name(name)}.json"))

    def set_document_aside(self, folder: str, name: str, why: str) -> None:
        """Moves a damaged document to ``set-aside/`` and warns in one line.

        In a read-only store the document stays in place, and counts as missing.

        Args:
            folder: path of the folder in the store.
            name: name of the document, without ".json".
            why: the fault of the document, for the warning.
        """
        document = f"{folder}/{checked_name(name)}"
        if document not in self._said:
            self._said.add(document)
            logging.getLogger(__name__).warning(
                "%s.json of the store %r is damaged (%s) and was set aside: the next run writes it "
                "again", document, self.url, why,
            )  # fmt: skip
        self._move_aside(self._path(f"{document}.json"), document.replace("/", "-"))

    def _move_aside(self, path: str, name: str) -> None:
        target = self._path(f"set-aside/{name}-{uuid.uuid4().hex[:8]}.json")
        with contextlib.suppress(StoreWriteError), self._writing():
            self._make_folder(self._path("set-aside"))
            with contextlib.suppress(FileNotFoundError):  # another process has already moved it
                self._fs.mv(path, target)

    def create_document(self, folder: str, name: str, body: Any) -> bool:
        """Creates a JSON document unless a document of this name exists.

        If several processes try at the same time, exactly one of them creates the document.

        Returns:
            True if the document was created, False if a document of this name exists already.
        """
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
        """Removes a document if it exists."""
        self._remove(self._path(f"{folder}/{checked_name(name)}.json"))

    def document_names(self, folder: str) -> list[str]:
        """Returns the sorted names of the documents in a folder."""
        return [n.removesuffix(".json") for n in self._names(folder) if n.endswith(".json")]

    # -- paths and bytes ---------------------------------------------------------------------------

    def _names(self, folder: str) -> list[str]:
        with self._reading(self._path(folder)):
            try:
                paths = self._fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        names = (PurePosixPath(p).name for p in paths)
        return sorted(name for name in names if NAME.fullmatch(name))

    def _path(self, relative: str) -> str:
        return f"{self._root}/{relative}"

    def _get(self, path: str) -> bytes | None:
        """Returns the content of a file, or None if the file is missing."""
        with self._reading(path):
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
        """Creates a folder in the store, provided that the store still exists.

        Without this check, a write after the removal or unmounting of the store would create a
        second store with only a part of the results.

        Raises:
            StoreWriteError: if the store no longer exists.
        """
        try:
            self._fs.info(self._path("store.json"))
        except FileNotFoundError:
            raise StoreWriteError(
                f"the store {self.url!r} must stay in place during a run, but it no longer exists: "
                "mount or restore it, then run again"
            ) from None
        self._fs.makedirs(path, exist_ok=True)

    def _remove(self, path: str) -> None:
        with self._writing(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(path)

    def _reading(self, path: str = "") -> contextlib.AbstractContextManager[None]:
        """Returns a context that turns every exception of a file system into a StoreReadError.

        Args:
            path: the file or folder that is read, for the message; "" for the whole store.
        """
        where = f" of {path.removeprefix(self._root + '/')}" if path else ""
        return self._guarded(
            StoreReadError, "be readable", "fix permissions, the disk or the connection", where
        )

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        """Returns a context that turns every exception of a file system into a StoreWriteError."""
        return self._guarded(
            StoreWriteError, "be writable and have free space", "free space or fix permissions"
        )

    @contextlib.contextmanager
    def _guarded(
        self, kind: type[StoreError], must: str, mend: str, where: str = ""
    ) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # clients of object stores define their own exceptions
            raise kind(
                f"the store {self.url!r} must {must}, but access{where} failed "
                f"({_account(error)}): {mend}, then run again"
            ) from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _account(error: Exception) -> str:
    return getattr(error, "strerror", None) or repr(error)


def checked_name(name: str) -> str:
    """Returns a name unchanged if it cannot leave its folder; otherwise raises InputError."""
    if not NAME.fullmatch(name):
        raise InputError(f"a stored name must match {NAME.pattern}, but got {name!r}")
    return name


def _read_format(file_system: Any, root: str, url: str) -> Any | None:
    """Returns the content of store.json, or None if there is no such file."""
    try:
        return json.loads(file_system.cat_file(f"{root}/store.json"))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise InputError(
            f"the store must be a folder, but {url!r} is a file or lies below a file: name another "
            "folder",
            "store",
        ) from error
    except Exception as error:  # clients of object stores define their own exceptions
        raise InputError(
            f"store.json of {url!r} cannot be read: {_account(error)}: mend the file, its "
            "permissions, the disk or the connection, then run again"
        ) from error


def as_name(text: str) -> str:
    """Converts a text, such as the name of a device, to a valid stored name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "unknown"


def as_json(body: Any) -> bytes:
    """Returns a body as JSON, with the same bytes for equal bodies.

    Raises:
        ValueError: if a number in the body is not finite.
    """
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()
