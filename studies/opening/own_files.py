"""Turns the user's files that changes of settings name into what identifies their content."""

from collections.abc import Mapping
from typing import Any

from studies.opening.own_data import with_own_data
from studies.opening.own_pictures import with_own_pictures
from studies.opening.own_weights import with_own_weights


def with_own_files(settings: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the changes with specs in place of paths to pictures, data sets and weights.

    Args:
        settings: settings of the study before the changes.
        changes: new values by path.

    Raises:
        InputError: a file or folder cannot be used.
    """
    with_pictures = with_own_pictures(settings, changes)
    return with_own_weights(settings, with_own_data(settings, with_pictures))
