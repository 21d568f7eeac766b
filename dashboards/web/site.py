"""The pages of the served site: all studies of some stores, each study, its cells and searches.

The site only reads the stores. What takes long is counted in the background (`dashboards.live`), so
a page shows at once what is known.
"""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.offline
from markupsafe import Markup

from dashboards.comparison import Side, commits_of, document
from dashboards.live.newest import first_chunk, picture_of, pictures_of, trial_title
from dashboards.live.store import LiveStore
from dashboards.live.study import Amounts, LiveStudy, Results
from dashboards.records import mlflow_records
from dashboards.records.cell_list import cell_list
from dashboards.records.mlflow_searches import trial_key
from dashboards.results.searches import shown_value
from dashboards.text.formats import parts_of
from dashboards.web.cell_parts import classes_of, neighbours_of, steps_of
from dashboards.web.child_servers import ChildServers
from dashboards.web.mlflow_links import (
    MlflowPages,
    NoSuchPageError,
    mlflow_address,
    pages_in_mlflow,
)
from dashboards.web.pages import asset, css, render
from dashboards.web.report_page import render_report
from scorelib.errors import InputError
from studies.opening.cli_common import UNREADABLE, Arguments, add_module_argument, with_options
from tuning.jobs import Job
from tuning.scheduling.amounts import duration, size
from tuning.store.provenance import launches
from tuning.study import Study

_OPTIONS = Arguments()  # the options that mend what a page cannot show
add_module_argument(_OPTIONS)

_FIRST_SECONDS, _WHOLE_SECONDS = 0.6, 0.8
_Known = tuple[Results | None, Amounts | None]
_drawing = threading.Lock()  # matplotlib is not thread-safe


def said(error: Exception) -> str:
    """Returns an error in one line, with the options of the command line that mend the error."""
    return with_options(_OPTIONS, error) if isinstance(error, InputError) else str(error)


@dataclass(frozen=True)
class Place:
    """A store of the site.

    Attributes:
        number: number of the store in addresses, from 1.
        live: the studies of the store.
        servers: servers of MLflow and Optuna; None if the store is not a local folder.
    """

    number: int
    live: LiveStore
    servers: ChildServers | None


