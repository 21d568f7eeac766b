"""Metrics of general studies by the kind of their protocol, such as a metric of the user's own.

    --module ink.py --set 'metrics=["distance", "Ink"]'
    metrics = ['{"spec": "Ink", "weight": 2}']      in a file of settings

The features, the real images, the number of images and the seeds are those of the study, as all
fields that the protocol shares with the study's Frechet distance. Other fields take their defaults.
"""

from collections.abc import Iterable

from scorelib.errors import InputError, about
from scorelib.field_names import hint, suggestions
from scorelib.spec import kinds_below
from scorelib.spec_paths import component, parsed
from tuning.stages import FidProtocol, Protocol

DISTANCE = "distance"
"""Name of the Frechet distance among the metrics of a study."""


def protocol_of_kind(
    given: str, distance: FidProtocol, field: str, names: Iterable[str]
) -> Protocol:
    """Returns the protocol of a kind.

    Args:
        given: kind, or JSON with the kind as "spec" and some fields.
        distance: the study's distance, whose fields carry over where the protocol has them.
        field: the setting that holds the metric, for messages.
        names: names of further metrics that the setting may hold, for messages.

    Raises:
        InputError: there is no such kind, or a field of the protocol cannot have its value.
    """
    described = parsed(given)
    name = str(described.get("spec", given)) if isinstance(described, dict) else given
    kinds = {name for cls in kinds_below(Protocol) for name in (cls.KIND, cls.short_kind())}
    if name not in kinds:
        known = list(names)
        raise InputError(
            f"{field} must hold {', '.join(known)}, or kinds of protocols, whose modules are given,"
            f" but got {name!r}{hint(suggestions(name, [*known, *sorted(kinds)]))}",
            field,
            "modules",
        )
    try:
        made: Protocol = component(described, distance, (Protocol,), field)
    except InputError as error:
        raise InputError(about(field, str(error)), field) from error
    return made
