"""Tests of the contract of the store on a folder, on S3 and on a file system in memory."""

import errno
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scorelib.errors import InputError
from tests.services.servers import s3_server
from tuning.store.documents import FORMAT, StoreReadError, StoreWriteError
from tuning.store.store import CorruptObjectError, Store

KEY = "0" * 32


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """Yields an S3, and the path of stores in it."""
    with s3_server(tmp_path_factory.mktemp("s3")):
        yield "s3://bucket"


@pytest.fixture(params=["folder", "memory", "s3"])
def any_store(request, tmp_path):
    if request.param == "folder":
        return Store(str(tmp_path / "s"), create=True)
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("bucket")
    return Store(f"{root}/{uuid.uuid4().hex}", create=True)


def commit(store, key=KEY, **changes):
    body = {"spec": {"spec": "X"}, "result": {"value": 1.5}, "cost": {"seconds": 1.0},
            "files": {"a.bin": b"abc" * 1000, "b.json": b"{}"}}  # fmt: skip
    store.commit("score", key, **(body | changes))


def test_a_committed_job_is_read_back(any_store):
    assert not any_store.has("score", KEY) and any_store.manifest("score", KEY) is None
    commit(any_store)
    assert any_store.has("score", KEY) and any_store.stored_keys() == {KEY}
    manifest = any_store.manifest("score", KEY)
    assert manifest.result == {"value": 1.5} and manifest.n_bytes == 3002
    assert any_store.read("score", KEY, "a.bin") == b"abc" * 1000


def test_the_first_commit_of_a_key_stays(any_store):
    commit(any_store)
    commit(any_store, result={"value": 2.0})
    assert any_store.manifest("score", KEY).result == {"value": 1.5}


def data_files(store, key=KEY):
    return [p for p in Path(store.url).glob(f"objects/score/{key}/*/*") if p.is_file()]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_file_is_never_returned_and_the_job_can_be_made_again(store, damage):
    commit(store)
    path = next(p for p in data_files(store) if p.name == "a.bin")
    data = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(data[:-1])
    elif damage == "flip":
        path.write_bytes(data[:7] + bytes([data[7] ^ 1]) + data[8:])
    else:
        path.unlink()
    with pytest.raises(CorruptObjectError, match="set aside"):
        store.read("score", KEY, "a.bin")
    assert not store.has("score", KEY)
    assert len(list(Path(store.url, "set-aside").iterdir())) == 1
    commit(store)
    assert store.read("score", KEY, "a.bin") == b"abc" * 1000


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "0"}', "null"])
def test_a_damaged_manifest_is_set_aside(store, text):
    commit(store)
    Path(store.url, "objects/score", KEY, "manifest.json").write_text(text)
    assert store.manifest("score", KEY) is None
    assert not store.has("score", KEY)


def test_an_altered_result_is_noticed(store):
    commit(store)
    path = Path(store.url, "objects/score", KEY, "manifest.json")
    body = json.loads(path.read_text())
    body["result"]["value"] = 0.1
    path.write_text(json.dumps(body))
    assert store.manifest("score", KEY) is None


def test_files_without_a_manifest_do_not_exist(store):
    commit(store)
    Path(store.url, "objects/score", KEY, "manifest.json").unlink()
    assert not store.has("score", KEY) and store.stored_keys() == set()
    commit(store)
    assert store.read("score", KEY, "b.json") == b"{}"


