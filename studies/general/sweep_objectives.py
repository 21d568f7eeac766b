"""Reads the objectives of a sweep from text: metrics of images, or numbers of a job's results."""

from collections.abc import Sequence

from scorelib.data import DataSpec
from scorelib.errors import InputError
from studies.general.metrics import protocol_of_kind
from tuning.jobs import Job
from tuning.spaces import Objective
from tuning.stages import FidProtocol, NeighboursProtocol, Protocol

METRICS = ("distance", "precision", "recall", "density", "coverage")
"""Names of the metrics of images: the Frechet distance, and neighbour metrics."""

_DIRECTIONS = {"lower": True, "raise": False}
_FIELD = "objectives"


def image_objectives(given: Sequence[str], distance: FidProtocol) -> tuple[Objective, ...]:
    """Returns the objectives of generated images.

    Args:
        given: names of metrics or kinds of protocols, each perhaps after "raw".
        distance: protocol of the distance; the other metrics have its features and images.

    Raises:
        InputError: a name is unknown, or the protocol of a kind cannot measure the images.
    """
    return tuple(_image_objective(text, distance) for text in given)


def _image_objective(text: str, distance: FidProtocol) -> Objective:
    is_raw = text.strip().startswith("raw ")
    name = text.strip().removeprefix("raw ").strip()
    protocol: Protocol = distance
    if name not in METRICS:
        protocol = protocol_of_kind(name, distance, _FIELD, METRICS)
    elif name != "distance":
        shared = {f: getattr(distance, f) for f in ("extractor", "data", "n_images", "seeds")}
        assert isinstance(distance.data, DataSpec)
        n_real = min(distance.n_images, distance.data.n_images("train"))
        protocol = NeighboursProtocol(statistic=name, n_real=n_real, **shared)  # type: ignore[arg-type]
    return Objective(
        name=f"raw {protocol.name}" if is_raw else protocol.name,
        number="raw" if is_raw else "denoised",
        lower=protocol.lower_is_better,
        protocol=protocol,
    )


def job_objectives(given: Sequence[str], job: Job) -> tuple[Objective, ...]:
    """Returns the objectives of a job of the user's own.

    Args:
        given: "lower NAME" or "raise NAME"; "NAME" alone if the job's class says which is better.
        job: the job.

    Raises:
        InputError: a direction is missing or unknown.
    """
    return tuple(_job_objective(text, job) for text in given)


def _job_objective(text: str, job: Job) -> Objective:
    word, _, rest = text.strip().partition(" ")
    if word in _DIRECTIONS and rest:
        return Objective(name=rest.strip(), number=rest.strip(), lower=_DIRECTIONS[word])
    lower = job.lower_is_better
    if lower is None or not text.strip() or rest:
        raise InputError(
            f"objectives of a job must be 'lower NAME' or 'raise NAME', but got {text!r}", _FIELD
        )
    return Objective(name=text.strip(), number=text.strip(), lower=lower)
