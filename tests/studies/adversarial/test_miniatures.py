"""Tests of the studies of "Adversarial score matching and improved sampling" in miniature."""

import pytest

from dashboards.results.cells import read_study
from scorelib.exact.noise_level import closed_form
from tests.studies.miniature_contract import MiniatureContract
from tests.studies.miniatures import studies_of


@pytest.mark.parametrize("finished", studies_of("adversarial"), indirect=True)
class TestEveryStudy(MiniatureContract):
    """The checks for every study, on the studies of this paper."""


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
