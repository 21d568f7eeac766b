"""A store's documents that are cleaned of what dead processes left (`tuning.store.litter`)."""

import contextlib
import os
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tuning.store.documents import Documents
from tuning.store.files import files_below
from tuning.store.litter import is_left, object_of, temporary
from tuning.store.processes import mark
from tuning.store.shapes import MANIFEST, parsed
from tuning.store.uploads import abort, unfinished


class CleanDocuments(Documents):
    """The small files of the store, with the removal of litter.

    The arguments and errors are those of `Documents`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        super().__init__(url, create=create)
        self._now: Any = None  # the clock of the store when litter was first looked for

    def remove_litter(self) -> None:
        """Removes what dead processes left half written, and nothing else (`tuning.store.litter`).

        What cannot be removed stays for the next time.
        """
        self._now = None
        paths = [path.removeprefix(f"{self._root}/") for path in self._files("")]
        found = temporary(paths)
        finished = {path.rpartition("/")[0] for path in paths if path.endswith("/manifest.json")}
        attempts = Counter(object_of(unit) for unit in found)
        for unit, files in found.items():
            of_job = object_of(unit)
            if of_job in finished and attempts[of_job] == 1:
                continue
            if not is_left(unit, None) and not is_left(unit, self._age(files)):
                continue
            # Its process has ended: what the manifest names now is final, however old the list is.
            if of_job is None or not self._is_named(unit, of_job):
                with contextlib.suppress(Exception):  # clients define their own exceptions
                    self._fs.rm(self._path(unit), recursive=of_job is not None)
        with contextlib.suppress(Exception):
            self._abort_uploads()

    def _abort_uploads(self) -> None:
        """Removes the parts of files that dead processes sent to S3 and never finished."""
        for upload in unfinished(self._fs, self._root):
            path = upload.path.removeprefix(f"{self._root}/")
            unit = next(iter(temporary([path])), path)
            if is_left(unit, None) or is_left(unit, self._since(upload.when)):
                abort(self._fs, upload)

    def _is_named(self, attempt: str, of_job: str) -> bool:
        """Returns whether the manifest of a job names the files of an attempt, or may name them."""
        data = self._get(self._path(f"{of_job}/manifest.json"))
        try:
            files = parsed(data, MANIFEST)["files"] if data is not None else {}
        except ValueError:
            return True
        name = attempt.rpartition("/")[2]
        return any(entry["path"].startswith(f"{name}/") for entry in files.values())

    def _age(self, files: list[str]) -> float | None:
        """Returns for how many seconds files have not changed, by the clock of the store."""
        return self._since(lambda: max(self._fs.modified(self._path(path)) for path in files))

    def _since(self, event: Callable[[], datetime]) -> float | None:
        """Returns the seconds since an event, by the clock of the store; None if unknown."""
        try:
            if self._now is None:
                probe = self._path(f"probe-{mark(os.getpid())}-{uuid.uuid4().hex}")
                self._put(probe, b"")
                self._now = self._fs.modified(probe)
                self._remove(probe)
            seconds = (self._now - event()).total_seconds()
        except Exception:  # a file is removed meanwhile, or a client has an error of its own
            return None
        return float(seconds)

    def _files(self, folder: str) -> list[str]:
        """Returns the paths of all files below a folder of the store, from one listing."""
        place = self._path(folder).rstrip("/")
        with self._reading(place):
            return files_below(place) if self.is_local else list(self._fs.find(place))
