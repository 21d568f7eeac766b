"""Tests of search spaces: from values to scores, and placeholders for values not yet proposed."""

import json
from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorelib.errors import InputError
from scorelib.losses import Adversarial, Dsm, GanLoss
from scorelib.samplers import Cas, CasInR
from scorelib.schedules import GeometricSchedule, LinearSchedule
from scorelib.spec import from_json
from tests.tuning.miniature import miniature_study
from tuning.scheduling.forecast import total_work
from tuning.spaces import EPSILON, LogUniform, OneOf, ParameterSpace, Rung, StepSizeSpace
from tuning.spaces.trial import Trial
from tuning.stages import InceptionScoreProtocol

STUDY = miniature_study(columns='["adversarial"]')
TEMPLATE = STUDY.searches[0].space.template
LAMBDA = LogUniform(name="lambda", path="sample.model.train.objective.lambda_", low=0.013, high=87)
N_D = OneOf(name="n_D", path="sample.model.train.objective.n_d", values=(1, 2, 3))
EMA = OneOf(name="ema", path="sample.ema", values=(0.99, 0.999))
BOTH = OneOf(
    name="trained by",
    path="sample.model.train.objective",
    values=(Dsm(), Adversarial(gan_loss=GanLoss(kind="hinge"))),
    labels=("dsm", "hinge"),
)


def space(*parameters, **changes):
    return ParameterSpace(template=TEMPLATE, parameters=parameters, **changes)


def at(score, path):
    return reduce(getattr, path.split("."), score)


def identity(values):
    return tuple(sorted(values.items()))


# -- values to scores and back ---------------------------------------------------------------------


@pytest.mark.parametrize("values", [
    {"lambda": 0.5, "n_D": 3, "ema": 0.99}, {"lambda": 12.0, "n_D": 1, "ema": 0.999},
])  # fmt: skip
def test_values_are_in_their_fields_and_nothing_else_is_changed(values):
    parameters = (LAMBDA, N_D, EMA)
    score = space(*parameters).score(values)
    assert {p.name: at(score, p.path) for p in parameters} == values
    before = space(*parameters).score({p.name: at(TEMPLATE, p.path) for p in parameters})
    assert before == TEMPLATE
    changed = {path for path, value in score.flat().items() if value != TEMPLATE.flat()[path]}
    assert changed <= {p.path for p in parameters} and changed


def test_a_choice_of_specs_is_recorded_by_its_word_and_set_as_the_spec():
    searched = space(BOTH)
    for word, spec in zip(BOTH.labels, BOTH.values, strict=True):
        assert searched.score({"trained by": word}).sample.model.train.objective == spec
    proposed = searched.propose([], [{"trained by": "hinge"}], 0)
    assert proposed == [{"trained by": "hinge"}] == json.loads(json.dumps(proposed))
    assert from_json(json.loads(json.dumps(searched.to_json()))) == searched


def test_a_space_is_known_by_all_that_it_holds():
    others = (
        space(LAMBDA), space(N_D), space(LAMBDA, N_D), space(LAMBDA, output="raw"),
        space(LAMBDA, round_size=2), space(LAMBDA.replace(digits=3)),
    )  # fmt: skip
    assert len({other.key for other in others}) == len(others)


def test_a_step_size_is_that_of_the_sampler():
    searched = STUDY.searches[1].space
    score = searched.score({EPSILON: 0.00123})
    assert score.sample.sampler.epsilon == 0.00123
    sampler = score.sample.sampler.replace(epsilon=searched.sample.sampler.epsilon)
    assert score.replace(sample=score.sample.replace(sampler=sampler)) == searched.template


