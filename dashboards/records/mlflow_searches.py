"""MLflow records of searches: one run for each search, with a nested run for each finished trial.

Trainings that only trials need are nested in the search, too. The top level thus shows only the
study's main runs, however many trials there are.
"""

from collections.abc import Iterator

from dashboards.records.mlflow_common import (
    as_metric,
    common_tags,
    lineage,
    metric_name,
    objective_names,
)
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import shown_value
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial
from tuning.stages import OUTPUTS, Score
from tuning.tracking.mlflow_record import RunRecord


def trial_records(scheduler: Scheduler, score: Job | None = None) -> Iterator[RunRecord]:
    """Yields searches and their finished trials: all, or only those that a job measures."""
    for run in scheduler.searches.values():
        reached: dict[int, list[Trial]] = {}  # the trial on each rung it reached, by number
        for trial in (trial for rung in run.rungs() for trial in rung):
            reached.setdefault(trial.number, []).append(trial)
        found = [
            _trial_record(scheduler, run, on_rungs)
            for on_rungs in reached.values()
            if on_rungs[0].result is not None and (score is None or _measures(score, on_rungs))
        ]
        if found:
            yield search_record(scheduler, run)
            yield from found


def searches_of_trainings(scheduler: Scheduler) -> dict[str, SearchRun]:
    """Returns the search of each snapshot that only trials need, by the key of the snapshot."""
    found: dict[str, SearchRun] = {}
    for run in scheduler.searches.values():
        for trial in (trial for rung in run.rungs() for trial in rung):
            for score in trial.scores:
                if isinstance(score, Score):
                    for needed in score.sample.inputs():
                        found.setdefault(needed.key, run)
    if found:
        for part in (part for job in scheduler.study.fixed_jobs for part in job.parts()):
            found.pop(part.key, None)
    return found


def _measures(score: Job, on_rungs: list[Trial]) -> bool:
    return any(score.key == each.key for trial in on_rungs for each in trial.scores)


def trial_key(run: SearchRun, trial: Trial) -> str:
    """Returns the key of a trial; a search restarted from other values has other keys."""
    return f"{run.ledger_key}-{trial.number}"


def _trial_record(scheduler: Scheduler, run: SearchRun, on_rungs: list[Trial]) -> RunRecord:
    """Returns the record of a trial that is finished on the first rung, perhaps not on the last."""
    trial = on_rungs[0]
    assert trial.result is not None
    tags = common_tags(scheduler.study, "trial") | {
        "search": run.search.name,
        "protocol": trial.described,
    }
    if trial.result.failed:
        tags["failed"] = trial.result.failed
    metrics: dict[str, float | None] = {}
    if isinstance(trial.score, Score):
        protocol = trial.score.protocol
        metrics = {metric_name(protocol, which): trial.result.of(which) for which in OUTPUTS}
    metrics |= zip(objective_names(run.search.space), trial.numbers, strict=False)
    metrics |= {
        f"tried {as_metric(name)}": float(value)
        for name, value in trial.values.items()
        if not isinstance(value, str)
    }
    values = ", ".join(f"{name}={shown_value(value)}" for name, value in trial.values.items())
    return RunRecord(
        key=trial_key(run, trial),
        name=f"#{trial.number} {values} · {run.search.name}",
        tags=tags | {"score_key": trial.score.key},
        params=trial.score.flat(),
        metrics=metrics
        | {
            "epsilon": trial.epsilon,
            "r": trial.r,
            "n_images": None if trial.n_images is None else float(trial.n_images),
            "number": float(trial.number),
        },
        curves=_by_images(on_rungs),
        description=(
            f"Trial {trial.number} of the search *{run.search.name}*: {values}. Measured by "
            f"{trial.described}; metrics that end in `_by_images` have the number of images as "
            "their step, one point for each rung of the ladder that the trial reached."
        ),
        parent=search_key(run),
        **lineage(trial.score),
    )


def _by_images(on_rungs: list[Trial]) -> dict[str, list[tuple[int, float]]]:
    """Returns a trial's numbers as curves over the number of images, one point per rung."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for trial in on_rungs:
        if not isinstance(trial.score, Score):
            continue
        protocol = trial.score.protocol
        for which in OUTPUTS:
            value = trial.result.of(which) if trial.result else None
            if value is not None:
                name = f"{metric_name(protocol, which)}_by_images"
                curves.setdefault(name, []).append((protocol.n_images, value))
    return curves


def search_key(run: SearchRun) -> str:
    """Returns the key of a search; it depends on the search's starting values."""
    return f"search-{run.ledger_key}"


def search_record(scheduler: Scheduler, run: SearchRun) -> RunRecord:
    """Returns the record of a search so far."""
    search, best = run.search, None
    name = objective_names(search.space)[0]
    history: list[tuple[int, float]] = []
    for trial in run.trials:
        if trial.value is not None:
            pick = min if search.space.lower_is_better[0] else max
            best = trial.value if best is None else pick(best, trial.value)
            history.append((trial.number, best))
    # Importances of a thousand trials take a second, so they are computed once, at the end.
    importance = importances(run) if run.is_complete else {}
    shares = {f"importance of {as_metric(n)}": share for n, share in importance.items()}
    varied = ", ".join(run.distributions)
    done = sum(trial.result is not None for trial in run.trials)
    ended = f"It ended: {run.ending}. " if run.ending else ""
    return RunRecord(
        key=search_key(run),
        name=f"search {search.name}",
        tags=common_tags(scheduler.study, "search")
        | {"search": search.name}
        | ({"ended": run.ending} if run.ending else {}),
        params={
            "varied": varied,
            "n_trials": search.n_trials,
            "proposals": run.ledger_key,
            **({"tolerance": search.tolerance} if search.ends_early else {}),
        },
        metrics={"trials_done": float(done), **shares},
        curves={f"best_{name}": history},
        description=(
            f"The search *{search.name}* over {varied}: {done} of {search.budget} trials, each a "
            f"nested run. {ended}`best_{name}` is the best value after each trial, measured by "
            f"{search.space.described}."
        ),
    )
