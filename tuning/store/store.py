"""The store: finished jobs by content key; the truth that resuming and sharing rest on.

Everything lives under one fsspec URL (a folder, ``s3://bucket/path``, ...):

    store.json                              format of the store
    objects/STAGE/KEY/manifest.json         the commit point of a finished job
    objects/STAGE/KEY/ATTEMPT/NAME          its files
    checkpoints/KEY/NAME                    resumable state of training runs, the newest only
    ledger/KEY/NAME.json                    proposals of each search
    studies/ID.json, launches/ID.json       settings a study was run with last; what made it
    rates/, gpu-memory/                     how long jobs took, and what memory
    locks/, leases/, drivers/               who is at work (`lock`, `lease`, `driver`)
    pictures/ID/NAME.png                    figures and samples, for people
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
from typing import Any

from tuning.store.documents import Documents, StoreWriteError, as_json, checked_name
from tuning.store.files import files_below
from tuning.store.node_cache import NodeCache, sha256


class CorruptObjectError(Exception):
    """A stored object failed its checksum; it has been set aside and must be made again."""

    def __init__(self, stage: str, key: str, why: str) -> None:
        super().__init__(f"{stage} {key} is corrupt ({why}); it was set aside")
        self.stage, self.key = stage, key


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


class Store(Documents):
    """Finished jobs, checkpoints and the ledger; arguments and errors are those of `Documents`."""

    def __init__(self, url: str, *, create: bool = False) -> None:
        super().__init__(url, create=create)
        self._cache = NodeCache()

    # -- objects ---------------------------------------------------------------------------------

    def stored_keys(self) -> set[str]:
        """Keys of all finished jobs, in one listing."""
        pattern = re.compile(r"/objects/[^/]+/([0-9a-f]+)/manifest\.json$")
        place = self._path("objects")
        with self._reading():
            paths = files_below(place) if self.is_local else self._fs.find(place)
        found = (pattern.search("/" + path) for path in paths)
        return {match.group(1) for match in found if match}

    def has(self, stage: str, key: str) -> bool:
        """Whether the job is finished."""
        return self._get(self._manifest_path(stage, key)) is not None

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The verified manifest of a finished job, or None; a corrupt one is set aside."""
        data = self._get(self._manifest_path(stage, key))
        if data is None:
            return None
        try:
            body = json.loads(data)
            digest = body.pop("digest")
            if digest != sha256(as_json(body)):
                raise ValueError("digest differs")
            return Manifest(**body)
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
        data = self._fetch(f"{self._object(stage, key)}/{entry['path']}", entry["sha256"])
        if len(data) != entry["size"] or sha256(data) != entry["sha256"]:
            self.set_aside(stage, key)
            raise CorruptObjectError(stage, key, f"checksum of {name}")
        return data

    def _fetch(self, path: str, digest: str) -> bytes:
        """A file's bytes, none if it is gone; from the node's cache if the store is elsewhere."""
        if self.is_local:
            return self._get(path) or b""
        return self._cache.read(digest, lambda: self._get(path) or b"")

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
            path = f"{attempt}/{checked_name(name)}"
            self._put(f"{self._object(stage, key)}/{path}", data)
            entries[name] = {"path": path, "size": len(data), "sha256": sha256(data)}
        body = {
            "stage": stage, "key": key, "spec": spec, "result": result, "cost": cost,
            "files": entries,
        }  # fmt: skip
        manifest = as_json(body | {"digest": sha256(as_json(body))})
        self._put(self._manifest_path(stage, key), manifest)

    def set_aside(self, stage: str, key: str) -> None:
        """Takes a corrupt object out of sight; its manifest is kept for inspection.

        Where the store can be read only, it stays: its next reader finds it corrupt as well.
        """
        target = self._path(f"set-aside/{stage}-{key}-{uuid.uuid4().hex[:8]}.json")
        with contextlib.suppress(StoreWriteError), self._writing():
            self._make_folder(self._path("set-aside"))
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                self._fs.mv(self._manifest_path(stage, key), target)

    # -- checkpoints: mutable, newest only --------------------------------------------------------

    def put_checkpoint(self, key: str, name: str, data: bytes) -> None:
        """Writes (or replaces, atomically) a piece of resumable state with its checksum."""
        path = self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}")
        self._put(path, bytes.fromhex(sha256(data)) + data)

    def checkpoint(self, key: str, name: str) -> bytes | None:
        """A piece of resumable state, or None if there is none or it is corrupt."""
        path = self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}")
        data = self._get(path)
        if data is None:
            return None
        digest, body = data[:32], data[32:]
        return body if digest == bytes.fromhex(sha256(body)) else None

    def checkpoint_names(self, key: str) -> list[str]:
        """Names of the pieces of resumable state under a key, sorted."""
        return self._names(f"checkpoints/{checked_name(key)}")

    def drop_checkpoint(self, key: str, name: str) -> None:
        """Removes a piece of resumable state, if it is there."""
        self._remove(self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}"))

    def _object(self, stage: str, key: str) -> str:
        return self._path(f"objects/{checked_name(stage)}/{checked_name(key)}")

    def _manifest_path(self, stage: str, key: str) -> str:
        return f"{self._object(stage, key)}/manifest.json"