# -- rounding --------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.floats(0.013, 87.0), st.integers(1, 4))
def test_numbers_are_rounded_once_and_for_all_and_stay_in_their_range(number, digits):
    parameter = LAMBDA.replace(digits=digits)
    rounded = parameter.field_value(number)
    assert parameter.low <= rounded <= parameter.high
    assert parameter.field_value(rounded) == rounded == float(f"{rounded:.{max(digits, 2)}g}")
    assert abs(rounded / number - 1) <= 0.5 * 10 ** (1 - digits) + 1e-12


def test_numbers_that_round_alike_are_one_score_and_are_proposed_once():
    searched = space(LAMBDA, round_size=3)
    assert searched.score({"lambda": 0.4999}) == searched.score({"lambda": 0.5})
    starts = [{"lambda": number} for number in (0.4999, 0.5001, 0.013001)]
    first, second, third = searched.propose([], starts, 0)
    assert (first, second) == ({"lambda": 0.5}, {"lambda": 0.013})
    assert third == {"lambda": LAMBDA.field_value(third["lambda"])} not in (first, second)


# -- refused input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["", "emma", "sample.emma", "sample.ema.more", "nothing.ema", "sample.r"]
)
@pytest.mark.parametrize("kind", [EMA, LAMBDA])
def test_a_path_that_is_no_field_of_the_score_is_refused_and_named(kind, path):
    with pytest.raises(InputError, match=rf"{kind.name} must set .*{path!r} is not a field"):
        space(kind.replace(path=path))


def test_parameters_need_names_of_their_own():
    with pytest.raises(InputError, match=r"different names, but got \['ema', 'ema'\]"):
        space(EMA, N_D.replace(name="ema"))
    with pytest.raises(InputError, match=r"different names, but got \[\]"):
        space()


@pytest.mark.parametrize("changes", [
    {"values": (1, 1)}, {"values": (1, True)}, {"values": (Dsm(),)},
    {"values": (Dsm(), 1)}, {"labels": ("one",)}, {"labels": ("a", "b", "c")},
    {"labels": ("same", "same")},
])  # fmt: skip
def test_choices_that_cannot_be_told_apart_are_refused(changes):
    with pytest.raises(InputError, match="ema must have different values"):
        EMA.replace(**changes)


def test_a_choice_of_nothing_is_refused():
    with pytest.raises(InputError, match="ema must have different values, but is empty"):
        EMA.replace(values=())


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_ranges_without_a_logarithm_are_refused(low, high):
    with pytest.raises(InputError, match="0 < low < high"):
        LAMBDA.replace(low=low, high=high)


def test_empty_rounds_are_refused():
    with pytest.raises(InputError, match="round_size must be at least 1, but got 0"):
        space(EMA, round_size=0)


def test_a_step_size_is_searched_by_a_number_that_should_be_high():
    fid = TEMPLATE.protocol
    higher = InceptionScoreProtocol(extractor=fid.extractor, data=fid.data, n_images=40)
    of = StepSizeSpace(template=STUDY.searches[1].space.template.replace(protocol=higher))
    low, high = of._interval()
    peak, start = 0.3 * low + 0.7 * high, 0.8 * low + 0.2 * high
    tried = []
    while len(tried) < 10:
        for values in of.propose(tried, [{EPSILON: start}], len(tried)):
            score = 10 - 40 * abs(np.log(values[EPSILON] / peak))  # above and below 0
            tried.append(Trial(len(tried), values, numbers=(score,)))
    best = max(tried, key=lambda trial: trial.numbers)
    assert of.lower_is_better == (False,) and abs(np.log(best.values[EPSILON] / peak)) < 0.1


