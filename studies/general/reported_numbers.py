"""Reported numbers of published models, beside those that a study measures on their weights.

A number is compared only if it was measured by our protocol (`tuning.stages.Protocol`). For other
numbers, the notes under the table say how the protocols differ, and how much of the difference is
due to the number of images.
"""

from collections.abc import Sequence
from typing import Any

from scorelib.step_size import relative_step
from scorelib.weights import PUBLISHED, PublishedModel
from scorelib.weights import Reported as Number
from scorelib.weights.published import TTUR
from studies.common.distances import papers_protocol
from tuning.cells import Cell, Reported
from tuning.stages import FidProtocol, Protocol


def row_label(name: str, n_sigma: int) -> str:
    """Returns the label of a row, such as "ALS, n_sigma = 1".

    Args:
        name: sampler, "als" or "cas".
        n_sigma: steps per noise level.
    """
    return f"{name.upper()}, n_sigma = {n_sigma}"


def reported_fields(published: str, name: str, n_sigma: int, protocol: Protocol) -> dict[str, Any]:
    """Returns the reported numbers of a row, as keyword arguments of `Cell`.

    Args:
        published: name of the published model; "" for none.
        name: sampler, "als" or "cas".
        n_sigma: steps per noise level.
        protocol: protocol of our numbers.
    """
    if not published or not isinstance(protocol, FidProtocol):
        return {}
    model = PUBLISHED[published]
    found = [r for r in model.reported if (r.sampler, r.n_sigma) == (name, n_sigma)]
    if not found:
        return {}
    fields: dict[str, Any] = {"reported": _by_output(found, model)}
    epsilon, schedule = found[0].epsilon, model.schedule
    if epsilon is not None and schedule.n_levels > 1:
        gamma = (schedule.sigma_L / schedule.sigma_1) ** (1 / (schedule.n_levels - 1))
        fields["reported_epsilon"] = epsilon
        fields["reported_r"] = relative_step(epsilon, schedule.sigma_L, gamma, n_sigma)
    if found[0].n_images != protocol.n_images:
        fields["sample_size"] = found[0].n_images
    return fields


def reported_alone(published: str, cells: Sequence[Cell]) -> list[Cell]:
    """Returns cells of the reported numbers that no row of ours measures.

    Args:
        published: name of the published model; "" for none.
        cells: the measured cells of the distance.
    """
    if not published or not cells:
        return []
    model, shown = PUBLISHED[published], {cell.row for cell in cells if cell.reported}
    rows: dict[str, list[Number]] = {}
    for number in model.reported:
        if (row := _row(number)) not in shown:
            rows.setdefault(row, []).append(number)
    return [
        Cell(row=row, column=cells[0].column, reported=_by_output(found, model))
        for row, found in rows.items()
    ]


def reported_notes(published: str) -> tuple[str, ...]:
    """Returns where the reported numbers come from, one line each."""
    if not published:
        return ()
    model = PUBLISHED[published]
    if not model.reported:
        return (f"{model.name} ({model.reference}): no number was reported",)
    return tuple(
        f"{model.name} ({model.reference}): {number.fid:g} "
        f"{'denoised' if number.denoised else 'raw'}, {_row(number)}"
        + (f", epsilon {number.epsilon:g}" if number.epsilon else "")
        + f": {number.n_images:,} samples, {number.statistics}"
        for number in model.reported
    )


def _row(number: Number) -> str:
    if number.sampler not in ("als", "cas"):
        return number.sampler
    if number.n_sigma is None:
        return f"{number.sampler.upper()}, n_sigma not stated"
    return row_label(number.sampler, number.n_sigma)


def _by_output(found: Sequence[Number], model: PublishedModel) -> dict[str, Reported]:
    return {
        "denoised" if number.denoised else "raw": Reported(
            number.fid, model.reference, _protocol(number, model), number.n_images
        )
        for number in found
    }


def _protocol(number: Number, model: PublishedModel) -> FidProtocol | None:
    """Returns the protocol of a reported number; None if no protocol here is the same."""
    if number.statistics != TTUR:
        return None
    return papers_protocol(model.data, number.n_images)
