"""Tests that every cell of docs/notebook.ipynb works, with small sizes and in this process.

``make tutorial`` runs the notebook in a real kernel, interrupts it and continues on the user's own
Ray. Here the jobs run without Ray, and then the notebook finds them finished.
"""

import matplotlib
import pytest
from matplotlib import pyplot as plt

from tests.miniature import MINIATURE, miniature_study
from tests.tuning.draining import fill
from tests.tutorial.notebook import evaluated, sources
from tuning.store.store import Store

SMALL = {"n_sigma": "[1]", "search.n_trials": "1", "selection.n_trials": "1"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Returns a function that gives the value of the cell whose source has a part."""
    folder = tmp_path_factory.mktemp("notebook")
    fill(
        miniature_study(**{name.replace(".", "__"): value for name, value in SMALL.items()}),
        Store(str(folder / "store"), create=True),
    )
    names = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        backend = matplotlib.get_backend()
        matplotlib.use("agg")
        values = {source: evaluated(source, names) for source in sources(MINIATURE | SMALL)}
        plt.close("all")
        matplotlib.use(backend)

    def of(part):
        (value,) = [value for source, value in values.items() if part in source]
        return value

    yield of
    assert (folder / "report.html").stat().st_size > 10_000


def test_the_launch_finds_the_finished_study_and_shows_its_table(shown):
    run = shown("studies.launch")
    assert run.is_complete and "Table 1" in run._repr_html_()
    assert len(shown("run.table()")) == 2 and shown("run.trials")["is_winner"].sum() == 1
    assert "done" in shown("studies.open")._repr_html_()


def test_a_cell_has_images_and_a_network(shown):
    assert "data:image/png" in shown("run.cell")._repr_html_()
    shape, epsilon, denoised = shown("cell.samples")
    assert shape == (64, 1, 8, 8) and epsilon > 0 and denoised > 0
    assert shown("cell.network") > 0


def test_a_figure_and_the_report_are_made(shown):
    assert shown("run.figure(").data[0].type == "scatter"
    assert str(shown("run.report")).endswith("report.html")
