"""The results of a study, as an object that notebooks display."""

import html
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from dashboards.drawing.charts import draw_chart
from dashboards.figures.registry import figures
from dashboards.results.cells import StudyView, read_study
from dashboards.results.claims import claim_numbers
from dashboards.results.missing import what_is_missing
from dashboards.results.numbers import number_table, trial_numbers
from dashboards.text.formats import as_html
from dashboards.text.table import document
from dashboards.web.pages import require_page_file, write_page
from dashboards.web.report_page import render_report
from scorelib.weights.layouts import PublishedFormat
from studies.api.cell import CellResult, known
from studies.api.exporting import ImagesAs, export
from tuning.addresses import local_path, path_text
from tuning.execution.resources import likely_device
from tuning.jobs import Job
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store
from tuning.study import Study


class Run:
    """The results of a study on a store, as they were when the object was made. Writes nothing.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
        stopped: reason why the launch was stopped; None if it was not.
        given_up: jobs that the launch gave up, by key, each with the cause.

    Attributes:
        stopped: reason why the launch was stopped, such as "by SIGINT"; None if it was not.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        store: Store,
        *,
        stopped: str | None = None,
        given_up: Mapping[str, tuple[Job, str]] | None = None,
    ) -> None:
        self._scheduler, self._store, self.stopped = scheduler, store, stopped
        self._given_up = given_up or {}

    @property
    def study(self) -> Study:
        """The study, with its settings."""
        return self._scheduler.study

    @cached_property
    def _view(self) -> StudyView:
        return read_study(self._scheduler, self._store)

    @property
    def is_complete(self) -> bool:
        """Whether all results that the study needs are stored."""
        return self._scheduler.is_complete()

    @property
    def failures(self) -> dict[str, str]:
        """Causes of the jobs that the launch gave up, by title of the job."""
        return {job.title(): cause for job, cause in self._given_up.values()}

    @property
    def state(self) -> str:
        """Progress of the study in one line: finished jobs, the reason of a stop, failed jobs."""
        jobs = total(forecast(self._scheduler, self._store, likely_device(self.study)))
        done = f"{self.study.name} ({self.study.scale}): {jobs.n_stored} of {jobs.n_jobs} jobs done"
        failed = [f"failed: {title}: {cause}" for title, cause in self.failures.items()]
        stopped = [f"stopped {self.stopped}"] if self.stopped else []
        return ", ".join([done, *stopped, *failed])

    def table(self) -> pd.DataFrame:
        """Returns the study's table as numbers; see `dashboards.results.numbers.number_table`."""
        return number_table(self._view)

    def claims(self) -> pd.DataFrame:
        """Returns the judged claims as numbers; see `dashboards.results.claims.claim_numbers`."""
        return claim_numbers(self._view)

    @cached_property
    def cells(self) -> tuple[CellResult, ...]:
        """The cells of the table, row by row."""
        return tuple(CellResult(view, self.study, self._store) for view in self._view.cells)

    def cell(self, row: str, column: str) -> CellResult:
        """Returns a cell of the table.

        Args:
            row: label of the row, as in the table.
            column: label of the column, as in the table.

        Raises:
            InputError: the table has no such row, column or cell.
        """
        found = {(cell.row, cell.column): cell for cell in self.cells}
        row = known("row", row, (row for row, _ in found))
        column = known("column", column, (column for of, column in found if of == row))
        return found[row, column]

    def export(
        self,
        row: str,
        column: str,
        folder: str | PathLike[str],
        *,
        n_images: int = 0,
        images_as: ImagesAs = "png",
        layout: PublishedFormat | None = None,
    ) -> str:
        """Writes the network of a cell to a folder; see `studies.api.exporting.export`.

        Args:
            row: label of the row, as in the table.
            column: label of the column, as in the table.
            folder: new or empty folder.
            n_images: number of denoised images to write, >= 0.
            images_as: format of the images, "png" or "npz".
            layout: authors' layout of a further file ``checkpoint.pth``; None for no such file.

        Returns:
            SHA-256 of the file of weights.

        Raises:
            InputError: there is no such cell or network, or the folder cannot be written.
        """
        found = self.cell(row, column)
        views = {(view.cell.row, view.cell.column): view for view in self._view.cells}
        return export(
            views[found.row, found.column],
            self.study,
            self._store,
            local_path(path_text(folder, "folder")),
            n_images=n_images,
            images_as=images_as,
            layout=layout,
        )

    @property
    def searches(self) -> tuple[str, ...]:
        """Names of the searches."""
        return tuple(self._scheduler.searches)

    def trials(self, search: str) -> pd.DataFrame:
        """Returns the trials of a search; see `dashboards.results.numbers.trial_numbers`.

        Args:
            search: name of the search, one of `searches`.

        Raises:
            InputError: the study has no such search.
        """
        search = known("search", search, self.searches)
        return trial_numbers(self._scheduler.searches[search])

    @property
    def figures(self) -> tuple[str, ...]:
        """Titles of the figures of the results so far."""
        return tuple(figure.title for figure in figures(self._scheduler, self._store))

    def figure(self, title: str) -> Any:
        """Returns a figure of the results as a plotly figure.

        Args:
            title: title of the figure, one of `figures`.

        Raises:
            InputError: the results have no such figure.
        """
        found = {figure.title: figure for figure in figures(self._scheduler, self._store)}
        title = known("figure", title, found)
        return draw_chart(found[title]).update_layout(title=title)

    def report(self, file: str | PathLike[str]) -> Path:
        """Writes the report, a single HTML page that needs no network connection.

        Args:
            file: file to write, in an existing folder.

        Returns:
            The path of the file.

        Raises:
            InputError: the file cannot be written.
        """
        target = local_path(path_text(file, "file"))
        require_page_file(target, "the file")
        write_page(target, render_report(self._scheduler, self._store), "the file")
        return target

    def __repr__(self) -> str:
        return self.state

    def _repr_html_(self) -> str:
        missing = what_is_missing(self._view, self._scheduler, self._store)
        return f"<p>{html.escape(self.state)}</p>\n{as_html(document(self._view, missing=missing))}"
