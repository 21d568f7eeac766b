"""Figures as PNG files, drawn without a screen."""

import io

import matplotlib
from matplotlib.figure import Figure

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def as_png(figure: Figure) -> bytes:
    """The figure as a file; it is closed. Equal figures are equal files: no version, no date."""
    if figure.get_layout_engine() is None:
        figure.tight_layout()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()
