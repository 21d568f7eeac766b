"""Tests of what dead processes leave in a store: the next start removes that, and nothing else."""

import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from tests.services.servers import s3_server
from tuning.store.litter import STALE_SECONDS
from tuning.store.processes import mark
from tuning.store.store import Store
from tuning.store.uploads import unfinished

ELSEWHERE = "0" * 8 + "-1-1"
DIES = """
import os, signal, sys
from tuning.store import store as module
from tuning.store.store import Store
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
store, how = Store(sys.argv[1]), sys.argv[2]
if how == "document":
    os.replace = os.link = die
    store.put_document("code", "one", {})
elif how == "result":
    module.as_json = die  # of the manifest, when the files are written
    store.commit("score", "ab", spec={}, result={}, cost={}, files={"a": b"1", "b": b"2"})
elif how == "upload":
    from s3fs import S3FileSystem
    S3FileSystem._pipe_file.__defaults__ = (5 * 2**20, None, "overwrite")  # size of a part
    send = S3FileSystem._call_s3
    def unfinished(fs, method, *args, **kwargs):
        return die() if method == "complete_multipart_upload" else send(fs, method, *args, **kwargs)
    S3FileSystem._call_s3 = unfinished
    large = bytes(11 * 2**20)
    store.commit("score", "ab", spec={}, result={}, cost={}, files={"a": large})
else:
    store._remove = die
    store.require_writable()
"""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")):
        yield "s3://bucket"


@pytest.fixture
def folder_store(tmp_path):
    return Store(str(tmp_path / "s"), create=True)


@pytest.fixture(params=["folder", "s3"])
def any_store(request, tmp_path):
    """Yields a store that other processes can reach, and a function that lists its files."""
    if request.param == "folder":
        return Store(str(tmp_path / "s"), create=True)
    return Store(f"{request.getfixturevalue('bucket')}/{uuid.uuid4().hex}", create=True)


def files(store):
    return sorted(path.removeprefix(f"{store._root}/") for path in store._files(""))


def put(store, path):
    """Writes a file of any name into a store."""
    if store.is_local:
        (store.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (store.folder / path).write_bytes(b"x")
    else:
        store._fs.pipe_file(store._path(path), b"x")


def commit(store, key="ab", **contents):
    contents = contents or {"a": b"1", "b": b"2"}
    store.commit("score", key, spec={}, result={}, cost={}, files=contents)


def die(store, how):
    done = subprocess.run([sys.executable, "-c", DIES, store.url, how], check=False)
    assert done.returncode == -9


@pytest.mark.parametrize("how", ["result", "probe"])
def test_what_a_killed_process_half_wrote_is_removed(any_store, how):
    commit(any_store, "cd")
    before = files(any_store)
    die(any_store, how)
    assert len(files(any_store)) > len(before)
    any_store.remove_litter()
    assert files(any_store) == before
    assert any_store.read("score", "cd", "a") == b"1"


@pytest.fixture
def s3_store(bucket):
    return Store(f"{bucket}/{uuid.uuid4().hex}", create=True)


def uploads(store):
    """Returns the paths of all unfinished uploads to a store, below the store."""
    return sorted(
        u.path.removeprefix(f"{store._root}/") for u in unfinished(store._fs, store._root)
    )


def begin(store, path):
    """Begins an upload in parts of a file of any name in a store."""
    bucket, key, _ = store._fs.split_path(store._path(path))
    store._fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)


def test_an_upload_of_a_killed_process_is_removed(s3_store):
    commit(s3_store, "cd")
    before = files(s3_store)
    die(s3_store, "upload")
    (left,) = uploads(s3_store)
    assert left.startswith("objects/score/ab/") and files(s3_store) == before
    s3_store.remove_litter()
    assert uploads(s3_store) == [] and files(s3_store) == before


def test_an_upload_that_may_be_at_work_stays(s3_store, bucket, monkeypatch):
    running, other = Store(f"{bucket}/{uuid.uuid4().hex}", create=True), mark(os.getpid())
    kept = [f"checkpoints/ab/{other}", f"objects/score/ab/{ELSEWHERE}-0a1b/a"]
    for path in kept:
        begin(s3_store, path)
    begin(s3_store, mine := f"objects/score/ab/{other}-0a1b/a")
    begin(running, f"objects/score/ab/{ELSEWHERE}-0a1b/a")
    now, listed = datetime.now(UTC), s3_store._fs.call_s3

    def seen(seconds):
        """Removes litter as if all uploads had begun some time ago; returns those that stay."""

        def call(method, **kwargs):
            answer = listed(method, **kwargs)
            for one in answer.get("Uploads", []):
                one["Initiated"] = now - timedelta(seconds=seconds)
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(s3_store._fs, "call_s3", call)
            Store(s3_store.url).remove_litter()
        return uploads(s3_store)

    assert seen(STALE_SECONDS - 60) == sorted([*kept, mine])
    assert seen(STALE_SECONDS + 60) == [mine], "its process runs"
    assert len(uploads(running)) == 1, "another store of the same bucket"


