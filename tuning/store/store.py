"""The store: a folder or bucket that keeps the results of finished jobs under content keys.

A content key is the key of the job's spec: a hash of all settings that determine the result.
Studies resume from the store and share results through the store. The manifest and the files of one
finished job form an *object*. All files are below one fsspec URL (a folder, ``s3://bucket/path``,
...):

    store.json                              version of the store's format
    objects/STAGE/KEY/manifest.json         commit point of a finished job
    objects/STAGE/KEY/ATTEMPT/NAME          files of the finished job
    checkpoints/KEY/NAME                    latest resumable state of each unfinished run
    ledger/KEY/NAME.json                    proposals of each search
    studies/ID.json, launches/ID.json       settings of each study; commits of its launches
    history/ID.json, status/ID.json         every launch, and how far the latest is
    code/NAME.json, kinds/NAME.json         source code of results and of foreign kinds (`sources`)
    data/KEY.json                           digests and facts of each data set
    rates/, gpu-memory/                     measured durations and GPU memory of jobs
    locks/, leases/, drivers/               documents of running drivers (`tuning.drivers`)
    pictures/ID/NAME.png                    figures and samples, for display
    set-aside/...                           damaged manifests and documents

Invariants:

- An object exists if and only if its manifest exists. Files are written first, each attempt in a
  folder of its own. The manifest is written last, by an atomic replace (a rename on a file system,
  a PUT on an object store). A crash leaves files without a manifest, which are never read; the next
  start of a run removes them (`tuning.store.litter`).
- A manifest holds the size and SHA-256 of every file and a digest of itself. Everything is verified
  before it is returned. A corrupt object is set aside, reported as `CorruptObjectError`, and
  computed again.
- If two processes commit the same job, the result is still correct: jobs are deterministic, and a
  job that is already stored is not written again.
- The store never unpickles data.
"""

import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuning.store.cleaning import CleanDocuments
from tuning.store.documents import as_json, checked_name
from tuning.store.node_cache import NodeCache, sha256
from tuning.store.processes import mark
from tuning.store.shapes import MANIFEST, parsed
from tuning.store.sources import Codes


class CorruptObjectError(Exception):
    """A stored object that failed its checksum and has been set aside, to be computed again.

    Args:
        stage: stage of the object's job.
        key: content key of the job.
        why: the failed check, for the message.
    """

    def __init__(self, stage: str, key: str, why: str) -> None:
        super().__init__(f"{stage} {key} is corrupt ({why}); it was set aside")
        self.stage, self.key = stage, key


@dataclass(frozen=True)
class Manifest:
    """The record of a finished job.

    Attributes:
        stage: stage of the job.
        key: content key of the job.
        spec: spec of the job, as JSON.
        result: small results (numbers, the cause of a failure), as JSON.
        cost: cost of the job (seconds, images, network evaluations, device), as JSON.
        files: for each file name the "path" below the object, the "size" in bytes and the "sha256".
        code: names of the codes that the result comes from, by stage (see `tuning.store.sources`);
            None if they are unknown, as in results of version 0.2 and older.
    """

    stage: str
    key: str
    spec: dict[str, Any]
    result: dict[str, Any]
    cost: dict[str, Any]
    files: dict[str, dict[str, Any]]
    code: Codes | None = None

    @property
    def n_bytes(self) -> int:
        """The total size of all files in bytes."""
        return sum(int(f["size"]) for f in self.files.values())


