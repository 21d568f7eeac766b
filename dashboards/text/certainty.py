"""Notes on how sure a classifier is of generated images, in comparison with real images.

A classifier assigns a class to every image, even to noise. Numbers that rest on its classes (modes,
shares of classes, class means, Inception scores) mean little if the classifier is much less sure
of the generated images than of real images that it was not trained on.
"""

from dashboards.results.cells import CellView, Measured, StudyView, classifier
from scorelib.metrics.classifier import ClassifierFeatures
from tuning.stages.score import Output

_NOT_MEASURED = "not measured"


def certainty_notes(view: StudyView) -> list[str]:
    """Returns a note for each classifier that measured cells of a study rest on.

    The note gives the mean probability of the most likely class on held-out real images and on the
    images of each row, column or cell. Numbers that no result has, because the results come from
    version 0.2 or earlier, are said to be not measured.

    Args:
        view: results of the study so far.
    """
    return [
        note for of, real in view.real_certainty.items() if (note := _note(view.cells, of, real))
    ]


def _note(cells: tuple[CellView, ...], of: ClassifierFeatures, real: float | None) -> str:
    """Returns the note on a classifier; "" if no cell that rests on the classifier is measured."""
    groups: dict[tuple[object, ...], list[CellView]] = {}
    for cell in cells:
        if cell.certainty and classifier(cell.cell) == of:
            groups.setdefault(_images(cell), []).append(cell)
    if not groups:
        return ""
    about = f"mean probability that {of.name} gives to the most likely class"
    if real is None and not any(any(g[0].certainty.values()) for g in groups.values()):
        return f"{about}: {_NOT_MEASURED}"
    given = f"{_text(real)} on held-out real images"
    labelled = zip(_labels([*groups.values()]), groups.values(), strict=True)
    each = [f"{_texts(group[0].certainty)} on {label}" for label, group in labelled]
    return (
        f"{about}: {'; '.join([given, *each])} (if the probability is much lower than on real "
        "images, the classes are hardly more than guesses)"
    )


def _images(cell: CellView) -> tuple[object, ...]:
    """Returns an identity of the images of a cell: the stream and the number of images."""
    return (cell.cell.job or cell.sample, cell.cell.n_images)


def _labels(groups: list[list[CellView]]) -> list[str]:
    """Returns a label of each group of cells that show the same images.

    The label is the row, or else the column, if this tells all groups apart; otherwise it is the
    names of the group's cells.
    """
    for name in ("row", "column"):
        found = [{getattr(cell.cell, name) for cell in group} for group in groups]
        if all(len(names) == 1 for names in found) and len(set.union(*found)) == len(groups):
            return [names.pop() for names in found]
    return ["; ".join(cell.cell.name for cell in group) for group in groups]


def _texts(certainty: dict[Output, Measured | None]) -> str:
    if not any(certainty.values()):
        return _NOT_MEASURED
    found = {which: _text(of.mean if of else None) for which, of in certainty.items()}
    return ", ".join(f"{text} {which}" for which, text in found.items())


def _text(certainty: float | None) -> str:
    return _NOT_MEASURED if certainty is None else f"{certainty:.3f}"