class Site:
    """The pages of some stores.

    Args:
        places: the stores.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    # -- all studies -------------------------------------------------------------------------------

    def home(self) -> str:
        """Renders the page of all studies."""
        return self._page("home.html", "Studies", content=self.home_live())

    def home_live(self) -> str:
        """Renders the part of the page of all studies that changes."""
        sections = []
        for place in self._places:
            studies, unreadable = place.live.studies()
            found = self._now(studies)
            cards = [(study, of) for study, of in found if not isinstance(of, Exception)]
            failed = {s.study.id: of for s, of in found if isinstance(of, Exception)}
            shown = {name: said(why) for name, why in (unreadable | failed).items()}
            sections.append((place, cards, shown, place.live.unrun()))
        return self._part("home_live.html", sections=sections)

    def offers(self, number: int, name: str) -> str:
        """Renders how a study that was not run can be run, with its question and cost."""
        live = self._place(number).live
        if name not in live.unrun():
            raise NoSuchPageError
        return self._part("offers.html", question=live.question(name), offers=live.offers(name))

    # -- a study -----------------------------------------------------------------------------------

    def study(self, number: int, name: str) -> str:
        """Renders the page of a study."""
        live = self._study(number, name)
        content = self.study_live(number, name)
        return self._page(
            "study.html", name, study=live.study, content=content, place=self._place(number)
        )

    def study_live(self, number: int, name: str) -> str:
        """Renders the part of a study's page that changes."""
        place, live = self._place(number), self._study(number, name)
        ((_, found),) = self._now([live])
        if isinstance(found, Exception):
            raise found
        results, amounts = found
        return self._part(
            "study_live.html", place=place, study=live.study, results=results, amounts=amounts,
            others=self._others(place, live.study),
            cells=results and cell_list(results.view, results.scheduler),
        )  # fmt: skip

    def figures(self, number: int, name: str) -> str:
        """Returns the figures of a study so far as JSON: titles, sections and plotly figures."""
        return self._study(number, name).figures()

    def report(self, number: int, name: str) -> str:
        """Renders a study's report."""
        live, results = self._read(number, name)
        with _drawing:
            return render_report(results.scheduler, live.store)

    def cell(self, number: int, name: str, of: int) -> str:
        """Renders the page of a cell: its numbers, seeds, samples and specs."""
        live, results = self._read(number, name)
        if of >= len(results.view.cells):
            raise NoSuchPageError
        cell = results.view.cells[of]
        jobs = results.scheduler.cell_jobs(cell.cell)
        pictured = cell.first_images and pictures_of(
            cell.first_images, live.store, cell.cell.name, "", f"cell/{of}"
        )
        searches = list(results.view.runs)
        return self._page(
            "cell.html", cell.cell.name, place=self._place(number), study=live.study, cell=cell,
            number=of, shown=results.table, pictured=pictured,
            jobs=[self._job(job, live, results) for job in jobs],
            run=f"mlflow/{mlflow_records.cell_key(cell.cell, jobs)}" if jobs else "",
            search=searches.index(cell.cell.search.name) if cell.cell.search else None,
            shown_value=shown_value, classes=classes_of(cell), steps=steps_of(cell, live.store),
            frames=picture_of(cell.frames, live.store, f"{cell.cell.name}, along the chain"),
            nearest=picture_of(cell.nearest, live.store, f"{cell.cell.name} and nearest images"),
            neighbours=neighbours_of(cell, results.scheduler),
        )  # fmt: skip

    def search(self, number: int, name: str, of: int) -> str:
        """Renders the page of a search: its trials, with their samples at equal seeds."""
        live, results = self._read(number, name)
        if of >= len(results.view.runs):
            raise NoSuchPageError
        run = list(results.view.runs.values())[of]
        trials = []
        for trial in run.trials:
            chunk = first_chunk(trial)
            pictured = chunk and trial.result and pictures_of(
                chunk, live.store, trial_title(trial), "", f"search/{of}#trial-{trial.number}"
            )  # fmt: skip
            trials.append((trial, pictured, trial_key(run, trial)))
        names = list(run.distributions)
        along = names[0] if len(names) == 1 else "number"
        shown = sorted(
            (of for of in trials if of[1]),
            key=lambda of: _place_of(of[0].values[along] if along in names else of[0].number),
        )
        return self._page(
            "search.html", run.search.name, place=self._place(number), study=live.study, run=run,
            trials=trials, shown_value=shown_value, winner=run.winner, along=along,
            shown=[pictured for _, pictured, _ in shown],
        )  # fmt: skip

    def compare(self, a: int, ours: str, b: int, theirs: str) -> str:
        """Renders the comparison of two runs of a study, in two stores or at two scales."""
        sides = []
        for number, name in ((a, ours), (b, theirs)):
            live, results = self._read(number, name)
            scale = f"@{live.study.scale}" if live.study.scale != "demo" else ""
            made = commits_of(launches(live.store, name))
            sides.append(Side(f"{live.store.url}{scale}", results.view, made))
        if sides[0].view.study.name != sides[1].view.study.name:
            raise NoSuchPageError
        return self._page("compare.html", f"{ours}: A and B", content=document(*sides))

    def picture(self, number: int, name: str, stage: str, key: str, file: str) -> bytes:
        """Returns a stored picture of a finished job of a study.

        Raises:
            NoSuchPageError: the job stores no such picture.
        """
        live = self._study(number, name)
        manifest = live.store.manifest(stage, key)
        if not file.endswith(".png") or manifest is None or file not in manifest.files:
            raise NoSuchPageError
        return live.store.read(stage, key, file)

    def _job(self, job: Job, live: LiveStudy, results: Results) -> dict[str, Any]:
        found = results.scheduler.lookup(job)
        return {
            "job": job, "title": job.title(), "numbers": found.numbers if found else {},
            "failed": found.failed if found else None, "is_done": found is not None,
            "spec": job.flat(), "seeds": {k: v for k, v in job.flat().items() if "seed" in k},
        }  # fmt: skip

    def link(self, number: int, name: str, kind: str, key: str = "") -> str:
        """Returns the address of a study's runs in MLflow; see `mlflow_address`."""
        place, study = self._place(number), self._study(number, name).study
        return mlflow_address(place.live.store, place.servers, study, kind, key)

    # -- parts -------------------------------------------------------------------------------------

    def _others(self, place: Place, study: Study) -> list[tuple[str, str]]:
        """Returns the other runs of a study as links: what to call them and where they are."""
        own = f"/compare/{place.number}/{study.id}"
        return [
            (f"{other.study.scale} in {of.live.store.url}", f"{own}/{of.number}/{other.study.id}")
            for of in self._places
            for other in of.live.studies()[0]
            if other.study.full_name == study.full_name
            and (of.number, other.study.id) != (place.number, study.id)
        ]

    def _place(self, number: int) -> Place:
        if not 1 <= number <= len(self._places):
            raise NoSuchPageError
        return self._places[number - 1]

    def _study(self, number: int, name: str) -> LiveStudy:
        live = self._place(number).live
        studies, unreadable = live.studies()
        for study in studies:
            if study.study.id == name:
                return study
        if name in unreadable:
            raise unreadable[name]
        raise NoSuchPageError

    def _read(self, number: int, name: str) -> tuple[LiveStudy, Results]:
        live = self._study(number, name)
        # Reading many trials again takes seconds; until then, the page shows what is known.
        return live, live.results.get(_FIRST_SECONDS) or live.results.latest()

    @staticmethod
    def _now(
        studies: Sequence[LiveStudy],
    ) -> list[tuple[LiveStudy, _Known | Exception]]:
        """Returns what is known of studies, or the error in reading each.

        All studies are read at the same time, and together get less than one second.
        """
        found: list[tuple[LiveStudy, _Known | Exception]] = []
        started = time.monotonic()
        for live in studies:
            live.results.start()
        for live in studies:
            try:
                results = live.results.get(max(0.0, started + _FIRST_SECONDS - time.monotonic()))
                amounts = live.amounts.get(max(0.0, started + _WHOLE_SECONDS - time.monotonic()))
                found.append((live, (results, amounts)))
            except (InputError, *UNREADABLE) as error:
                found.append((live, error))
        return found

    def _page(self, template: str, title: str, **values: Any) -> str:
        stores = [place.live.store.url for place in self._places]
        return render(
            template, title=title, stores=stores, several=len(self._places) > 1,
            parts_of=parts_of, duration=duration, size=size, pages_in_mlflow=_pages, **values,
        )  # fmt: skip

    def _part(self, template: str, **values: Any) -> Markup:
        return Markup(self._page(template, "", **values))


def _pages(place: Place, study: Study, results: Results | None) -> MlflowPages:
    """Returns which pages of a study MLflow holds, and which of them a command would write."""
    is_written = bool(
        results and not results.holder and any(c.measured for c in results.view.cells)
    )
    return pages_in_mlflow(place.servers, study, is_written=is_written)


def _place_of(value: object) -> tuple[float, str]:
    """Returns the place of a parameter's value in order: numbers by size, before names."""
    return (float(value), "") if isinstance(value, int | float) else (math.inf, str(value))


def static(name: str) -> tuple[str, str] | None:
    """Returns the text and the MIME type of a script or style of the pages; None for another."""
    if name == "plotly.js":
        return plotly.offline.get_plotlyjs(), "text/javascript"
    if name == "style.css":
        return css() + asset("live.css"), "text/css"
    scripts = ("live.js", "charts.js", "viewer.js")
    return (asset(name), "text/javascript") if name in scripts else None
