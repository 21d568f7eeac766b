"""Tests of the cache of a node: each file is fetched once, verified, and the size is bounded."""

import os
import threading

import pytest

from tuning.store.node_cache import NodeCache, sha256


class Remote:
    """A remote store that counts the fetched files."""

    def __init__(self, data=b"weights"):
        self.data, self.digest, self.fetched = data, sha256(data), 0

    def fetch(self):
        self.fetched += 1
        return self.data


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def test_a_file_is_fetched_once_whoever_reads_it(folder):
    remote = Remote()
    for _ in range(3):
        assert NodeCache(folder).read(remote.digest, remote.fetch) == remote.data
    assert remote.fetched == 1


def test_of_many_who_read_at_once_one_fetches(folder):
    remote, barrier, read = Remote(b"x" * 100_000), threading.Barrier(8), []

    def reader():
        barrier.wait()
        read.append(NodeCache(folder).read(remote.digest, remote.fetch))

    threads = [threading.Thread(target=reader) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [remote.data] * 8 and remote.fetched == 1


def test_what_was_altered_here_is_fetched_again(folder):
    remote, cache = Remote(), NodeCache(folder)
    cache.read(remote.digest, remote.fetch)
    (folder / remote.digest).write_bytes(b"weightz")
    assert cache.read(remote.digest, remote.fetch) == remote.data
    assert cache.read(remote.digest, remote.fetch) == remote.data and remote.fetched == 2


def test_what_the_store_returns_corrupt_is_passed_on_and_not_kept(folder):
    remote, cache = Remote(), NodeCache(folder)
    digest = sha256(b"what was committed")
    assert cache.read(digest, remote.fetch) == remote.data, "the store decides what to do with it"
    assert not (folder / digest).exists()


def test_the_least_recently_used_files_make_room(folder):
    cache, remotes = NodeCache(folder, most_bytes=250), [Remote(bytes([n]) * 100) for n in range(3)]
    for age, remote in zip((200, 100), remotes, strict=False):
        cache.read(remote.digest, remote.fetch)
        used = os.stat(folder / remote.digest).st_mtime - age
        os.utime(folder / remote.digest, (used, used))
    cache.read(remotes[0].digest, remotes[0].fetch)  # the oldest file, but used just now
    cache.read(remotes[2].digest, remotes[2].fetch)
    left = {remote.digest for remote in remotes if (folder / remote.digest).exists()}
    assert left == {remotes[0].digest, remotes[2].digest}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 250


@pytest.mark.parametrize("unusable", ["open to others", "a link", "a file"])
def test_a_folder_that_others_could_write_is_not_used(folder, tmp_path, unusable):
    if unusable == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    elif unusable == "a link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.write_bytes(b"")
    remote = Remote()
    for _ in range(2):
        assert NodeCache(folder).read(remote.digest, remote.fetch) == remote.data
    assert remote.fetched == 2
    assert not list(tmp_path.glob(f"*/{remote.digest}"))


def test_a_missing_file_is_still_missing(folder):
    def fetch():
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        NodeCache(folder).read(sha256(b"x"), fetch)