NARROW = {
    "ten linear levels": LinearSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=10),
    "232 linear levels": LinearSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232),
    "geometric": GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232),
}


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("kind", [Cas, CasInR])
def test_cas_is_searched_on_any_schedule_in_epsilon_and_in_r(name, kind):
    schedule = NARROW[name]
    low, high = kind.of(1.5, 1).interval(schedule)
    start = 0.55 * low + 0.45 * high
    template = STUDY.searches[1].space.template
    train = template.sample.model.train.replace(schedule=schedule)
    sample = template.sample.replace(
        model=template.sample.model.replace(train=train), sampler=kind.of(start, 1)
    )
    of = StepSizeSpace(template=template.replace(sample=sample))
    peak, field = 0.3 * low + 0.7 * high, of.step_size
    assert field == {Cas: "epsilon", CasInR: "r"}[kind]
    tried = []
    while len(tried) < 12:
        for values in of.propose(tried, [{field: start}], len(tried)):
            assert values.keys() == {field} and low < values[field] < high
            at = of.score(values).sample.sampler
            assert at == kind.of(values[field], 1)
            value = 1 + 9 * ((values[field] - peak) / (high - low)) ** 2
            tried.append(Trial(len(tried), values, numbers=(value,)))
    best = min(tried, key=lambda trial: trial.numbers)
    assert abs(best.values[field] - peak) < 0.1 * (high - low)
    winner = kind.of(best.values[field], 1)
    if kind is CasInR:
        assert of.carried(winner) == best.values
    elif name != "geometric":
        with pytest.raises(InputError, match="needs a geometric schedule"):
            of.carried(winner)


# -- rungs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("searched", "values"),
    [(space(LAMBDA, N_D), {"lambda": 0.5, "n_D": 3}), (STUDY.searches[1].space, {EPSILON: 0.001})],
)
def test_rungs_raise_images_and_iterations_and_keep_the_values(searched, values):
    first = searched.score(values)
    higher = searched.score(values, Rung(n_images=100, keep=1))
    assert higher == first.replace(protocol=first.protocol.replace(n_images=100))
    longer = searched.score(values, Rung(n_images=100, keep=1, iteration=90))
    assert longer.sample.model == first.sample.model.replace(iteration=90)
    assert longer.protocol == higher.protocol
    assert {c.index for c in first.chunks()} < {c.index for c in higher.chunks()}
    assert set(first.chunks()) < set(higher.chunks()), "the images already there are not used"


# -- placeholders for values not yet proposed ------------------------------------------------------


def test_stand_ins_of_choices_are_all_others_and_then_no_more():
    searched = space(N_D, EMA)
    every = [{"n_D": n, "ema": e} for n, e in product(N_D.values, EMA.values)]
    for tried in ([], every[1:3], every):
        left = [values for values in every if values not in tried]
        found = searched.placeholder_values(10, tried)
        assert sorted(map(identity, found)) == sorted(map(identity, left))
    assert len(searched.placeholder_values(2, every[:1])) == 2


def test_stand_ins_of_numbers_are_different_work_of_the_same_cost():
    for searched in (space(LAMBDA, N_D, round_size=2), STUDY.searches[1].space):
        tried = searched.propose([], [{EPSILON: 0.001, "lambda": 0.5, "n_D": 2}], 3)
        found = searched.placeholder_values(60, tried)
        scores = {searched.score(values).key for values in (*tried, *found)}
        assert len(scores) == 60 + len(tried)
    one, *others = (total_work([searched.score(values)]) for values in found)
    assert all(other == one for other in others) and one.evaluations > 0


def test_two_searches_of_step_sizes_have_stand_ins_of_their_own():
    one = STUDY.searches[1].space
    protocol = one.protocol.replace(n_images=one.protocol.n_images + 1)
    other = one.replace(template=one.template.replace(protocol=protocol))
    found = [
        {values[EPSILON] for values in space.placeholder_values(20, [])} for space in (one, other)
    ]
    assert len(found[0]) == len(found[1]) == 20 and not found[0] & found[1]


def test_a_short_range_has_as_many_stand_ins_as_it_has_numbers():
    short = LAMBDA.replace(low=1.0, high=3.0, digits=1)
    found = space(short).placeholder_values(10, [{"lambda": 2.0}])
    assert sorted(values["lambda"] for values in found) == [1.0, 3.0]
