"""Tests of Optuna's storage as a display: one contract for SQLite and PostgreSQL."""

import itertools
import math
import subprocess
import sys

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from dashboards.records.optuna_records import optuna_records
from studies.common.execution_settings import optuna_url
from tests.miniature import miniature_study
from tests.tuning.draining import fill
from tuning.addresses import sqlite_url
from tuning.scheduling.scheduler import Scheduler
from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.store.store import Store
from tuning.tracking.optuna_writer import IDENTITY, OptunaWriter, TrialRecord

NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Returns the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/optuna.db"
    postgres = request.getfixturevalue("postgres")
    name = f"optuna_{next(NUMBERS)}"
    postgres.create(name)
    return postgres.url(name)


@pytest.fixture(scope="package")
def finished(tmp_path_factory):
    """Returns a finished miniature."""
    store = Store(str(tmp_path_factory.mktemp("optuna") / "store"), create=True)
    fill(miniature_study(), store)
    return store


@pytest.fixture(scope="package")
def trials(finished):
    """Returns the records of its trials."""
    return list(optuna_records(Scheduler(miniature_study(), finished)))


def write(url, *records):
    with OptunaWriter(url) as writer:
        writer.write(lambda: records)


def content(url):
    """Returns everything that the storage shows, by study."""
    return {
        study.study_name: [
            (t.state, t.values, t.params, t.distributions, t.user_attrs)
            for t in optuna.load_study(study_name=study.study_name, storage=url).trials
        ]
        for study in optuna.get_all_study_summaries(url)
    }


RANGES = {"epsilon": FloatDistribution(0.01, 1.0, log=True)}


def record(number=0, numbers=(1.0,), **more):
    trial = Trial(number, {"epsilon": 0.1 + number / 100}, numbers=numbers)
    attributes = {IDENTITY: f"key-{number}"} | more
    return TrialRecord("s", as_optuna_trial(trial, RANGES, attributes))


def test_every_finished_trial_of_every_search_is_shown(url, finished, trials):
    write(url, *trials)
    shown = content(url)
    scheduler = Scheduler(miniature_study(), finished)
    assert len(shown) == len(scheduler.searches) == 5
    for search, run in scheduler.searches.items():
        (name,) = [n for n in shown if n.startswith(f"{search} · cifar_sampling_eps demo · ")]
        is_choice = search.startswith("snapshot and EMA")
        assert len(shown[name]) == len(run.trials) == (2 if is_choice else 3)
        for trial, found in zip(run.trials, shown[name], strict=True):
            state, values, params, distributions, attributes = found
            assert state == TrialState.COMPLETE and values == [trial.result.of("denoised")]
            assert params == dict(trial.values) and distributions.keys() == params.keys()
            if is_choice:
                assert distributions["iteration"] == CategoricalDistribution((30, 60))
                assert params["ema"] == trial.score.sample.ema
            else:
                assert params == {"epsilon": trial.epsilon} and distributions["epsilon"].log
            assert attributes["score"] == trial.score.key and attributes["number"] == trial.number
            assert attributes["fd"] == trial.result.of("raw")
            assert attributes.get("r") == trial.r and (trial.r is None) == is_choice
            assert attributes["fd_denoised"] == trial.result.of("denoised")
            assert attributes["n_images"] == 40 and attributes["mlflow_run"].endswith(
                f"-{trial.number}"
            )
        study = optuna.load_study(study_name=name, storage=url)
        assert study.direction == optuna.study.StudyDirection.MINIMIZE
        assert study.best_value == run.best_so_far.result.of("denoised")
        assert study.user_attrs["metrics"] == "fd_denoised"


def test_writing_again_changes_nothing(url, trials):
    write(url, *trials)
    before = content(url)
    write(url, *trials, *trials)
    assert content(url) == before


@pytest.mark.parametrize("numbers", [(), (math.nan,), (math.inf,)])
def test_a_failed_trial_is_shown_with_its_cause(url, numbers):
    write(url, record(numbers=numbers, failed="samples are not finite"))
    ((state, values, _, _, attributes),) = content(url)["s"]
    assert state == TrialState.FAIL and values is None
    assert attributes["failed"] == "samples are not finite"


def test_a_writer_killed_at_any_moment_leaves_whole_trials_and_the_next_adds_the_rest(url):
    wanted = [record(number) for number in range(12)]
    # A program of few imports that is killed at the given write of a trial or of a part of a trial.
    code = """
import os, sys
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tuning.tracking.optuna_writer import OptunaWriter, TrialRecord
left = int(sys.argv[2])
ranges = {"epsilon": FloatDistribution(0.01, 1.0, log=True)}
@event.listens_for(Engine, "after_cursor_execute")
def die(connection, cursor, statement, *_):
    global left
    left -= statement.lstrip().startswith(("INSERT", "UPDATE")) and "trial" in statement
    if left == 0:
        os.kill(os.getpid(), 9)
with OptunaWriter(sys.argv[1]) as writer:
    writer.write(lambda: [
        TrialRecord("s", create_trial(
            value=1.0, params={"epsilon": 0.1 + n / 100}, distributions=ranges,
            user_attrs={"score": f"key-{n}"},
        ))
        for n in range(12)
    ])
"""
    write(url, wanted[0])  # creates the tables
    for moment in (1, 3, 17):
        killed = subprocess.run([sys.executable, "-c", code, url, str(moment)], check=False)
        assert killed.returncode == -9
        assert all(state == TrialState.COMPLETE for state, *_ in content(url)["s"])
    write(url, *wanted)
    keys = [attributes["score"] for *_, attributes in content(url)["s"]]
    assert sorted(keys) == sorted(r.trial.user_attrs[IDENTITY] for r in wanted)


def test_the_time_of_a_trial_does_not_grow_with_those_before(url):
    write(url, record(0))
    statements, counts = [], []

    def note(connection, cursor, statement, *_):
        statements.append(statement)

    def counted(number):
        yield record(number)
        counts.append(len(statements))

    event.listen(Engine, "before_cursor_execute", note)
    with OptunaWriter(url) as writer:
        for number in range(40):
            writer.write(lambda number=number: counted(number))
    event.remove(Engine, "before_cursor_execute", note)
    each = {after - before for before, after in itertools.pairwise(counts)}
    assert len(each) == 1, f"statements for one trial after another: {sorted(each)}"
    reads = [statement for statement in statements if "FROM trial_user_attributes" in statement]
    assert len(reads) == 1, "what is there is read once, when the study is opened"


def test_a_store_in_a_folder_has_a_storage_of_its_own_and_one_elsewhere_none(finished):
    elsewhere = Store("memory://optuna", create=True)
    assert optuna_url(miniature_study(), finished) == sqlite_url(finished.folder / "optuna.db")
    assert optuna_url(miniature_study(), elsewhere) is None
    given = miniature_study(projections__optuna="postgresql://user@host/x")
    for store in (finished, elsewhere):
        assert optuna_url(given, store) == "postgresql://user@host/x"