def test_a_killed_commit_leaves_nothing_visible(tmp_path):
    # The writer is killed between its files and its manifest.
    code = f"""
import os
from tuning.store.store import Store
store = Store({str(tmp_path / "s")!r}, create=True)
put = store._put
def dying(path, data):
    if path.endswith("manifest.json"):
        os.kill(os.getpid(), 9)
    put(path, data)
store._put = dying
store.commit("score", "{KEY}", spec={{}}, result={{}}, cost={{}}, files={{"a": b"x"}})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    store = Store(str(tmp_path / "s"))
    assert store.stored_keys() == set() and len(data_files(store)) == 1


def test_checkpoints_are_replaced_and_a_corrupt_one_is_none(any_store):
    assert any_store.checkpoint("run", "1.bin") is None
    any_store.put_checkpoint("run", "1.bin", b"one")
    any_store.put_checkpoint("run", "1.bin", b"two")
    any_store.put_checkpoint("run", "2.bin", b"three")
    assert any_store.checkpoint("run", "1.bin") == b"two"
    assert any_store.checkpoint_names("run") == ["1.bin", "2.bin"]
    any_store.drop_checkpoint("run", "1.bin")
    any_store.drop_checkpoint("run", "1.bin")
    assert any_store.checkpoint_names("run") == ["2.bin"]


def test_a_truncated_checkpoint_is_none(store):
    store.put_checkpoint("run", "1.bin", b"some state")
    path = Path(store.url, "checkpoints/run/1.bin")
    path.write_bytes(path.read_bytes()[:-1])
    assert store.checkpoint("run", "1.bin") is None


def test_documents(any_store):
    assert any_store.document("ledger/k", "round-0") is None
    any_store.put_document("ledger/k", "round-0", {"proposals": [{"epsilon": 0.1}]})
    assert any_store.document("ledger/k", "round-0") == {"proposals": [{"epsilon": 0.1}]}
    assert any_store.document_names("ledger/k") == ["round-0"]
    assert not any_store.create_document("ledger/k", "round-0", {})
    assert any_store.create_document("ledger/k", "round-1", {"epsilon": []})
    any_store.remove_document("ledger/k", "round-1")
    any_store.remove_document("ledger/k", "round-1")
    assert any_store.document_names("ledger/k") == ["round-0"]


def test_pictures_that_are_no_longer_drawn_go(any_store):
    any_store.put_pictures("study-demo", {"old.png": b"1", "curve.png": b"2"})
    any_store.put_pictures("other-demo", {"old.png": b"3"})
    any_store.put_pictures("study-demo", {"curve.png": b"4", "new.png": b"5"})
    path = any_store._path
    assert any_store._names("pictures/study-demo") == ["curve.png", "new.png"]
    assert any_store._fs.cat_file(path("pictures/study-demo/curve.png")) == b"4"
    assert any_store._names("pictures/other-demo") == ["old.png"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x\n", "/etc/passwd"])
def test_names_cannot_leave_their_folder(any_store, name):
    for attempt in (
        lambda: commit(any_store, key=name),
        lambda: commit(any_store, files={name: b""}),
        lambda: any_store.put_checkpoint(name, "x", b""),
        lambda: any_store.put_document("ledger", name, {}),
        lambda: any_store.put_pictures("figures", {name: b""}),
    ):
        with pytest.raises(InputError, match="a stored name must match"):
            attempt()


def test_no_store_is_no_store(tmp_path):
    with pytest.raises(InputError, match=r"has no store\.json"):
        Store(str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    Store(str(tmp_path), create=True)
    (tmp_path / "store.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(InputError, match=f"format {FORMAT} or older, but it has {FORMAT + 1}"):
        Store(str(tmp_path), create=True)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_an_unreadable_store_is_refused(tmp_path, text):
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"store\.json of .* cannot be read"):
        Store(str(tmp_path), create=True)


def test_an_unknown_protocol_is_refused():
    with pytest.raises(InputError, match="the store must be a folder or an fsspec URL"):
        Store("nonsense://somewhere", create=True)


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(StoreWriteError, match="must be writable and have free space"):
        Store("/proc/self/store", create=True)  # even root makes no folder there
    (tmp_path / "file").write_text("in the way")
    for below in ("", "/store"):
        with pytest.raises(InputError, match=r"must be a folder, but .* is a file") as refusal:
            Store(f"{tmp_path}/file{below}", create=True)
        assert "free space" not in str(refusal.value)


def test_what_cannot_be_read_is_told_from_what_is_not_there_or_corrupt(store):
    commit(store)
    in_the_way = (
        f"objects/score/{KEY}/manifest.json", "checkpoints/run/1.safetensors", "rates/cpu.json"
    )  # fmt: skip
    for path in in_the_way:  # a folder instead of the file: even root cannot read it
        (Path(store.url) / path).unlink(missing_ok=True)
        (Path(store.url) / path).mkdir(parents=True)
    for read in (
        lambda: store.manifest("score", KEY),
        lambda: store.read("score", KEY, "a.bin"),
        lambda: store.checkpoint("run", "1.safetensors"),
        lambda: store.document("rates", "cpu"),
    ):
        with pytest.raises(StoreReadError, match=r"must be readable, .*\(Is a directory\): fix"):
            read()
    assert store.document_names("set-aside") == []  # nothing counts as corrupt
    with pytest.raises(StoreWriteError, match=r"be writable and have .* \(Is a directory\)"):
        store.remove_document("rates", "cpu")


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(store, monkeypatch):
    commit(store)
    listing = os.scandir

    def stale(path):
        if str(path).endswith("/score"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", stale)
    with pytest.raises(StoreReadError, match=r"must be readable, .*\(Stale file handle"):
        store.stored_keys()


def test_what_is_corrupt_is_told_also_where_nothing_can_be_written(store):
    commit(store)
    (Path(store.url) / "set-aside").write_text("in the way")
    data_files(store)[0].write_bytes(b"")
    with pytest.raises(CorruptObjectError):
        for name in ("a.bin", "b.json"):
            store.read("score", KEY, name)
    (Path(store.url) / f"objects/score/{KEY}/manifest.json").write_bytes(b"{")
    assert store.manifest("score", KEY) is None


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.put_document("locks", "study", {}),
        lambda store: store.create_document("locks", "study", {}),
        lambda store: store.put_checkpoint(KEY, "0001.safetensors", b"x"),
        commit,
    ],
)
def test_a_store_removed_at_work_is_not_made_anew_in_part(store, write):
    shutil.rmtree(store.folder)
    gone = r"stay in place during a run, but it no longer exists: mount or restore it, then run"
    with pytest.raises(StoreWriteError, match=gone) as refusal:
        write(store)
    assert "free space" not in str(refusal.value)  # the remedy for another fault
    store.set_aside("score", KEY)
    assert not store.folder.exists()
    store.folder.mkdir()  # as at the mount point
    with pytest.raises(StoreWriteError, match=gone):
        write(store)
    assert not list(store.folder.iterdir())


def test_a_full_store_is_refused_and_nothing_half_written_stays(tmp_path):
    # A file size limit simulates a full disk: writes fail part of the way.
    store = Store(str(tmp_path / "s"), create=True)
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tuning.store.documents import StoreWriteError
from tuning.store.store import Store
store = Store({store.url!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.commit("score", "{KEY}", spec={{}}, result={{}}, cost={{}}, files={{"a": b"x" * 5000}})
except StoreWriteError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "be writable and have free space, but access failed (File too large)" in done.stdout
    assert store.stored_keys() == set() and data_files(store) == []
    commit(store)
    assert store.has("score", KEY)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_nothing_is_unpickled(store, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    poison = pickle.dumps(Evil())
    store.put_checkpoint("run", "1.safetensors", poison)
    commit(store, files={"features.safetensors": poison})
    import safetensors.torch

    for data in (
        store.checkpoint("run", "1.safetensors"),
        store.read("score", KEY, "features.safetensors"),
    ):
        with pytest.raises(Exception, match=r"HeaderTooLarge|header"):
            safetensors.torch.load(data)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_hard_links_exactly_one_process_creates_a_document(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    store, bodies = Store(str(tmp_path / "s"), create=True), range(8)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda i: store.create_document("code", "one", {"me": i}), bodies))
    assert sum(made) == 1
    assert json.loads(store.document_bytes("code", "one")) == {"me": made.index(True)}
    assert not store.create_document("code", "one", {})
    stale = tmp_path / "s" / "code" / ".two.json.creating"  # of a process that was killed
    stale.mkdir()
    os.utime(stale, (0, 0))
    assert store.create_document("code", "two", {}) and not stale.exists()
    store.remove_document("code", "two")
    assert [p.name for p in (tmp_path / "s" / "code").iterdir()] == ["one.json"]


def test_a_full_disk_is_no_lack_of_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    store = Store(str(tmp_path / "s"), create=True)
    with pytest.raises(StoreWriteError, match="No space left"):
        store.create_document("code", "one", {})
    assert list((tmp_path / "s" / "code").iterdir()) == []


def test_a_store_whose_name_has_another_unicode_form_is_pointed_at(tmp_path):
    Store(str(tmp_path / "caf\u00e9"), create=True)
    with pytest.raises(
        InputError, match=r"'caf\\xe9' there has the same letters in another Unicode form"
    ):
        Store(str(tmp_path / "cafe\u0301"))
    with pytest.raises(InputError, match=r"creates a store$"):
        Store(str(tmp_path / "cafe"))
