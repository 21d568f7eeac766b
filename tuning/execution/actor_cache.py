"""A replacement for Ray Tune's cache of workers that keeps idle workers for the next job.

A worker is a Ray actor, a process that runs one job after another. Tune stops an idle actor as soon
as no job is waiting. In a study, the number of waiting jobs often falls to 0 for a moment: a search
samples the images of a trial in parallel, measures the images in one job, and only then proposes
the next trial. Without this replacement, most workers would be stopped each time, and a new worker
takes about five seconds to start and to import torch.

Tune has no public setting for this. The class replaced here is private, so Ray is pinned to a minor
version.
"""

from collections.abc import Generator
from typing import Any

from tuning.execution.ray_import import ObjectCache, tune_controller

_MOST_IDLE = 8


class _IdleActors(ObjectCache):  # type: ignore[misc]
    """A cache of up to eight idle actors, kept while no trial waits for other resources."""

    def cache_object(self, key: Any, obj: Any) -> bool:
        if self._others_wait(key) or self._num_cached_objects >= _MOST_IDLE:
            return bool(super().cache_object(key, obj))
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Generator[Any, None, None]:
        kinds = [key for key, actors in self._cached_objects.items() if actors]
        if force_all or any(self._others_wait(key) for key in kinds):
            yield from super().flush_cached_objects(force_all=force_all)

    def _others_wait(self, key: Any) -> bool:
        """Returns whether a trial waits for other resources, which idle actors might occupy."""
        return any(count > 0 for other, count in self._max_num_objects.items() if other != key)


def install() -> None:
    """Makes the Tune runs of this process keep their idle actors."""
    tune_controller._ObjectCache = _IdleActors
