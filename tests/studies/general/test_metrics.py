"""Tests of metrics of the user's own in the general studies, given by the kind of the protocol."""

import json
from dataclasses import dataclass

import pytest

from scorelib.data import Digits
from scorelib.data.own.pictures import Pictures
from scorelib.errors import InputError
from studies.general import sampling_eps, score_images, sweep
from studies.opening.open_study import changed_settings
from tests.studies.own_model import MODEL, SMALL
from tests.tuning.draining import drain
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import FidProtocol, NeighboursProtocol, Protocol
from tuning.stages.protocols import Measurement


@dataclass(frozen=True, kw_only=True)
class Brightness(Protocol):
    """The mean of all features, times a weight."""

    KIND = "tests:Brightness"

    weight: float = 1.0

    @property
    def name(self):
        return "brightness"

    @property
    def lower_is_better(self):
        return False

    def measure(self, images, at):
        return Measurement(self.weight * images.values.double().mean().item())


HEAVY = json.dumps({"spec": "tests:Brightness", "weight": 3})


def settings(name, **changes):
    return changed_settings(name, "demo", changes)


def test_a_step_size_is_searched_by_an_own_metric_and_measured_by_both(store):
    at = settings("sampling_eps", **SMALL | {"model": MODEL, "metrics": [HEAVY, "distance"]})
    made = sampling_eps.study("demo", at)
    drain(made, store)
    scheduler = Scheduler(made, store)
    for run in scheduler.searches.values():
        assert run.search.space.protocol.name == "brightness"
        best = max(trial.result.of("denoised") for trial in run.rungs()[-1])
        assert run.winner.result.of("denoised") == best
    assert [cell.column for cell in made.cells] == ["brightness", "fd[digits-cnn]"] * 2
    assert len(made.baselines) == 2 and made.title.endswith("at its best step size by brightness")
    own, distance = (scheduler.cell_jobs(cell)[0] for cell in made.cells[:2])
    assert own.sample == distance.sample and own.protocol.weight == 3
    (chunk,) = own.chunks()
    values = chunk.features(ExecutionContext(store=store))["raw.features"].double()
    assert scheduler.lookup(own).numbers["raw"] == 3 * values.mean().item()


def test_shared_fields_carry_over_and_others_take_defaults(tmp_path):
    at = settings("sampling_eps", metrics=["Brightness", "distance"])
    own, distance = at.protocols
    assert own == Brightness(
        **{f: getattr(distance, f) for f in ("extractor", "data", "n_images", "seeds")}
    )
    searched = settings("sweep", objectives=["raw Brightness", HEAVY])
    (search,) = sweep.study("demo", searched).searches
    raw, heavy = search.space.objectives
    assert (raw.number, raw.lower, raw.protocol.weight) == ("raw", False, 1)
    assert (heavy.number, heavy.protocol.weight, heavy.protocol.data) == ("denoised", 3, Digits())


def test_pictures_are_scored_by_an_own_metric():
    pictures = Pictures(
        name="mine", shape=(1, 8, 8), n_images=30, n_distinct=30, chunks=("1" * 64,)
    )
    at = score_images.demo().replace(pictures=(pictures,), metrics=("Brightness", "recall"))
    made = score_images.study("demo", at)
    assert {cell.column for cell in made.cells} == {"brightness", "recall"}
    assert made.cells[0].protocol == Brightness(
        extractor=at.features, data=Digits(), n_images=30, seeds="unstated"
    )


def test_the_distance_alone_is_the_study_as_before():
    at, plain = settings("sampling_eps", metrics=["distance"]), sampling_eps.demo()
    assert at.key == plain.key and isinstance(at.protocols[0], FidProtocol)
    assert sampling_eps.study("demo", at).title == sampling_eps.EXHIBIT.title


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("Brightnes", "must hold distance, .*but got 'Brightnes'.*'Brightness'"),
        ("", "kinds of protocols, whose modules are given, but got ''"),
        ("Digits", "whose modules are given, but got 'Digits'"),
        ('{"spec": "other:Ink"}', "whose modules are given, but got 'other:Ink'"),
        ("Protocol", "must be one of the kinds"),
        ("DistanceProtocol", "DistanceProtocol.extractor must be Coordinates"),
        ("NeighboursProtocol", "NeighboursProtocol needs the field 'statistic'"),
        ('{"spec": "Brightness", "wight": 2}', r"got '\w+\.wight'"),
        ('{"spec": "Brightness", "weight": "heavy"}', "weight must be float; got 'heavy'"),
        ("[1]", "kinds of protocols"),
    ],
)
@pytest.mark.parametrize("name", ["sampling_eps", "sweep", "score_images"])
def test_what_cannot_fit_is_refused_with_the_name_of_the_field(name, metric, words):
    field = "objectives" if name == "sweep" else "metrics"
    with pytest.raises(InputError, match=words) as refused:
        at = settings(name, **{field: [metric]})
        {"sampling_eps": sampling_eps, "sweep": sweep, "score_images": score_images}[name].study(
            "demo", at
        )
    assert field in refused.value.fields and "\n" not in str(refused.value)


@pytest.mark.parametrize("metrics", [[], ["distance", "distance"], ["Brightness", HEAVY]])
def test_each_metric_is_given_once(metrics):
    with pytest.raises(InputError, match="metrics must hold at least one, each once"):
        settings("sampling_eps", metrics=metrics)
    assert issubclass(NeighboursProtocol, Protocol)
