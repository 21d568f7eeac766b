"""A writer that shows finished trials in an Optuna storage, for optuna-dashboard and for analysis.

The searches never read the Optuna storage. They work on the ledger and the store, so the Optuna
storage can be deleted and rebuilt. Each sequence of proposals is an Optuna study. A finished trial
is written in one transaction, with its identity as the user attribute ``score``. The list of
existing trials is read once, when a study is opened. Existing trials are not changed, because
Optuna does not allow changes of finished trials. Running trials are not written, so a killed driver
leaves no trial that seems to be running.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning.addresses import without_secrets
from tuning.tracking.database_files import create_database, exclusive_open
from tuning.tracking.faults import OPTUNA, require_database_of
from tuning.tracking.writer import ProjectionWriter

IDENTITY = "score"
"""Name of the user attribute that identifies a trial within its Optuna study."""

PROPOSALS = "proposals"
"""Name of the user attribute of an Optuna study that identifies its sequence of proposals."""

_OWNER = ("study", "scale", "search", PROPOSALS)

_MINIMIZE, _MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE

# Connecting to a server that does not answer fails after seconds, not minutes, and is retried.
os.environ.setdefault("PGCONNECT_TIMEOUT", "10")

# Messages about created or existing Optuna studies are kept out of the user's log.
for _talkative in ("optuna.storages._rdb.storage", "optuna.study"):
    optuna.logging.get_logger(_talkative).setLevel(optuna.logging.WARNING)


@dataclass(frozen=True)
class TrialRecord:
    """The content of one Optuna trial.

    Attributes:
        study: name of the Optuna study.
        trial: finished trial, with the key of its score as the user attribute `IDENTITY`.
        about: user attributes of the Optuna study, as JSON; they may change from trial to trial.
        lower_is_better: for each objective of the Optuna study, whether lower values are better.
    """

    study: str
    trial: FrozenTrial
    about: Mapping[str, Any] = field(default_factory=dict)
    lower_is_better: Sequence[bool] = (True,)


class OptunaWriter(ProjectionWriter[TrialRecord]):
    """A writer of trials to an Optuna storage, which is created if it is missing.

    Args:
        url: SQLAlchemy URL of the storage.
        field: setting that holds the URL; None for the file of a store.
    """

    def __init__(self, url: str, field: str | None = None) -> None:

        def connect() -> _Storage:
            with exclusive_open(url):
                create_database(url, lambda aside: RDBStorage(aside).engine.dispose())
                require_database_of(OPTUNA, url, field)
                return _Storage(url)

        super().__init__(f"Optuna's storage {without_secrets(url)}", connect)


class _Storage:
    """A connected Optuna storage with a record of its known trials."""

    def __init__(self, url: str) -> None:
        # With pool_pre_ping, connections that a restarted server has closed are not used again.
        self._storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        self._studies: dict[str, tuple[optuna.Study, set[str]]] = {}
        self._about: dict[str, dict[str, Any]] = {}

    def write(self, record: TrialRecord) -> None:
        """Adds the trial of a record unless the storage holds it already."""
        study, known = self._studies.get(record.study) or self._open(record)
        score = str(record.trial.user_attrs[IDENTITY])
        if score not in known:
            study.add_trial(record.trial)
            known.add(score)
        written = self._about[record.study]
        for name, value in record.about.items():
            if written.get(name) != value:
                study.set_user_attr(name, value)
                written[name] = value

    def _open(self, record: TrialRecord) -> tuple[optuna.Study, set[str]]:
        self._remove_other_names(record)
        study = optuna.create_study(
            storage=self._storage,
            study_name=record.study,
            directions=[_MINIMIZE if lower else _MAXIMIZE for lower in record.lower_is_better],
            load_if_exists=True,
        )
        self._about[record.study] = study.user_attrs
        known = {str(t.user_attrs.get(IDENTITY)) for t in study.get_trials(deepcopy=False)}
        self._studies[record.study] = study, known
        return study, known

    def _remove_other_names(self, record: TrialRecord) -> None:
        """Removes an Optuna study of the same proposals with the name of an earlier version."""
        wanted = [record.about.get(name) for name in _OWNER]
        if wanted[-1] is None:
            return
        for found in optuna.get_all_study_summaries(self._storage, include_best_trial=False):
            is_same = [found.user_attrs.get(name) for name in _OWNER] == wanted
            if is_same and found.study_name != record.study:
                optuna.delete_study(study_name=found.study_name, storage=self._storage)
