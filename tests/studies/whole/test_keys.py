"""Tests that the keys of every study are those of stored results.

Version 0.1 wrote `keys_of_0_1.json` before any class or field was renamed. An entry of the file may
change only with a raised ``VERSION`` or with changed settings of the study. Studies made later have
entries of their own.
"""

import hashlib
import json
from pathlib import Path

import pytest

from studies.registry import STUDIES
from tests.studies.whole_studies import whole_study
from tuning.search.search import Proposals

GOLDEN = json.loads(Path(__file__).with_name("keys_of_0_1.json").read_text())


def digest(lines):
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def with_inputs(jobs):
    """Returns jobs and all their inputs, by key."""
    found, waiting = {}, list(jobs)
    while waiting:
        job = waiting.pop()
        if job.key not in found:
            found[job.key] = job
            waiting += job.inputs()
    return found


def keys(study):
    """Returns digests of a study's keys: of jobs, of all specs in them, of settings, of ledgers."""
    jobs, ledgers = list(study.known_jobs), []
    for search in study.searches:
        space, ladder = search.space, search.ladder
        starts = tuple(tuple(start[name] for name in sorted(start)) for start in search.starts)
        ledgers += [Proposals(space=space, starts=starts).key, space.key]
        for start in search.starts:
            for rung in (None, *ladder):
                jobs += space.scores(start, rung)
            best = space.score(start, ladder[-1] if ladder else None)
            jobs += [job for c in study.cells if c.search is search for job in c.jobs(best)]
    found = with_inputs(jobs)
    parts = {part.key for job in found.values() for part in job.parts()}
    parts |= {cell.protocol.key for cell in study.cells if cell.protocol}
    return {
        "jobs": digest(f"{job.stage} {key}" for key, job in found.items()),
        "n_jobs": len(found),
        "parts": digest(parts),
        "settings": study.settings.key,
        "ledgers": digest(ledgers),
    }


def test_every_study_that_was_stored_is_there():
    assert {name.rpartition("-")[0] for name in GOLDEN} <= STUDIES.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_no_key_has_changed(name):
    study, _, scale = name.rpartition("-")
    assert keys(whole_study(study, scale)) == GOLDEN[name]