def test_all_pages_of_unfinished_uploads_are_read():
    class Fs:
        protocol = ("s3", "s3a")
        pages: ClassVar = {
            None: {"IsTruncated": True, "NextKeyMarker": "a/x", "NextUploadIdMarker": "1"},
            ("a/x", "1"): {"IsTruncated": False},
        }

        def split_path(self, path):
            return (*path.split("/", 1), None)

        def call_s3(self, method, *, Bucket, Prefix, KeyMarker=None, UploadIdMarker=None):
            assert (method, Bucket, Prefix) == ("list_multipart_uploads", "bucket", "a/")
            page = self.pages[KeyMarker and (KeyMarker, UploadIdMarker)]
            upload = {"Key": f"a/{KeyMarker}", "UploadId": "1", "Initiated": datetime.now(UTC)}
            return page | {"Uploads": [upload]}

    assert [one.path for one in unfinished(Fs(), "bucket/a")] == ["bucket/a/None", "bucket/a/a/x"]


def test_who_may_not_list_uploads_runs_all_the_same(s3_store, monkeypatch):
    begin(s3_store, "checkpoints/ab/1")

    def refuse(method, **kwargs):
        raise PermissionError(method)

    monkeypatch.setattr(s3_store._fs, "call_s3", refuse)
    s3_store.remove_litter()


def test_a_hidden_file_of_a_killed_process_is_removed(folder_store):
    die(folder_store, "document")
    (left,) = (folder_store.folder / "code").iterdir()
    assert left.name.startswith(".one.json.")
    folder_store.remove_litter()
    assert files(folder_store) == ["store.json"]


def test_what_is_not_left_over_stays(any_store):
    mine = mark(os.getpid())
    commit(any_store)
    kept = [
        f"objects/score/cd/{mine}-0a1b/a",  # of a process that runs: this one
        f"objects/score/cd/{ELSEWHERE}-0a1b/a",  # of another host, just written
        "objects/score/cd/0123456789ab/a",  # of an earlier version, just written
        f"probe-{mine}-0a1b", f"probe-{ELSEWHERE}-0a1b", "probe-0a1b",
        f"code/.two.json.{mine}.0a1b2c3d", f"code/.two.json.{ELSEWHERE}.0a1b2c3d",
        "code/.a.users.hidden.file", ".hidden", "notes/probe-0a1b", "objects/score/cd/notes",
        "checkpoints/ab/latest", "set-aside/score-ab-0a1b.json",
    ]  # fmt: skip
    for path in kept:
        put(any_store, path)
    before = files(any_store)
    any_store.remove_litter()
    assert files(any_store) == before and {*kept} < {*before}


def test_what_other_hosts_left_a_day_ago_is_removed(any_store, monkeypatch):
    put(any_store, f"objects/score/ab/{ELSEWHERE}-0a1b/a")
    put(any_store, "objects/score/ab/0123456789ab/a")
    put(any_store, "probe-0a1b")
    put(any_store, f"objects/score/ab/{mark(os.getpid())}-0a1b/a")
    commit(any_store, "cd")
    known, now = any_store._fs.modified, datetime.now(UTC)

    def seen(later):
        """Lets the clock of the store run: new probes are later than all other files."""

        def modified(path):
            is_new = re.search(rf"probe-{mark(os.getpid())}", path)
            return now + timedelta(seconds=later) if is_new else known(path)

        monkeypatch.setattr(any_store._fs, "modified", modified)
        Store(any_store.url).remove_litter()
        return [path for path in files(any_store) if ELSEWHERE in path or "0a1b" in path]

    assert len(seen(STALE_SECONDS - 60)) == 3
    assert seen(STALE_SECONDS + 60) == [f"objects/score/ab/{mark(os.getpid())}-0a1b/a"]
    assert any_store.read("score", "cd", "a") == b"1"


def test_of_two_attempts_the_one_that_the_manifest_names_stays(any_store):
    die(any_store, "result")
    commit(any_store)  # another worker ran the job again
    assert len({path.split("/")[3] for path in files(any_store) if path.startswith("objects")}) == 3
    any_store.remove_litter()
    assert len({path.split("/")[3] for path in files(any_store) if path.startswith("objects")}) == 2
    assert any_store.read("score", "ab", "b") == b"2"
    put(any_store, "objects/score/ab/manifest.json")  # damaged: nobody knows what it named
    put(any_store, "objects/score/ab/0123456789ab/a")
    before = files(any_store)
    any_store.remove_litter()
    assert files(any_store) == before


def test_a_result_that_is_stored_after_the_listing_stays(any_store, monkeypatch):
    """A worker of another driver commits, and ends, while this process looks through its list."""
    listed = any_store._files

    def list_then_commit(folder):
        finished = f"s = module.Store({any_store.url!r}); s.commit('score', 'ab', spec={{}}, "
        finished += "result={}, cost={}, files={'a': b'1'})"
        subprocess.run(
            [sys.executable, "-c", f"from tuning.store import store as module\n{finished}"],
            check=True,
        )
        return [path for path in listed(folder) if not path.endswith("manifest.json")]

    monkeypatch.setattr(any_store, "_files", list_then_commit)
    any_store.remove_litter()
    assert any_store.read("score", "ab", "a") == b"1"


def test_a_store_without_litter_is_listed_once_and_not_read(any_store, monkeypatch):
    for key in ("ab", "cd", "ef"):
        commit(any_store, key)
    monkeypatch.setattr(any_store, "_get", lambda path: pytest.fail(f"read {path}"))
    monkeypatch.setattr(any_store._fs, "modified", lambda path: pytest.fail(f"asked for {path}"))
    any_store.remove_litter()
