"""Renders a study's report: a single HTML page that needs no network connection."""

from typing import Any

import pandas as pd
import plotly.offline
from markupsafe import Markup

from dashboards.drawing.charts import draw_chart, figures_as_json
from dashboards.figures.registry import figures
from dashboards.pictures.report_pictures import Budget, pictures, samples
from dashboards.results.cells import StudyView, read_study
from dashboards.results.costs import costs, savings
from dashboards.results.missing import what_is_missing
from dashboards.text.answers import answer
from dashboards.text.formats import parts_of
from dashboards.text.table import document
from dashboards.web.pages import asset, css, render
from studies.opening.open_study import last_run_studies
from tuning.scheduling.amounts import duration, size
from tuning.scheduling.scheduler import Scheduler
from tuning.store.provenance import launches
from tuning.store.store import Store

PICTURE_BYTES = 3_500_000
"""Size budget of all pictures of a page. Encoded as text they grow by a third; with plotly's script
of almost 5 MB, the page stays below 10 MB."""


def render_report(scheduler: Scheduler, store: Store) -> str:
    """Returns the HTML of a study's report; writes nothing.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    view = read_study(scheduler, store)
    content = document(view, missing=what_is_missing(view, scheduler, store))
    charts, budget = list(figures(scheduler, store)), Budget(PICTURE_BYTES)
    stages, devices = costs(scheduler, store)
    others = [
        Scheduler(study, store)
        for study in last_run_studies(store).studies
        if study.id != view.study.id
    ]
    return render(
        "report.html",
        title=content.title,
        heading=content.heading,
        question=view.study.question,
        answer=answer(view),
        tables=[(name, list(data.columns), _rows(data)) for name, data in content.tables],
        notes=content.foot,
        charts=charts,
        figures=Markup(figures_as_json(draw_chart(chart) for chart in charts)),
        pictures=pictures(scheduler, store, budget),
        samples=samples(view, store, budget),
        costs=[
            (s.stage, f"{s.n_jobs:,}", f"{s.images:,}", f"{s.evaluations:,}", duration(s.seconds),
             size(s.n_bytes))
            for s in stages
        ],
        savings=savings(scheduler, others),
        provenance=_provenance(view, store, devices),
        css=css(),
        script=asset("charts.js"),
        plotly=Markup(plotly.offline.get_plotlyjs()),
    )  # fmt: skip


def _rows(data: pd.DataFrame) -> list[list[Any]]:
    return [[parts_of(str(cell)) for cell in row] for row in data.itertuples(index=False)]


def _provenance(view: StudyView, store: Store, devices: list[str]) -> list[tuple[str, str]]:
    """Returns the provenance of the results: launches, devices, protocols and settings."""
    name = view.study.id
    rows = []
    for launch in launches(store, name):
        rows += [
            ("launched", launch.date),
            ("commit", launch.commit or "no checkout"),
            ("python", launch.python),
            ("packages", ", ".join(f"{n} {v}" for n, v in launch.packages.items())),
        ]
        rows += [(f"data {n}", f"SHA-256 {digest}") for n, digest in launch.data.items()]
    rows += [("devices", ", ".join(devices) or "none yet")]
    rows += [("protocol", protocol.describe()) for protocol in view.protocols]
    return [*rows, ("settings", f"key {view.study.settings.key}")]
