"""Facts that a launch records about a data set: digests, numbers of distinct examples, remarks.

A data set is identified by its content. Each launch and each worker compares the digests of the
examples with the recorded digests, so results of one key never come from two contents.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import require_input

SPLITS: tuple[Split, ...] = ("train", "test")
_WORDS: Mapping[Split, str] = {"train": "training", "test": "held-out"}

_DARKEST = 64
"""Levels 0 .. 255 below which all pixels are suspicious: deep files are scaled by their depth."""

_FEWEST_DISTINCT = 0.98
"""Share of distinct examples below which a warning is shown; a few patches and digits repeat."""


@dataclass(frozen=True)
class DataFacts:
    """Facts about the examples of a data set.

    Attributes:
        digests: SHA-256 sum of the examples and labels, by split.
        n_distinct: number of distinct examples, by split.
        n_shared: number of held-out examples that are training examples too.
        remarks: what was left out and how images were read, one line each.
    """

    digests: Mapping[str, str]
    n_distinct: Mapping[str, int]
    n_shared: int
    remarks: tuple[str, ...]

    def notes(self, data: DataSpec) -> list[str]:
        """Returns what a reader of results on this data set should know, one line each."""
        remarks = [f"data {data.name}: {remark}" for remark in self.remarks]
        return remarks + [f"warning: {warning}" for warning in self.warnings(data)]

    def warnings(self, data: DataSpec) -> list[str]:
        """Returns one line for each fact that makes numbers on this data set misleading."""
        lines = []
        for split, words in _WORDS.items():
            n, distinct = data.n_images(split), self.n_distinct[split]
            if distinct == 1:
                lines.append(f"all {n:,} {words} images of {data.name} are equal")
            elif distinct < _FEWEST_DISTINCT * n:
                lines.append(f"of {n:,} {words} images of {data.name} only {distinct:,} differ")
        if self.n_shared:
            n = self.n_distinct["test"]
            lines.append(
                f"{self.n_shared:,} of {n:,} distinct held-out images of {data.name} are training "
                f"images too, so held-out numbers are too good"
            )
        return lines


def facts_of(data: DataSpec, root: Path | None = None) -> DataFacts:
    """Reads both splits of a data set and returns its facts.

    Args:
        data: the data set.
        root: folder of the data files; embedded data sets ignore it.

    Raises:
        MissingDataError: the files are absent, corrupt or not what they claim to be.
        InputError: the examples or labels are not what the data set declares.
    """
    digests, distinct, remarks = {}, {}, list(data.remarks(root))
    for split in SPLITS:
        examples, labels = _declared(data, split, root)
        digests[split] = digest_of(examples, labels)
        distinct[split] = {hashlib.blake2b(e.numpy().tobytes()).digest() for e in examples}
        remarks += _remarks(_WORDS[split], examples, labels, data.n_classes)
        del examples
    return DataFacts(
        digests=digests,
        n_distinct={split: len(found) for split, found in distinct.items()},
        n_shared=len(distinct["train"] & distinct["test"]),
        remarks=tuple(remarks),
    )


def _remarks(words: str, examples: Tensor, labels: Tensor, n_classes: int) -> list[str]:
    """Returns what examples of a split show by themselves, one line each."""
    lines = []
    absent = n_classes - len(labels.unique())
    if absent > 0:
        lines.append(f"{absent:,} of {n_classes:,} classes have no {words} images")
    if examples.dtype == torch.uint8 and 0 < examples.max() < _DARKEST:
        lines.append(
            f"the {words} images are dark: their highest level is {int(examples.max())} of 255 "
            f"(files of 16 bits may hold levels of 12 or fewer)"
        )
    return lines


def _declared(data: DataSpec, split: Split, root: Path | None) -> tuple[Tensor, Tensor]:
    """Returns the examples and labels of a split if they are as the data set declares them."""
    loaded = data.stored(split, root)
    named = f"data {data.name}, split {split}"
    pair = isinstance(loaded, tuple) and len(loaded) == 2
    require_input(
        pair and all(isinstance(part, Tensor) for part in loaded),
        f"{named}: load must return two tensors, examples and labels, but returned "
        f"{type(loaded).__name__}",
    )
    examples, labels = loaded
    shape = (data.n_images(split), *data.shape)
    require_input(
        examples.shape == shape and examples.dtype in (torch.float32, torch.uint8),
        f"{named}: examples must be float32 of shape {shape}, as n_images and shape say, but are "
        f"{_words(examples)}",
    )
    require_input(
        labels.shape == shape[:1] and labels.dtype == torch.int64,
        f"{named}: labels must be int64 of shape {shape[:1]}, but are {_words(labels)}",
    )
    _require_range(f"{named}: labels", labels, 0, data.n_classes - 1)
    if examples.dtype == torch.float32:
        is_image = len(data.shape) == 3
        _require_range(f"{named}: examples", examples, *((0, 1) if is_image else (-inf, inf)))
    return examples, labels


def _require_range(what: str, values: Tensor, low: float, high: float) -> None:
    least, most = values.min().item(), values.max().item()
    require_input(
        low <= least <= most <= high and isfinite(least) and isfinite(most),
        f"{what} must be finite and from {low:g} to {high:g}, but reach from {least:g} to {most:g}",
    )


def _words(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def digest_of(*tensors: Tensor) -> str:
    """Returns the SHA-256 sum of tensors' shapes, types and values, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.shape} {array.dtype.str}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
