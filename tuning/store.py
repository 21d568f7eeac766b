"""The store: finished jobs by content key; the truth that resuming and sharing rest on.

Everything lives under one fsspec URL (a folder, ``s3://bucket/path``, ...):

    store.json                              format of the store
    objects/STAGE/KEY/manifest.json         the commit point of a finished job
    objects/STAGE/KEY/ATTEMPT/NAME          its files
    checkpoints/KEY/NAME                    resumable state of training runs, the newest only
    ledger/KEY/NAME.json                    proposals of each search
    set-aside/...                           manifests of objects found corrupt

Invariants:

- An object exists if and only if its manifest does. Files are written first, each attempt in a
  folder of its own, and the manifest last, by an atomic replace (a rename on a file system, a PUT
  on an object store). A crash leaves files without a manifest: invisible, harmless.
- A manifest holds size and SHA-256 of every file and a digest of itself. Nothing is returned
  unverified: what fails is set aside, reported as `CorruptObjectError`, and so made again.
- Committing a key twice is waste, never wrong: jobs are deterministic and the first manifest stays.
- Nothing here is ever unpickled.
"""

import contextlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from scorelib.errors import InputError
from tuning.files import create_local, file_system, replace_local
from tuning.node_cache import NodeCache, sha256

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")


class CorruptObjectError(Exception):
    """A stored object failed its checksum; it has been set aside and must be made again."""

    def __init__(self, stage: str, key: str, why: str) -> None:
        super().__init__(f"{stage} {key} is corrupt ({why}); it was set aside")
        self.stage, self.key = stage, key


class StoreWriteError(InputError):
    """The store cannot be written to: full, read-only or gone."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a finished job.

    Attributes:
        stage: the job's stage.
        key: its content key.
        spec: its spec as JSON.
        result: its small results (numbers, a failure's cause); JSON.
        cost: what it took: seconds, images, network evaluations, device; JSON.
        files: for each file its path below the object, size in bytes and SHA-256.
    """

    stage: str
    key: str
    spec: dict[str, Any]
    result: dict[str, Any]
    cost: dict[str, Any]
    files: dict[str, dict[str, Any]]

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(int(f["size"]) for f in self.files.values())


