"""Reads the objectives of a sweep from text: metrics of images, or numbers of a job's results."""

from collections.abc import Sequence

from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.field_names import hint, suggestions
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
        given: names of metrics, each perhaps after "raw".
        distance: protocol of the distance; the other metrics have its features and images.

    Raises:
        InputError: a name is unknown.
    """
    return tuple(_image_objective(text, distance) for text in given)


def _image_objective(text: str, distance: FidProtocol) -> Objective:
    *before, name = text.split() or [""]
    if name not in METRICS or before not in ([], ["raw"]):
        raise InputError(
            f"an objective must be one of {', '.join(METRICS)}, or 'raw' followed by one of them, "
            f"but got {text!r}{hint(suggestions(name, METRICS))}",
            _FIELD,
        )
    protocol: Protocol = distance
    if name != "distance":
        shared = {f: getattr(distance, f) for f in ("extractor", "data", "n_images", "seeds")}
        assert isinstance(distance.data, DataSpec)
        n_real = min(distance.n_images, distance.data.n_images("train"))
        protocol = NeighboursProtocol(statistic=name, n_real=n_real, **shared)  # type: ignore[arg-type]
    return Objective(
        name=" ".join([*before, protocol.name]),
        number="raw" if before else "denoised",
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