class Store(CleanDocuments):
    """A store of finished jobs, of checkpoints and of the small files of `Documents`.

    The arguments and errors are those of `Documents`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        super().__init__(url, create=create)
        self._cache = NodeCache()

    # -- objects ---------------------------------------------------------------------------------

    def stored_keys(self) -> set[str]:
        """Returns the content keys of all finished jobs, from one listing of the store."""
        pattern = re.compile(r"/objects/[^/]+/([0-9a-f]+)/manifest\.json$")
        found = (pattern.search("/" + path) for path in self._files("objects"))
        return {match.group(1) for match in found if match}

    def has(self, stage: str, key: str) -> bool:
        """Returns whether the store holds the manifest of a job; the manifest is not verified."""
        return self._get(self._manifest_path(stage, key)) is not None

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """Returns the verified manifest of a job, or None if the job is not finished.

        A corrupt manifest is set aside, and the result is None.
        """
        data = self._get(self._manifest_path(stage, key))
        if data is None:
            return None
        try:
            body = parsed(data, MANIFEST)
            digest = body.pop("digest")
            if digest != sha256(as_json(body)) or (body["stage"], body["key"]) != (stage, key):
                raise ValueError("the digest differs, or the manifest is that of another job")
            return Manifest(**body)
        except ValueError:
            self.set_aside(stage, key)
            return None

    def committed_at(self, stage: str, key: str) -> datetime | None:
        """Returns when a job was stored, by the clock of the store; None if it is not finished."""
        with self._reading():
            try:
                found: datetime = self._fs.modified(self._manifest_path(stage, key))
            except FileNotFoundError:
                return None
        return found

    def read(self, stage: str, key: str, name: str) -> bytes:
        """Returns the verified content of a file of a finished job.

        Args:
            stage: stage of the job.
            key: content key of the job.
            name: name of the file.

        Raises:
            CorruptObjectError: if the manifest is missing or corrupt, or if the file is missing,
                truncated or altered.
            KeyError: if the manifest lists no file of this name.
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
        """Returns the content of a file, from the node's cache if the store is remote.

        The content is empty if the file is missing.
        """
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
        code: Codes | None = None,
    ) -> None:
        """Stores a finished job atomically; a job that is already stored stays unchanged.

        Args:
            stage: stage of the job.
            key: content key of the job.
            spec: spec of the job, as JSON.
            result: small results, as JSON.
            cost: cost of the job, as JSON.
            files: contents of files, by name.
            code: names of the codes that the result comes from, by stage; None if unknown.

        Raises:
            StoreWriteError: if the store is full or cannot be written.
        """
        if self.has(stage, key):
            return
        attempt = f"{mark(os.getpid())}-{uuid.uuid4().hex[:12]}"
        entries = {}
        for name, data in files.items():
            path = f"{attempt}/{checked_name(name)}"
            self._put(f"{self._object(stage, key)}/{path}", data)
            entries[name] = {"path": path, "size": len(data), "sha256": sha256(data)}
        body = {
            "stage": stage, "key": key, "spec": spec, "result": result, "cost": cost,
            "files": entries, "code": code,
        }  # fmt: skip
        manifest = as_json(body | {"digest": sha256(as_json(body))})
        self._put(self._manifest_path(stage, key), manifest)

    def set_aside(self, stage: str, key: str) -> None:
        """Removes a corrupt object from the finished jobs and keeps its manifest for inspection.

        In a read-only store the corrupt object stays in place, and the next read fails again.
        """
        self._move_aside(self._manifest_path(stage, key), f"{stage}-{key}")

    # -- checkpoints: mutable, latest only --------------------------------------------------------

    def put_checkpoint(self, key: str, name: str, data: bytes) -> None:
        """Writes a checkpoint with its checksum, atomically replacing an earlier one.

        Args:
            key: key under which the checkpoint is kept, such as the key of a training run.
            name: name of the checkpoint.
            data: resumable state.
        """
        path = self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}")
        self._put(path, bytes.fromhex(sha256(data)) + data)

    def checkpoint(self, key: str, name: str) -> bytes | None:
        """Returns a checkpoint, or None if it is missing or corrupt."""
        path = self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}")
        data = self._get(path)
        if data is None:
            return None
        digest, body = data[:32], data[32:]
        return body if digest == bytes.fromhex(sha256(body)) else None

    def checkpoint_names(self, key: str) -> list[str]:
        """Returns the sorted names of the checkpoints under a key."""
        return self._names(f"checkpoints/{checked_name(key)}")

    def drop_checkpoint(self, key: str, name: str) -> None:
        """Removes a checkpoint if it exists."""
        self._remove(self._path(f"checkpoints/{checked_name(key)}/{checked_name(name)}"))

    def _object(self, stage: str, key: str) -> str:
        return self._path(f"objects/{checked_name(stage)}/{checked_name(key)}")

    def _manifest_path(self, stage: str, key: str) -> str:
        return f"{self._object(stage, key)}/manifest.json"
