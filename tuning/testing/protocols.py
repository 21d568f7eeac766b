"""The contract of protocols (metrics)."""

import math
import re
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from scorelib.testing.specs import (
    check_spec,
    contract,
    global_generators,
    name_of,
    require,
    require_line,
)
from tuning.jobs import ExecutionContext, Job
from tuning.stages.protocols.base import Images, Measurement, Protocol, Reads
from tuning.testing.jobs import finish

_OF_MLFLOW = re.compile(r"[\w\-. /:]+")
"""The names of metrics that MLflow accepts."""


@contract
def check_protocol(
    protocol: Protocol, at: ExecutionContext, labels: Sequence[int] | None = None
) -> None:
    """Checks a protocol: its texts, what it can be compared with, and its measurement.

    The images are random: standard normal features, or random class probabilities.

    Args:
        protocol: protocol with a small number of images.
        at: environment; the inputs of the protocol are run in it first.
        labels: requested class of each image, if the protocol needs classes.

    Raises:
        AssertionError: a rule is broken; the message is one line.
        InputError: the protocol cannot measure images of these classes.
    """
    who = name_of(protocol)
    require(isinstance(protocol, Protocol), f"{who} must be a subclass of Protocol")
    check_spec(protocol)
    for what in ("name", "metric_name", "unit", "about"):
        require_line(getattr(protocol, what), f"{who}.{what}")
    for what in ("summary", "describe"):
        require_line(getattr(protocol, what)(), f"{who}.{what}()")
    require(
        _OF_MLFLOW.fullmatch(protocol.metric_name) is not None,
        f"{who}.metric_name must be a name for MLflow, of letters, digits and _-. /:, but got "
        f"{protocol.metric_name!r}",
    )
    better = protocol.lower_is_better
    require(isinstance(better, bool), f"{who}.lower_is_better must be a bool, but got {better!r}")
    reads = protocol.reads
    require(
        reads in get_args(Reads),
        f"{who}.reads must be one of {', '.join(map(repr, get_args(Reads)))}, but got {reads!r}",
    )
    _check_comparisons(who, protocol)
    inputs = protocol.inputs()
    are_jobs = isinstance(inputs, tuple) and all(isinstance(needed, Job) for needed in inputs)
    require(are_jobs, f"{who}.inputs() must return a tuple of jobs, but got {inputs!r:.60}")
    for job in inputs:
        finish(job, at)
    classes = None if labels is None else torch.tensor(labels, dtype=torch.int64)
    protocol.require_suitable(classes)
    _check_measurement(who, protocol, Images(_random_values(protocol), classes), at)


def _check_comparisons(who: str, protocol: Protocol) -> None:
    search, fresh, unstated = (
        protocol.replace(seeds=seeds) for seeds in ("search", "fresh", "unstated")
    )
    require(
        search.is_comparable(search) and search.is_comparable(unstated),
        f"{who}.is_comparable must be true of equal protocols, and of unstated seeds",
    )
    require(
        not search.is_comparable(fresh),
        f"{who}.is_comparable must be false of other fields, but is true of other seeds",
    )


def _random_values(protocol: Protocol) -> Tensor:
    draw, extractor = torch.Generator().manual_seed(0), protocol.extractor
    reads_features = protocol.reads == "features"
    width = extractor.n_features if reads_features else extractor.n_classes
    values = torch.randn(protocol.n_images, width, generator=draw)
    return values if reads_features else values.softmax(dim=1)


def _check_measurement(who: str, protocol: Protocol, images: Images, at: ExecutionContext) -> None:
    kept = images.values.clone()
    with global_generators(1, f"{who}.measure"):
        found = protocol.measure(images, at)
    require(
        isinstance(found, Measurement),
        f"{who}.measure must return a Measurement, but got {name_of(found)}",
    )
    value, by_class = found.value, found.by_class
    require(
        isinstance(value, float) and math.isfinite(value),
        f"{who}.measure must give a finite float, but got {value!r}",
    )
    require(torch.equal(images.values, kept), f"{who}.measure must not write to the images")
    with global_generators(2, f"{who}.measure"):
        again = protocol.measure(images, at)
    require(
        again == found,
        f"{who}.measure must give the same images the same value each time, but gave "
        f"{again.value:g} after {value:g}",
    )
    mean = sum(by_class.values()) / max(1, len(by_class))
    require(
        not by_class or math.isclose(mean, value, rel_tol=1e-9),
        f"{who}.measure: the value must be the mean of the classes, {mean:g}, but got {value:g}",
    )
