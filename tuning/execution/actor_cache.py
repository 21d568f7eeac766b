"""Keeps idle workers for the next job.

Tune reuses actors, but drops an idle one as soon as no trial is waiting for it. A study's jobs come
in waves (the chunks of a trial, its score, the next proposal), so at every ebb a worker was thrown
away, and a new one takes some five seconds to start and import torch. There is no public setting
for this; the class replaced here is private, which is why Ray is pinned to a minor version.
"""

from collections.abc import Generator
from typing import Any

from tuning.execution.ray_import import ObjectCache, tune_controller

_MOST_IDLE = 8


class _IdleActors(ObjectCache):  # type: ignore[misc]
    """Holds up to eight idle actors while no trial waits for resources of another kind."""

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
        """Whether a trial waits for other resources, which idle actors would keep from it."""
        return any(count > 0 for other, count in self._max_num_objects.items() if other != key)


def install() -> None:
    """Makes Tune runs of this process keep their idle actors."""
    tune_controller._ObjectCache = _IdleActors
