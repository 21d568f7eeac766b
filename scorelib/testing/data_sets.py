"""The contract of data sets."""

from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from scorelib.data import DataSpec, Split
from scorelib.data.files import as_floats
from scorelib.testing.specs import (
    check_spec,
    contract,
    global_generators,
    name_of,
    require,
    require_line,
)


@contract
def check_data_set(data: DataSpec, root: Path | None = None) -> None:
    """Checks a data set: its facts, both splits, their order, and the form kept in memory.

    Both splits are read three times.

    Args:
        data: data set.
        root: folder of the data files; embedded data sets ignore it.

    Raises:
        AssertionError: a rule is broken; the message is one line.
        MissingDataError: the files are absent or corrupt.
    """
    who = name_of(data)
    require(isinstance(data, DataSpec), f"{who} must be a subclass of DataSpec")
    check_spec(data)
    require_line(data.name, f"{who}.name")
    n = data.n_classes
    require(isinstance(n, int) and n >= 1, f"{who}.n_classes must be at least 1, but got {n!r}")
    shape = data.shape
    require(
        isinstance(shape, tuple)
        and len(shape) in (1, 3)
        and all(isinstance(side, int) and side >= 1 for side in shape),
        f"{who}.shape must be a tuple (C, H, W) or (D,) of positive numbers, but got {shape!r}",
    )
    train, test = (_check_split(data, split, root) for split in get_args(Split))
    require(
        train.shape != test.shape or not torch.equal(train, test),
        f"{who}: the held-out split must have examples of its own, but both splits are equal",
    )
    require(data.is_present(root), f"{who}.is_present must be true of files that `load` reads")


def _check_split(data: DataSpec, split: Split, root: Path | None) -> Tensor:
    """Checks one split, and returns its examples."""
    who = f"{name_of(data)}, {split}"
    with global_generators(1, f"{who}: load"):
        examples, labels = data.load(split, root)
    _check_examples(data, split, who, examples)
    _check_labels(data, split, who, labels)
    kept = examples.clone(), labels.clone()
    with global_generators(2, f"{who}: load"):
        again = data.load(split, root)
    require(
        all(torch.equal(a, b) for a, b in zip(kept, again, strict=True)),
        f"{who}: load must return the same examples in the same order each time",
    )
    stored, stored_labels = data.stored(split, root)
    require(
        stored.dtype in (torch.uint8, torch.float32)
        and torch.equal(as_floats(stored), examples)
        and torch.equal(stored_labels, labels),
        f"{who}: stored must return the examples of load, as float32 or as uint8 times 255, but "
        f"got others of {stored.dtype}",
    )
    return examples


def _check_examples(data: DataSpec, split: Split, who: str, examples: Tensor) -> None:
    require(
        examples.dtype == torch.float32,
        f"{who}: examples must be float32, but got {examples.dtype}",
    )
    expected, found = (data.n_images(split), *data.shape), tuple(examples.shape)
    require(
        found == expected,
        f"{who}: examples must have the shape (n_images, *shape) = {expected}, but got {found}",
    )
    require(len(examples) > 0, f"{who}: there must be at least one example")
    require(bool(examples.isfinite().all()), f"{who}: every value of an example must be finite")
    low, high = examples.min().item(), examples.max().item()
    require(
        len(data.shape) == 1 or (low >= 0 and high <= 1),
        f"{who}: pixels must be in [0, 1], but got [{low:g}, {high:g}]",
    )


def _check_labels(data: DataSpec, split: Split, who: str, labels: Tensor) -> None:
    require(labels.dtype == torch.int64, f"{who}: labels must be int64, but got {labels.dtype}")
    n = data.n_images(split)
    require(
        tuple(labels.shape) == (n,),
        f"{who}: there must be one label for each example, ({n},), but got {tuple(labels.shape)}",
    )
    low, high = int(labels.min()), int(labels.max())
    require(
        low >= 0 and high < data.n_classes,
        f"{who}: labels must be in 0 .. {data.n_classes - 1}, but got {low} .. {high}",
    )
