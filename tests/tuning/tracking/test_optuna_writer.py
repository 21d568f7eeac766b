"""Tests of the writer of Optuna studies: one study for each sequence of proposals."""

import optuna
from optuna.trial import TrialState, create_trial

from tuning.tracking.optuna_writer import IDENTITY, PROPOSALS, OptunaWriter, TrialRecord


def record(name, about):
    trial = create_trial(state=TrialState.COMPLETE, value=1.0, user_attrs={IDENTITY: "k"})
    return TrialRecord(study=name, trial=trial, about=about)


def test_attributes_of_a_study_follow_its_trials(tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    for values in (("fd 3", "fd 2"), ("fd 1",)):  # the second time on a new connection
        with OptunaWriter(url) as writer:
            writer.write(lambda values=values: [record("s", {"best": of}) for of in values])
        (found,) = optuna.get_all_study_summaries(url)
        assert found.user_attrs["best"] == values[-1] and found.n_trials == 1


def test_a_study_that_an_earlier_version_named_otherwise_is_replaced(tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    owner = {"study": "s", "scale": "demo", "search": "als", PROPOSALS: "p1"}
    other = record("s/demo/als/p2", owner | {PROPOSALS: "p2"})
    for records in (
        [record("s/demo/als/p1", owner), other],
        [record("als · s demo · p1", owner)],
    ):
        with OptunaWriter(url) as writer:
            writer.write(lambda records=records: records)
    found = {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(url)}
    assert found == {"als · s demo · p1": 1, "s/demo/als/p2": 1}
