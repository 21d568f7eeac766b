"""An Optuna storage as a display: finished trials for optuna-dashboard and for analysis.

The searches themselves never read it: they work on the ledger and the store, so it can be deleted
and is rebuilt from them. Each sequence of proposals is an Optuna study; its finished trials are
written whole, in one transaction, with what identifies them as the user attribute ``score``. Which
ones are there is read once, when a study is opened; a trial that is there is left alone, since
Optuna does not let finished trials be changed. Trials that still run are not written: a killed
driver leaves nothing behind that looks as if it were under way.
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
from tuning.tracking.writer import ProjectionWriter

IDENTITY = "score"
"""Name of the user attribute that identifies a trial in its study."""

_MINIMIZE, _MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE

# A server that does not answer is given up after seconds, not minutes, and tried again.
os.environ.setdefault("PGCONNECT_TIMEOUT", "10")

# That a study was made or found is not worth a line in the user's log.
for _talkative in ("optuna.storages._rdb.storage", "optuna.study"):
    optuna.logging.get_logger(_talkative).setLevel(optuna.logging.WARNING)


@dataclass(frozen=True)
class TrialRecord:
    """What one Optuna trial shows.

    Attributes:
        study: name of the Optuna study.
        trial: the trial, with its score's key as the user attribute `IDENTITY`.
        about: user attributes of the study, JSON.
        lower_is_better: the study's direction, for each number.
    """

    study: str
    trial: FrozenTrial
    about: Mapping[str, Any] = field(default_factory=dict)
    lower_is_better: Sequence[bool] = (True,)


class OptunaWriter(ProjectionWriter[TrialRecord]):
    """Writes trials to an Optuna storage, which is made if it is not there.

    Args:
        url: SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:

        def connect() -> _Storage:
            with exclusive_open(url):
                create_database(url, lambda aside: RDBStorage(aside).engine.dispose())
                return _Storage(url)

        super().__init__(f"Optuna's storage {without_secrets(url)}", connect)


class _Storage:
    """An Optuna storage and what is known to be in it."""

    def __init__(self, url: str) -> None:
        # Connections that a restarted server has closed are noticed before they are used.
        self._storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        self._studies: dict[str, tuple[optuna.Study, set[str]]] = {}

    def write(self, record: TrialRecord) -> None:
        """Adds the record's trial unless it is there."""
        study, known = self._studies.get(record.study) or self._open(record)
        score = str(record.trial.user_attrs[IDENTITY])
        if score not in known:
            study.add_trial(record.trial)
            known.add(score)

    def _open(self, record: TrialRecord) -> tuple[optuna.Study, set[str]]:
        study = optuna.create_study(
            storage=self._storage,
            study_name=record.study,
            directions=[_MINIMIZE if lower else _MAXIMIZE for lower in record.lower_is_better],
            load_if_exists=True,
        )
        for name, value in record.about.items():
            if study.user_attrs.get(name) != value:
                study.set_user_attr(name, value)
        known = {str(t.user_attrs.get(IDENTITY)) for t in study.get_trials(deepcopy=False)}
        self._studies[record.study] = study, known
        return study, known
