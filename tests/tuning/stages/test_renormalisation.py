"""Tests of the renormalisation stage: its numbers by quadrature, and exact special cases."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scorelib.errors import InputError
from scorelib.spec import from_json
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Work
from tuning.stages import Renormalisation
from tuning.stages.renormalisation import z_normal


def result_of(job, store):
    list(execute(job, ExecutionContext(store=store)))
    return store.manifest(job.stage, job.key).result


def test_without_a_power_scaling_does_what_it_means(store):
    job = Renormalisation(alpha=1.0, centres=(-2.0, 1.0), std=0.5, normal_stds=(0.5, 2.0))
    found = result_of(job, store)
    expected = {
        "mean": 1, "std": 0.5, "scaled_mean": 1, "scaled_std": 0.5, "score_gap": 0, "kl": 0,
        "z_between": 1, "z_normal_0.5": 1, "z_normal_2": 1,
    }  # fmt: skip
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 10.0])
def test_the_numbers_are_those_of_adaptive_quadrature(store, alpha):
    job = Renormalisation(alpha=alpha, normal_stds=(0.5, 1.0, 2.0))
    case, found = job.case, result_of(job, store)

    def mean(f, density):
        whole, _ = quad(lambda x: density(x, 1), -14, 14, points=[-1, 0, 1], limit=200)
        return (
            quad(lambda x: f(x) * density(x, 1), -14, 14, points=[-1, 0, 1], limit=200)[0] / whole
        )

    for prefix, density in (("", case.posterior), ("scaled_", case.scaled_posterior)):
        centre = mean(lambda x: x, density)
        variance = mean(lambda x, c=centre: (x - c) ** 2, density)
        assert found[f"{prefix}mean"] == pytest.approx(centre, rel=1e-6)
        assert found[f"{prefix}std"] == pytest.approx(variance**0.5, rel=1e-6)
    gap = mean(lambda x: abs(case.scaled_score(x, 1) - case.posterior_score(x, 1)), case.posterior)
    assert found["score_gap"] == pytest.approx(gap, rel=1e-5)
    total = mean(case.normaliser, case.posterior)  # of p~ Z, the density that scaling follows
    kl = mean(lambda x: np.log(total / case.normaliser(x)), case.posterior)
    assert found["kl"] == pytest.approx(kl, rel=1e-6)
    assert found["z_between"] == pytest.approx(2 * 0.5**alpha)
    for std in job.normal_stds:
        power, _ = quad(lambda y, std=std: norm.pdf(y, scale=std) ** alpha, -np.inf, np.inf)
        assert found[z_normal(std)] == pytest.approx(power, rel=1e-6)


def test_it_needs_nothing_and_comes_back_from_json():
    job = Renormalisation(alpha=3.0)
    assert job.inputs() == () and job.work() == Work() and from_json(job.to_json()) == job
    assert job.title() == "likelihood to the power 3"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"alpha": 0.0}, "centres"),
        ({"centres": (1.0, 1.0)}, "centres"),
        ({"centres": (1.0,)}, "centres"),
        ({"normal_stds": (1.0, 0.0)}, "normal_stds"),
    ],
)
def test_values_out_of_range_are_refused(wrong, named):
    with pytest.raises(InputError, match=named):
        Renormalisation(**({"alpha": 2.0} | wrong))
