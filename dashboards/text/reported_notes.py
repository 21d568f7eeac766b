"""Notes under the table on reported numbers with another number of images than ours.

A difference is shown only between equal protocols. For other numbers a note says what differs, and
how much of the distance is due to the number of images alone (`tuning.stages.sample_size`).
"""

from collections.abc import Iterator

from dashboards.results.cells import CellView, StudyView
from tuning.cells import Reported
from tuning.stages import OUTPUTS, Output, Protocol
from tuning.stages.sample_size import (
    PERFECT,
    PERFECT_REPORTED,
    at_reported,
    half_width,
    infinite,
)


def reported_notes(view: StudyView) -> list[str]:
    """Returns a note for each cell whose reported number has another number of images."""
    cells = [cell for cell in view.cells if cell.cell.sample_size and cell.measured]
    return [_note(cell) for cell in cells]


def _note(cell: CellView) -> str:
    own = cell.cell
    assert own.protocol is not None
    reported = next(iter(own.reported.values()))
    found = "; ".join([_differing(own.protocol, reported), *_explained(cell)])
    return f"{own.row}: the reported number differs in {found}"


def _differing(ours: Protocol, reported: Reported) -> str:
    """Returns the settings in which two protocols differ, in words."""
    words = [f"the number of images ({reported.n_images:,}, ours {ours.n_images:,})"]
    theirs = reported.protocol
    if theirs is None:
        return ", ".join([*words, "the reference and its features (not part of this program)"])
    if theirs.extractor != ours.extractor:
        words.append(f"the features ({theirs.name}, ours {ours.name})")
    if theirs.about != ours.about:
        words.append(f"the reference ({theirs.about}, ours {ours.about})")
    elif theirs.replace(extractor=ours.extractor, n_images=ours.n_images, seeds=ours.seeds) != ours:
        words.append(f"the protocol ({theirs.describe()}, ours {ours.describe()})")
    return ", ".join(words)


def _explained(cell: CellView) -> Iterator[str]:
    """Yields the part due to the number of images, for each output with a reported number."""
    numbers, own = cell.sample_size, cell.cell
    if not numbers or own.protocol is None:
        yield "the effect of the number of images is not computed yet"
        return
    n_reported = own.sample_size
    outputs: list[Output] = [which for which in OUTPUTS if which in own.reported]
    for which in outputs:
        if infinite(which) in numbers:
            middle, half = numbers[infinite(which)], numbers[half_width(which)]
            change = cell.measured[which].values[0] - numbers[at_reported(which)]
            yield (
                f"our {which} images have FID-infinity {middle:.4g} (95% interval "
                f"{middle - half:.4g} to {middle + half:.4g}) and {numbers[at_reported(which)]:.4g}"
                f" at {n_reported:,}, so the number of images alone explains {change:.3g}"
            )
    if not any(infinite(which) in numbers for which in outputs):
        change = numbers[PERFECT] - numbers[PERFECT_REPORTED]
        yield (
            f"perfect samples would score {numbers[PERFECT]:.4g} on {own.protocol.n_images:,} "
            f"images and {numbers[PERFECT_REPORTED]:.4g} on {n_reported:,} (simulated from the "
            f"reference), so the number of images alone explains about {change:.3g}"
        )
