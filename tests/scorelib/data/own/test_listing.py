"""Tests of the folder reader: what is taken, what is left out, and that both are said."""

import pytest

from scorelib.data.own.listing import SUFFIXES, list_images
from scorelib.errors import MissingDataError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names(listing, split=""):
    return [(label, path.as_posix()) for label, path in listing.images[split]]


def test_hidden_and_editor_folders_are_no_classes(tmp_path):
    touch(
        tmp_path, "train/a/1.png", "train/.ipynb_checkpoints/1.png", "train/__MACOSX/1.png",
        "train/a/.hidden.png", "train/a/Thumbs.db", "test/a/2.png", "test/@eaDir/2.png",
    )  # fmt: skip
    listing = list_images(tmp_path)
    assert names(listing, "train") == [("a", "train/a/1.png")]
    assert names(listing, "test") == [("a", "test/a/2.png")]
    assert listing.account() == "5 hidden or system entries"


def test_every_stated_format_is_taken_whatever_its_case(tmp_path):
    touch(tmp_path, *(f"a/{i}{suffix.upper()}" for i, suffix in enumerate(sorted(SUFFIXES))))
    touch(tmp_path, "a/x.txt", "a/y.txt", "a/z", "a/w.psd")
    listing = list_images(tmp_path)
    assert len(names(listing)) == len(SUFFIXES) >= 19
    assert listing.account() == "1 .psd files, 2 .txt files, 1 files without a suffix"


def test_links_to_files_and_to_folders_are_followed_alike(tmp_path):
    outside = tmp_path / "outside"
    touch(outside, "b/1.png", "2.png")
    folder = tmp_path / "set"
    touch(folder, "a/0.png")
    (folder / "b").symlink_to(outside / "b")
    (folder / "a" / "2.png").symlink_to(outside / "2.png")
    (folder / "a" / "gone.png").symlink_to(outside / "gone.png")
    listing = list_images(folder)
    assert names(listing) == [("a", "a/0.png"), ("a", "a/2.png"), ("b", "b/1.png")]
    assert listing.account() == "1 broken links"


@pytest.mark.parametrize("target", [".", "a", "a/deep"])
def test_a_link_to_a_folder_above_takes_no_image_twice(tmp_path, target):
    touch(tmp_path, "a/0.png", "a/deep/1.png")
    (tmp_path / "a" / "deep" / "loop").symlink_to(tmp_path / target)
    listing = list_images(tmp_path)
    assert names(listing) == [("a", "a/0.png"), ("a", "a/deep/1.png")]
    assert listing.account() == "1 links to a folder above"


def test_two_folders_that_link_to_each_other_end(tmp_path):
    touch(tmp_path, "a/0.png", "b/1.png")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    listing = list_images(tmp_path)
    assert names(listing) == [
        ("a", "a/0.png"), ("a", "a/to_b/1.png"), ("b", "b/1.png"), ("b", "b/to_a/0.png"),
    ]  # fmt: skip
    assert listing.account() == "2 links to a folder above"


def test_folders_of_recycled_files_are_no_classes(tmp_path):
    touch(tmp_path, "a/0.png", "$RECYCLE.BIN/1.png", "#recycle/1.png")
    touch(tmp_path, "System Volume Information/1.png", "lost+found/1.png")
    listing = list_images(tmp_path)
    assert names(listing) == [("a", "a/0.png")]
    assert listing.account() == "4 hidden or system entries"


@pytest.mark.parametrize("splits", [("Train", "Test"), ("training", "validation"), ("dev", "VAL")])
def test_splits_of_other_names_are_no_classes(tmp_path, splits):
    touch(tmp_path, *(f"{split}/{i}.png" for split in splits for i in range(4)))
    first, second = sorted(splits)
    with pytest.raises(MissingDataError, match=f"but it holds {first} and {second}: rename"):
        list_images(tmp_path)


def test_a_class_may_be_named_like_a_split(tmp_path):
    touch(tmp_path, "dev/1.png", "ops/2.png")
    assert names(list_images(tmp_path)) == [("dev", "dev/1.png"), ("ops", "ops/2.png")]


def test_a_flat_folder_is_one_class(tmp_path):
    touch(tmp_path, "2.png", "1.jpg", "readme.md")
    assert names(list_images(tmp_path)) == [("", "1.jpg"), ("", "2.png")]


def test_flat_splits_are_one_class_and_images_beside_classes_are_said(tmp_path):
    touch(tmp_path, "train/1.png", "train/2.png", "test/a/3.png", "test/4.png", "notes.txt")
    listing = list_images(tmp_path)
    assert names(listing, "train") == [("", "train/1.png"), ("", "train/2.png")]
    assert names(listing, "test") == [("a", "test/a/3.png")]
    assert (
        listing.account()
        == "1 entries beside train and test, 1 images beside the folders of classes"
    )


@pytest.mark.parametrize("only", ["train", "test"])
def test_one_of_the_two_splits_alone_is_refused(tmp_path, only):
    touch(tmp_path, f"{only}/a/1.png")
    other = {"train": "test", "test": "train"}[only]
    with pytest.raises(MissingDataError, match=f"but {other} is missing"):
        list_images(tmp_path)
