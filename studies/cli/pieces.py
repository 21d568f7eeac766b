"""Finds the files of pictures and of published statistics that the jobs of a study read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scorelib.data.own.pictures import CHUNK_IMAGES, Pictures
from scorelib.errors import InputError
from scorelib.metrics.statistics import Statistics
from studies.cli.preflight import fixed_left
from tuning.addresses import local_path
from tuning.store.store import Store
from tuning.study import Study

Pieces = dict[str, tuple[str, int]]
"""Path and position of the first image, by digest; see `tuning.jobs.ExecutionContext.pieces`."""


def pieces_of(study: Study, store: Store) -> Pieces:
    """Returns where the pieces lie that the unfinished jobs of a study read.

    Args:
        study: the study, whose settings name the paths as ``data.pictures``.
        store: its store, or an empty one.

    Raises:
        InputError: no path holds some pictures or statistics that an unfinished job reads.
    """
    wanted = {piece for job in fixed_left(study, store) for piece in job.pieces}
    if not wanted:
        return {}
    settings: Any = study.settings
    paths = [local_path(path).resolve() for path in settings.data.pictures]
    found: Pieces = {}
    for source in dict.fromkeys((*settings.pictures, settings.reference)):
        if isinstance(source, Pictures | Statistics) and wanted & set(_digests(source)):
            found |= _located(source, paths)
    return found


def _digests(source: Pictures | Statistics) -> tuple[str, ...]:
    return source.chunks if isinstance(source, Pictures) else (source.sha256,)


def _located(source: Pictures | Statistics, paths: list[Path]) -> Pieces:
    path = next((path for path in paths if source.are_at(path)), None)
    if path is None:
        given = ", ".join(map(str, paths)) or "none"
        raise InputError(
            f"{source.name} must be among the paths of data.pictures until its features are stored,"
            f" but is at none of them ({given}): name its folder or file again",
            "data.pictures",
        )
    return dict(_places(source, path))


def _places(source: Pictures | Statistics, path: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    for index, digest in enumerate(_digests(source)):
        yield digest, (str(path), index * CHUNK_IMAGES)
