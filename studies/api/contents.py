"""The contents of a store, for reading only: the studies that were run on the store."""

from collections.abc import Sequence
from os import PathLike

import pandas as pd

from dashboards.results.overview import overview
from dashboards.text.formats import html_table
from scorelib.errors import InputError
from studies.api.results import Run
from studies.opening.cli_common import DEFAULT_STORE
from studies.opening.open_study import last_run_studies, study_name
from tuning.addresses import path_text, with_home
from tuning.drivers.driver import Driver
from tuning.own_modules import import_own
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


class StoreContents:
    """The studies that were run on a store, each with the settings of its last run.

    Every call reads the store again and writes nothing, so studies may be running.

    Args:
        store: an existing store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._observer = Driver(store)  # never entered, so that it writes nothing

    def table(self) -> pd.DataFrame:
        """Returns the progress of each study.

        Returns:
            A row for each study, indexed by "name" and "scale", with its "title", its "state"
            ("done", "running", "not running", or why it cannot be read), and the numbers of "jobs"
            and "cells" done and in all.
        """
        found = overview(self._store, self._observer)
        rows = {
            _named(row.name): {
                "title": row.title,
                "state": row.state,
                "jobs_done": row.n_done,
                "jobs": row.n_jobs,
                "cells_done": row.n_cells_done,
                "cells": row.n_cells,
            }
            for row in found.rows
        }
        rows |= {_named(name): {"state": _said(why)} for name, why in found.unreadable.items()}
        columns = ["title", "state", "jobs_done", "jobs", "cells_done", "cells"]
        index = pd.MultiIndex.from_tuples(list(rows), names=["name", "scale"])
        return pd.DataFrame(list(rows.values()), index=index, columns=columns)

    def run(self, name: str | PathLike[str], scale: str = "demo") -> Run:
        """Returns the results of a study so far; call again for newer results.

        Args:
            name: name of the study, or the file or module of a user's own study.
            scale: "demo", "paper", or a scale of a user's own study.

        Raises:
            InputError: the study was not run on the store, or cannot be read by this version.
        """
        name = study_name(path_text(name, "name"))
        found = last_run_studies(self._store)
        try:
            named = found.named(name, scale) if isinstance(scale, str) else []
        except InputError as error:
            raise InputError(_said(error), *error.fields) from error
        if len(named) == 1:
            return Run(Scheduler(named[0], self._store), self._store)
        held = ", ".join(study.id for study in found.studies) or "no study"
        raise InputError(
            f"the study must have been run on the store, which holds {held}, but got {name!r} at "
            f"scale {scale!r}: launch the study first"
        )

    def __repr__(self) -> str:
        table = self.table()
        return f"{self._store.url}: no studies" if table.empty else f"{self._store.url}\n{table}"

    def _repr_html_(self) -> str:
        return html_table(self.table(), index=True)


def _named(study_id: str) -> tuple[str, str]:
    """Returns name and scale of a study's id."""
    name, _, scale = study_id.rpartition("-")
    return name, scale


def _said(error: InputError) -> str:
    """Returns an error with the argument of `open` that mends it, as a command adds its option."""
    return f'{error} (modules=["FILE.py"])' if "modules" in error.fields else str(error)


def open(
    store: str | PathLike[str] = DEFAULT_STORE, *, modules: Sequence[str | PathLike[str]] = ()
) -> StoreContents:
    """Returns the contents of a store, for reading only.

    Args:
        store: folder or URL of the store.
        modules: files or modules of users' own studies, which are imported; a store never causes an
            import.

    Raises:
        InputError: there is no store, another version of the code made the store, or a module
            cannot be imported.
    """
    if isinstance(modules, str | bytes) or not isinstance(modules, Sequence):
        raise InputError(
            f'modules must be a list such as ["my_study.py"], but got {modules!r}', "modules"
        )
    for module in modules:
        import_own(path_text(module, "modules"))
    return StoreContents(Store(with_home(path_text(store, "store"))))
