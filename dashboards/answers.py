"""The answer to a study's question in two sentences, made from its numbers alone.

The first is about what the table's first row measures: which cell is best of all that are measured
so, and whether by more than the seeds' spread. The second says what reproduces the paper, where
that can be said, or else what denoising or the columns make of it. Numbers of different protocols
are never set against each other; where no protocol says which direction is better, the sentence
only says what lies where.
"""

import statistics
from collections import Counter
from collections.abc import Sequence

from dashboards.cells import CellView, Measured, StudyView
from dashboards.verdicts import noise_of, verdict
from tuning.stages import OBJECTIVES, Protocol

Valued = tuple[CellView, Measured]


def answer(shown: StudyView) -> tuple[str, str]:
    """Two sentences.

    Args:
        shown: what is known of the study.
    """
    cells = [cell for cell in shown.cells if cell.cell.is_measured]
    done = [cell for cell in cells if cell.measured]
    begun = "" if len(done) == len(cells) else f"So far {len(done)} of {len(cells)} cells are in: "
    if not done:
        missing = f"None of {len(cells)} cells is measured yet."
        return missing, "The table says what is missing and what it would cost."
    protocol = done[0].cell.protocol
    if protocol is None:
        row = [cell for cell in done if cell.cell.row == done[0].cell.row]
        others = next((cell.cell.protocol for cell in done if cell.cell.protocol), None)
        first, second = _ranges(row), _verdicts(done)
        if second is None and others is not None:
            second = _best(_measured_by(others, done), others)
    else:
        group = _measured_by(protocol, done)
        first = _best(group, protocol)
        second = _verdicts(done) or _denoising(group, protocol) or _columns(group, protocol)
    return _capital(f"{begun}{first}"), _capital(second or _amount(done))


def _measured_by(protocol: Protocol, done: Sequence[CellView]) -> list[CellView]:
    return [cell for cell in done if cell.cell.protocol == protocol]


def _valued(cells: Sequence[CellView], quantity: str) -> list[Valued]:
    return [(cell, cell.measured[quantity]) for cell in cells if quantity in cell.measured]


def _quantity(cells: Sequence[CellView]) -> str:
    """What the cells are compared by: the denoised images', if they have them."""
    names = [name for cell in cells for name in cell.measured]
    return "denoised" if "denoised" in names else names[0]


def _best(group: Sequence[CellView], protocol: Protocol) -> str:
    """Which cell of one protocol is best, and how surely."""
    quantity = _quantity(group)
    ranked = sorted(_valued(group, quantity), key=lambda v: v[1].mean)
    if not protocol.lower_is_better:
        ranked.reverse()
    (best, value), *others = ranked
    kind = f", {quantity}" if quantity == "denoised" else ""
    sentence = f"{best.cell.name} has the best {protocol.name}{kind}: {_number(value)}"
    if not others:
        return f"{sentence}."
    second, runner_up = others[0]
    return f"{sentence}, {_ahead(value, runner_up)} {second.cell.name} ({_number(runner_up)})."


def _ahead(best: Measured, second: Measured) -> str:
    if best.spread is None or second.spread is None:
        return "ahead (on one seed, so perhaps by chance) of"
    noise = max(noise_of(m.spread or 0.0, m.n_seeds) for m in (best, second))
    surely = abs(best.mean - second.mean) > noise
    return "ahead by more than the seeds' spread of" if surely else "within the seeds' spread of"


def _verdicts(done: Sequence[CellView]) -> str | None:
    """How many numbers reproduce the paper's, where protocols are equal."""
    found = Counter(v for cell in done for name in cell.measured if (v := verdict(cell, name)))
    if not found:
        return None
    parts = [
        f"{found['reproduced']} reproduce the paper's",
        f"{found['within noise']} are within noise of it",
        f"{found['differs']} differ",
    ]
    return f"of {found.total()} numbers that can be compared, {', '.join(parts)}."


def _denoising(group: Sequence[CellView], protocol: Protocol) -> str | None:
    """What denoising the images does to the number."""
    both = [cell for cell in group if {"raw", "denoised"} <= cell.measured.keys()]
    if not both:
        return None
    sign = 1 if protocol.lower_is_better else -1
    gains = [sign * (c.measured["raw"].mean - c.measured["denoised"].mean) for c in both]
    better = sum(gain > 0 for gain in gains)
    typical = statistics.median(abs(c.measured["denoised"].mean) for c in both)
    before = statistics.median(abs(c.measured["raw"].mean) for c in both)
    return (
        f"denoising the images improves {better} of {len(both)} cells: the median over them goes "
        f"from {before:.4g} to {typical:.4g}."
    )


def _columns(group: Sequence[CellView], protocol: Protocol) -> str | None:
    """Which column is best in how many rows."""
    quantity = _quantity(group)
    rows: dict[str, list[Valued]] = {}
    for cell, value in _valued(group, quantity):
        rows.setdefault(cell.cell.row, []).append((cell, value))
    full = [of for of in rows.values() if len(of) > 1]
    if not full:
        return None
    pick = min if protocol.lower_is_better else max
    winners = Counter(pick(of, key=lambda v: v[1].mean)[0].cell.column for of in full)
    column, wins = winners.most_common(1)[0]
    return f"{column} is best in {wins} of {len(full)} rows with several columns."


def _ranges(row: Sequence[CellView]) -> str:
    """Between which cells of a row its first quantity lies."""
    quantity = next(iter(row[0].measured))
    what = row[0].cell.row + ("" if quantity in OBJECTIVES else f", {quantity}")
    ranked = sorted(_valued(row, quantity), key=lambda v: v[1].mean)
    (low, lowest), (high, highest) = ranked[0], ranked[-1]
    if low is high:
        return f"{what} is {_number(lowest)} ({low.cell.column})."
    return (
        f"{what} lies between {_number(lowest)} ({low.cell.column}) and {_number(highest)} "
        f"({high.cell.column})."
    )


def _amount(done: Sequence[CellView]) -> str:
    n_numbers = sum(len(cell.measured) for cell in done)
    seeds = sorted({m.n_seeds for cell in done for m in cell.measured.values()})
    return f"{n_numbers} numbers are measured, on {' or '.join(map(str, seeds))} seeds each."


def _number(measured: Measured) -> str:
    spread = "" if measured.spread is None else f" ±{measured.spread:.2g}"
    return f"{measured.mean:.4g}{spread}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
