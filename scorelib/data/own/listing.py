"""Lists the images in a folder, and counts the files that are left out, by reason.

    FOLDER/train/CLASS/any/name.png     FOLDER/test/CLASS/any/name.jpg
    FOLDER/train/name.png               FOLDER/test/name.jpg              one class
    FOLDER/CLASS/any/name.png           or FOLDER/name.png                to be split by a seed

Hidden files and folders, and the files and folders that editors and file managers create, are left
out. Symbolic links to files and to folders are followed.
"""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorelib.data.reading.checks import is_there, missing_data, unreadable
from scorelib.unicode_forms import letters, other_form

SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""File name suffixes of images, in lower case."""

SPLITS = ("train", "test")
_NEVER = frozenset({
    "__macosx", "__pycache__", "@eadir", "lost+found", "thumbs.db", "desktop.ini", "#recycle",
    "$recycle.bin", "system volume information",
})  # fmt: skip
_LIKE_SPLITS = frozenset({
    "train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval",
})  # fmt: skip
_DEEPEST = 20  # folders below the data set's


@dataclass(frozen=True)
class Listing:
    """The files of a folder, sorted by class and name.

    Attributes:
        images: class and path relative to the folder of each image, by split; under "" where the
            folder has no folders ``train`` and ``test``. The class is "" where a split has images
            and no folders of classes.
        left_out: reasons, with the number of files or folders left out for each.
    """

    images: dict[str, list[tuple[str, Path]]]
    left_out: Counter[str]

    def account(self) -> str:
        """Returns what was left out, such as "3 .txt files, 1 broken link"; "" for nothing."""
        return ", ".join(f"{n} {reason}" for reason, n in sorted(self.left_out.items()))


def list_images(folder: Path) -> Listing:
    """Lists the images of a folder.

    Args:
        folder: the folder, laid out as the module docstring shows.

    Raises:
        MissingDataError: the folder is absent, has one of the folders train and test alone, or has
            folders that are splits by their names, such as Train and Val.
    """
    if not (is_there(folder) and folder.is_dir()):
        raise missing_data(
            f"{folder} must be a folder of images, but there is none{other_form(folder)}"
        )
    left_out: Counter[str] = Counter()
    here = [split for split in SPLITS if (folder / split).is_dir()]
    if len(here) == 1:
        other = next(split for split in SPLITS if split not in here)
        raise missing_data(
            f"{folder} must have both folders train and test, or neither, but {other} is missing: "
            f"make it, or move the images out of {here[0]}, so that a seed splits them"
        )
    if here:
        images = {split: _by_class(folder, Path(split), left_out) for split in SPLITS}
        for entry in _entries(folder, left_out):
            if entry.name not in SPLITS:
                left_out["entries beside train and test"] += 1
    else:
        images = {"": _by_class(folder, Path(), left_out)}
        _require_no_splits({name for name, _ in images[""]}, folder)
    return Listing(images, left_out)


def images_below(folder: Path) -> tuple[list[Path], str]:
    """Lists all images of a folder and of the folders below, whatever their layout.

    Args:
        folder: an existing folder.

    Returns:
        Paths relative to the folder, sorted, and what was left out, as `Listing.account`.
    """
    left_out: Counter[str] = Counter()
    found = _below(folder, Path(), left_out)
    return found, Listing({"": []}, left_out).account()


def _by_class(folder: Path, below: Path, left_out: Counter[str]) -> list[tuple[str, Path]]:
    """Returns class and relative path of each image below a folder of classes or of images."""
    entries = list(_entries(folder / below, left_out))
    classes = [entry.name for entry in entries if entry.is_dir()]
    _require_different(classes, folder / below)
    loose = [below / e.name for e in entries if not e.is_dir() and _is_image(e.name, left_out)]
    found = [
        (name, path) for name in sorted(classes) for path in _below(folder, below / name, left_out)
    ]
    if found and loose:
        left_out["images beside the folders of classes"] += len(loose)
        return found
    return found or [("", path) for path in sorted(loose)]


def _require_no_splits(classes: set[str], folder: Path) -> None:
    """Refuses a folder whose classes are splits by their names: their labels would mean nothing."""
    alike = sorted(name for name in classes if name.lower() in _LIKE_SPLITS)
    if len(alike) > 1:
        raise missing_data(
            f"the splits of {folder} must be named train and test, but it holds "
            f"{' and '.join(alike)}: rename these folders"
        )


def _require_different(names: list[str], folder: Path) -> None:
    """Refuses names of classes that look the same and differ in their Unicode form alone."""
    for one, other in itertools.pairwise(sorted(names, key=letters)):
        if letters(one) == letters(other):
            raise missing_data(
                f"the folders of {folder} must have different names, but {one!a} and {other!a} are "
                f"{letters(one)!r} in two Unicode forms: put their images into one folder"
            )


def _below(
    folder: Path, below: Path, left_out: Counter[str], above: frozenset[str] = frozenset()
) -> list[Path]:
    """Returns the relative paths of all images below a folder, however deep, sorted.

    Args:
        folder: the data set's folder.
        below: relative path of the folder whose images are listed.
        left_out: reasons, to which those found here are added.
        above: real paths of the folders that lead to this one, from the data set's folder on.
    """
    if below.parts and not above:
        above = frozenset(map(os.path.realpath, (folder, folder / below.parent)))
    here = os.path.realpath(folder / below)
    if here in above:
        left_out["links to a folder above"] += 1
        return []
    if len(below.parts) > _DEEPEST:
        left_out["folders deeper than 20"] += 1
        return []
    found = []
    for entry in _entries(folder / below, left_out):
        if entry.is_dir():
            found += _below(folder, below / entry.name, left_out, above | {here})
        elif _is_image(entry.name, left_out):
            found.append(below / entry.name)
    return sorted(found)


def _entries(folder: Path, left_out: Counter[str]) -> Iterator["os.DirEntry[str]"]:
    """Yields the entries of a folder that are neither hidden, nor an editor's, nor broken links."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda e: e.name)
    except OSError as error:
        raise unreadable(folder, error) from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in _NEVER:
            left_out["hidden or system entries"] += 1
        elif entry.is_symlink() and not os.path.exists(entry.path):
            left_out["broken links"] += 1
        elif not (entry.is_dir() or entry.is_file()):
            left_out["entries that are neither files nor folders"] += 1
        else:
            yield entry


def _is_image(name: str, left_out: Counter[str]) -> bool:
    if Path(name).suffix.lower() in SUFFIXES:
        return True
    left_out[kind_of(name)] += 1
    return False


def kind_of(name: str) -> str:
    """Returns the kind of a file that is left out, such as ".txt files"."""
    suffix = Path(name).suffix.lower()
    return f"{suffix} files" if suffix else "files without a suffix"
