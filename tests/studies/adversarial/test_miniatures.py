"""Tests of the studies of "Adversarial score matching and improved sampling" in miniature."""

import pytest

from dashboards.results.cells import read_study
from dashboards.text.table import foot
from scorelib.exact.noise_level import closed_form
from tests.studies.miniature_contract import MiniatureContract
from tests.studies.miniatures import studies_of


@pytest.mark.parametrize("finished", studies_of("adversarial"), indirect=True)
class TestEveryStudy(MiniatureContract):
    """The checks for every study, on the studies of this paper."""


def test_the_modes_say_how_sure_the_classifier_is(worked_off):
    scheduler, store, *_ = worked_off("stacked_mnist_modes")
    view = read_study(scheduler, store)
    (real,) = view.real_certainty.values()
    (note,) = [line for line in foot(view) if line.startswith("mean probability")]
    cell = next(c for c in view.cells if c.cell.row == "adversarial DSM" and c.measured)
    raw, denoised = (cell.certainty[which].mean for which in ("raw", "denoised"))
    assert min(real, raw, denoised) > 0.1 and "not measured" not in note
    assert f"{real:.3f} on held-out real images; " in note
    assert f"; {raw:.3f} raw, {denoised:.3f} denoised on adversarial DSM (" in note


def test_the_noise_of_figure_1_is_the_closed_form(worked_off):
    scheduler, store, *_ = worked_off("noise_consistency")
    for cell in read_study(scheduler, store).cells:
        (quantity,) = cell.cell.quantities
        job, value = cell.cell.job, cell.measured[quantity].mean
        assert value == pytest.approx(cell.cell.reported[quantity].value, rel=3e-3)
        if quantity == "L" and "ALS" in cell.cell.row:
            assert value == pytest.approx(closed_form(job.sampler, job.schedule)[-1], rel=1e-6)
        if "CAS" in cell.cell.row:
            share = {"L/4": 0.25, "L/2": 0.5, "3L/4": 0.75, "L": 1.0}[quantity]
            assert value == pytest.approx(50 * (0.01 / 50) ** share, rel=1e-6)
