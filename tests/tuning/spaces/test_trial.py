"""Tests of a finished trial and its Optuna version."""

import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from tests.tuning.trials import told
from tuning.spaces.trial import Trial, as_optuna_trial

RANGES = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "kind": CategoricalDistribution(("a", "b")),
}
VALUES = {"rate": 0.01, "kind": "b"}


@pytest.mark.parametrize("numbers", [(2.5,), (2.5, -1.0, 0.0)])
def test_optuna_is_given_the_values_and_all_numbers_in_order(numbers):
    made = as_optuna_trial(told(VALUES, *numbers), RANGES, {"score": "key"})
    assert made.state == TrialState.COMPLETE and made.values == list(numbers)
    assert made.params == VALUES and made.distributions == RANGES
    assert made.user_attrs == {"score": "key"}
    assert as_optuna_trial(told(VALUES, *numbers), RANGES).user_attrs == {}


@pytest.mark.parametrize(
    "numbers", [(), (math.nan,), (1.0, math.inf), (-math.inf, 1.0), (math.nan, math.nan)]
)
def test_a_trial_without_finite_numbers_has_failed(numbers):
    trial = Trial(3, VALUES, numbers=numbers)
    made = as_optuna_trial(trial, RANGES)
    assert not trial.has_numbers
    assert made.state == TrialState.FAIL and made.values is None and made.params == VALUES


def test_the_value_is_the_first_number():
    assert told(VALUES, 3.0, 1.0).value == 3.0 and told(VALUES, None, 1.0).value is None
    assert Trial(0, VALUES).value is None and Trial(0, VALUES).result is None
