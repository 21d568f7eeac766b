"""Uploads to S3 that were never finished: what a process leaves that is killed in a large write.

s3fs sends a file of 100 MiB and more in parts. The parts of an upload that nobody finishes are in
no listing of files, and cost what files cost. Other object stores forget such parts by themselves.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Upload:
    """An upload in parts that is not finished: still at work, or left over.

    Attributes:
        path: path of the file in the file system, with the bucket.
        id: the name that S3 gave to the upload.
        began: when the upload began, by the clock of S3.
    """

    path: str
    id: str
    began: datetime

    def when(self) -> datetime:
        """Returns when the upload began; S3 does not say when its last part came."""
        return self.began


def unfinished(fs: Any, root: str) -> list[Upload]:
    """Returns the unfinished uploads of all files below a folder; none unless it lies on S3.

    Args:
        fs: fsspec file system; s3fs raises exceptions of its own, for example if the user may
            not list uploads.
        root: path of the folder, with the bucket.
    """
    if "s3" not in _protocols(fs):
        return []
    bucket, prefix, _ = fs.split_path(f"{root}/")
    found: list[Upload] = []
    page: dict[str, Any] = {"IsTruncated": True}
    while page.get("IsTruncated"):
        after = {
            name: page[f"Next{name}"]
            for name in ("KeyMarker", "UploadIdMarker")
            if page.get(f"Next{name}")
        }
        page = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
        found += [
            Upload(f"{bucket}/{one['Key']}", one["UploadId"], one["Initiated"])
            for one in page.get("Uploads", [])
        ]
    return found


def abort(fs: Any, upload: Upload) -> None:
    """Ends an upload and removes its parts; whoever is still at work on the upload fails.

    Args:
        fs: s3fs file system.
        upload: one of `unfinished`.
    """
    bucket, key, _ = fs.split_path(upload.path)
    fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload.id)


def _protocols(fs: Any) -> tuple[str, ...]:
    """Returns the names of a file system's protocol."""
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