class Store:
    """Finished jobs, checkpoints and the ledger under one fsspec URL.

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
        self._cache = NodeCache()
        self._check_format(create)

    def _check_format(self, create: bool) -> None:
        document = _read_format(self._fs, self._root, self.url)
        if document is None:
            if not create:
                raise InputError(f"--store must hold a store; {self.url!r} has no store.json")
            self._put(self._path("store.json"), _dump({"format": FORMAT}))
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
            raise InputError(f"{self.url!r} is not a local folder; give --tracking-uri a server")
        return Path(self._root)

    def require_writable(self) -> None:
        """Raises StoreWriteError, in one line, if a small file cannot be written now."""
        probe = self._path(f"probe-{uuid.uuid4().hex}")
        self._put(probe, b"probe" * 1000)
        self._fs.rm_file(probe)

    # -- objects ---------------------------------------------------------------------------------

    def stored_keys(self) -> set[str]:
        """Keys of all finished jobs, in one listing."""
        pattern = re.compile(r"/objects/[^/]+/([0-9a-f]+)/manifest\.json$")
        found = (pattern.search("/" + path) for path in self._fs.find(self._path("objects")))
        return {match.group(1) for match in found if match}

    def has(self, stage: str, key: str) -> bool:
        """Whether the job is finished."""
        return bool(self._fs.exists(self._manifest_path(stage, key)))

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The verified manifest of a finished job, or None; a corrupt one is set aside."""
        try:
            body = json.loads(self._fs.cat_file(self._manifest_path(stage, key)))
            digest = body.pop("digest")
            if digest != sha256(_dump(body)):
                raise ValueError("digest differs")
            return Manifest(**body)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            self.set_aside(stage, key)
            return None

    def read(self, stage: str, key: str, name: str) -> bytes:
        """A file of a finished job, verified.

        Raises:
            CorruptObjectError: the object or the file is missing, truncated or altered.
        """
        manifest = self.manifest(stage, key)
        if manifest is None:
            raise CorruptObjectError(stage, key, "no valid manifest")
        entry = manifest.files.get(name)
        if entry is None:
            raise KeyError(f"{stage} {key} has no file {name!r}")
        try:
            data = self._fetch(f"{self._object(stage, key)}/{entry['path']}", entry["sha256"])
        except FileNotFoundError:
            data = b""
        if len(data) != entry["size"] or sha256(data) != entry["sha256"]:
            self.set_aside(stage, key)
            raise CorruptObjectError(stage, key, f"checksum of {name}")
        return data

    def _fetch(self, path: str, digest: str) -> bytes:
        """A file's bytes, from the node's cache if the store is elsewhere."""
        if self.is_local:
            return bytes(self._fs.cat_file(path))
        return self._cache.read(digest, lambda: bytes(self._fs.cat_file(path)))

    def commit(
        self,
        stage: str,
        key: str,
        *,
        spec: dict[str, Any],
        result: dict[str, Any],
        cost: dict[str, Any],
        files: Mapping[str, bytes],
    ) -> None:
        """Stores a finished job, whole or not at all; a job already stored is left as it is.

        Raises:
            StoreWriteError: the store is full or cannot be written.
        """
        if self.has(stage, key):
            return
        attempt = uuid.uuid4().hex[:12]
        entries = {}
        for name, data in files.items():
            path = f"{attempt}/{_checked(name)}"
            self._put(f"{self._object(stage, key)}/{path}", data)
            entries[name] = {"path": path, "size": len(data), "sha256": sha256(data)}
        body = {
            "stage": stage, "key": key, "spec": spec, "result": result, "cost": cost,
            "files": entries,
        }  # fmt: skip
        manifest = _dump(body | {"digest": sha256(_dump(body))})
        self._put(self._manifest_path(stage, key), manifest)

    def set_aside(self, stage: str, key: str) -> None:
        """Takes a corrupt object out of sight; its manifest is kept for inspection."""
        target = self._path(f"set-aside/{stage}-{key}-{uuid.uuid4().hex[:8]}.json")
        self._fs.makedirs(self._path("set-aside"), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            self._fs.mv(self._manifest_path(stage, key), target)

    # -- checkpoints: mutable, newest only --------------------------------------------------------

    def put_checkpoint(self, key: str, name: str, data: bytes) -> None:
        """Writes (or replaces, atomically) a piece of resumable state with its checksum."""
        path = self._path(f"checkpoints/{_checked(key)}/{_checked(name)}")
        self._put(path, bytes.fromhex(sha256(data)) + data)

    def checkpoint(self, key: str, name: str) -> bytes | None:
        """A piece of resumable state, or None if there is none or it is corrupt."""
        path = self._path(f"checkpoints/{_checked(key)}/{_checked(name)}")
        try:
            data = bytes(self._fs.cat_file(path))
        except FileNotFoundError:
            return None
        digest, body = data[:32], data[32:]
        return body if digest == bytes.fromhex(sha256(body)) else None

    def checkpoint_names(self, key: str) -> list[str]:
        """Names of the pieces of resumable state under a key, sorted."""
        return self._names(f"checkpoints/{_checked(key)}")

    def drop_checkpoint(self, key: str, name: str) -> None:
        """Removes a piece of resumable state, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(f"checkpoints/{_checked(key)}/{_checked(name)}"))

    # -- documents: the ledger's and other small JSON ---------------------------------------------

    def put_picture(self, folder: str, name: str, data: bytes) -> None:
        """Writes a picture for people, replacing an earlier one."""
        self._put(self._path(f"pictures/{_checked(folder)}/{_checked(name)}"), data)

    def put_document(self, folder: str, name: str, body: Any) -> None:
        """Writes a small JSON document atomically."""
        self._put(self._path(f"{folder}/{_checked(name)}.json"), _dump(body))

    def document(self, folder: str, name: str) -> Any | None:
        """A small JSON document, or None if there is none or it is corrupt."""
        try:
            return json.loads(self._fs.cat_file(self._path(f"{folder}/{_checked(name)}.json")))
        except (FileNotFoundError, ValueError):
            return None

    def create_document(self, folder: str, name: str, body: Any) -> bool:
        """Writes a document only if there is none; False if there is."""
        path = self._path(f"{folder}/{_checked(name)}.json")
        try:
            if self.is_local:
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
                create_local(path, _dump(body))
            else:
                self._fs.pipe_file(path, _dump(body), mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            raise self._write_error(error) from error
        return True

    def remove_document(self, folder: str, name: str) -> None:
        """Removes a document, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(f"{folder}/{_checked(name)}.json"))

    def document_names(self, folder: str) -> list[str]:
        """Names of the documents in a folder, sorted."""
        return [n.removesuffix(".json") for n in self._names(folder) if n.endswith(".json")]

    # -- paths and bytes ---------------------------------------------------------------------------

    def _names(self, folder: str) -> list[str]:
        try:
            paths = self._fs.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        names = (PurePosixPath(p).name for p in paths)
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _path(self, relative: str) -> str:
        return f"{self._root}/{relative}"

    def _object(self, stage: str, key: str) -> str:
        return self._path(f"objects/{_checked(stage)}/{_checked(key)}")

    def _manifest_path(self, stage: str, key: str) -> str:
        return f"{self._object(stage, key)}/manifest.json"

    def _put(self, path: str, data: bytes) -> None:
        try:
            if self.is_local:
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
                replace_local(path, data)
            else:
                self._fs.pipe_file(path, data)
        except Exception as error:  # object stores' clients have errors of their own
            raise self._write_error(error) from error

    def _write_error(self, error: Exception) -> StoreWriteError:
        return StoreWriteError(
            f"the store {self.url!r} must be writable and have room; "
            f"{getattr(error, 'strerror', None) or repr(error)}: free space or mend permissions, "
            "then run again"
        )


def _checked(name: str) -> str:
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


def _dump(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()
