"""Tests of every study before it runs: both scales, readable by workers, valid plans."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from scorelib.spec import from_json
from studies.registry import STUDIES, find_study
from tests.studies.whole_studies import whole_study
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler

WITHOUT_CLAIMS = {
    "sampling_eps", "score_images", "sweep",  # of no paper
    "dlsm_lambda",  # Table A4: "the results only slightly fluctuate", which is no inequality
}  # fmt: skip


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_whole_at_either_scale(name, scale):
    settings = find_study(name).settings(scale)
    assert from_json(settings.to_json()) == settings, "settings do not survive the store"
    made = whole_study(name, scale)
    assert (made.name, made.scale) == (name, scale) and made.question.endswith("?")
    names = [search.name for search in made.searches]
    assert len(set(names)) == len(names)
    for number, search in enumerate(made.searches):
        for rests_on in (search.after, search.model_of):
            assert rests_on is None or rests_on.name in names[:number], "served before its basis"
    # Each claim names measured numbers: `Study` refuses others.
    assert bool(made.claims) == (name not in WITHOUT_CLAIMS)
    claims = [(claim.text, claim.source) for claim in made.claims]
    assert len(set(claims)) == len(claims)
    cells = [cell.name for cell in made.cells]
    assert len(set(cells)) == len(cells) > 0
    assert all(cell.search is None or cell.search in made.searches for cell in made.cells)


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_carries_what_its_exhibit_says(name, scale):
    exhibit = import_module(STUDIES[name].module).EXHIBIT
    made = whole_study(name, scale)
    assert made.name == exhibit.name == name
    assert (made.paper, made.exhibit) == (exhibit.paper, exhibit.label)
    added = made.figures[len(exhibit.figures) :] if name == "sweep" else ()  # by what it varies
    assert (made.question, made.figures) == (exhibit.question, (*exhibit.figures, *added))
    assert made.title.startswith(exhibit.title) and set(exhibit.notes) <= set(made.notes)
    assert made.figures and all(figure and isinstance(figure, str) for figure in made.figures)
    assert len(set(made.figures)) == len(made.figures)


def test_workers_can_read_every_study_s_jobs():
    """Workers import modules of the engine and no study: tests a job of each mixture of kinds."""
    by_kinds = {}
    for name in STUDIES:
        for scale in ("demo", "paper"):
            made = whole_study(name, scale)
            protocols = [cell.protocol for cell in made.cells if cell.protocol]
            for spec in (*made.known_jobs, *protocols):
                by_kinds.setdefault(tuple(part.KIND for part in spec.parts()), spec)
    jobs = [spec.to_json() for spec in by_kinds.values()]
    assert len(jobs) > 100
    code = (
        "import json, sys, tuning.execution.trainable\n"
        "from scorelib.spec import from_json\n"
        "print(len([from_json(job) for job in json.load(sys.stdin)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(jobs), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout == f"{len(jobs)}\n", done.stderr[-500:]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_can_be_planned_at_paper_scale_before_any_data_is_there(name, store):
    made = whole_study(name, "paper")
    rows = forecast(Scheduler(made, store), store, "gpu")
    assert sum(row.hours for row in rows) > 0 and all(row.n_stored == 0 for row in rows)
    on_gpus = any(job.wants_gpu() for job in made.known_jobs)
    exact = {"noise_consistency", "likelihood_renormalisation", "synthetic_2d"}
    assert on_gpus == (name not in exact | {"moons_score_mismatch"})


def test_the_studies_of_every_paper_are_worked_off_in_miniature():
    for paper in {entry.module.split(".")[1] for entry in STUDIES.values()}:
        file = Path(__file__).parents[1] / paper / "test_miniatures.py"
        assert f'studies_of("{paper}")' in file.read_text()
