"""A sweep of any settings of training, sampling or measuring, or of the fields of your own job.

Question: which of the values are best, and which of the settings matter?

Command: ``python -m studies.run sweep --config sweep.toml``; `docs/sweeps.md` has a file to start
from. `vary` names the settings and their values (`sweep_parameters`), `objectives` the numbers to
lower or to raise, `strategy` how values are proposed. Trials have a short training and few images
first; with `keep`, the best continue on further rungs. The best trial is measured again on fresh
seeds. The table below lists every trial.

The sweep of another job: give the job as `job`, and vary its fields as ``job.FIELD``; `objectives`
are then "lower NAME" or "raise NAME", with the names of numbers in the job's results. Settings of
trainings, images and rungs do not apply, and a job without a field `seed` is measured once.

Scales: `demo` sweeps learning rate, width and EMA decay on the embedded digits, minutes on a CPU;
`paper` the same on CIFAR-10 with NCSNv2 and the lengths of "Adversarial score matching", on GPUs.

Expected at demo scale: a denoised distance of about 45 with a spread of 9, and the learning rate
explains most of the variance between trials.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from scorelib.errors import InputError
from scorelib.samplers import Cas
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.demo_settings import digits
from studies.common.distances import baselines
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import initial_step_size
from studies.general.image_settings import notes_of
from studies.general.sweep_objectives import image_objectives, job_objectives
from studies.general.sweep_parameters import decays, parameters, split
from studies.general.sweep_settings import SweepSettings
from tuning.cells import Cell, Search
from tuning.jobs import Job
from tuning.spaces import Objective, OneOf, Rung, SweepSpace
from tuning.spaces.parameters import Range
from tuning.spaces.strategies import grid_values
from tuning.stages import OUTPUTS, Baseline, FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.store.ledger import Values
from tuning.study import Study

EXHIBIT = Exhibit(
    name="sweep",
    paper="",
    label="Sweep",
    title="The best of some settings",
    question="Which values are best, and which of the settings matter?",
    figures=("searches",),
)

PLACES = {
    "train": "sample.model.train",
    "iterations": "sample.model.iteration",
    "ema": "sample.ema",
    "sampler": "sample.sampler",
    "sampling_precision": "sample.precision",
    "images": "protocol.n_images",
    "protocol.k": "protocol.k",
    "protocol.n_real": "protocol.n_real",
}
"""The place in a score of each setting that can be varied."""

_BEST, _NAME = "the best found", "sweep"


def demo() -> SweepSettings:
    """Returns settings for digits: 12 short trainings, of which four continue."""
    table = digits()
    return SweepSettings(
        vary=(
            "train.optimizer.learning_rate = 3e-4..1e-2 log",
            "train.network.width = [64, 128, 256]",
            "ema = [0.9, 0.99]",
        ),
        trials=12,
        keep=(4,),
        iterations=(300, 900),
        images=(500, 1000),
        seeds=2,
        n_images=1000,
        train=table.train.replace(batch_size=64),
        ema=0.99,
    )


def paper() -> SweepSettings:
    """Returns settings for CIFAR-10 with NCSNv2: 24 trainings, of which eight, then three go on."""
    table = cifar_sampling_eps.paper()
    return SweepSettings(
        vary=(
            "train.optimizer.learning_rate = 3e-5..1e-3 log",
            "train.network.ngf = [64, 128]",
            "ema = [0.999, 0.9999]",
        ),
        trials=24,
        keep=(8, 3),
        iterations=(50_000, 100_000, 300_000),
        images=(1_000, 5_000, 10_000),
        seeds=3,
        n_images=table.n_images,
        train=table.train,
        ema=table.ema,
        extractor=table.extractor,
    )


def study(scale: str, at: SweepSettings) -> Study:
    """Returns the study: one search, and its best trial on fresh seeds."""
    if at.job is not None:
        return _of_job(scale, at, at.job)
    protocol = FidProtocol(
        extractor=at.features, data=at.train.data, n_images=at.images[0], seeds="search"
    )
    objectives = image_objectives(at.objectives, protocol)
    job = _score(at, objectives[0])
    found = parameters(at.vary, job, PLACES)
    _require_ladder(at, found)
    first = at.train.seed
    space = SweepSpace(
        template=job,
        parameters=tuple(found),
        objectives=objectives,
        strategy=at.strategy,
        round_size=at.round_size,
        seed_path=f"{PLACES['train']}.seed",
        seeds=tuple(range(first, first + at.training_seeds)),
    )
    search = _search(at, space, _rungs(at))
    measures = dict.fromkeys(o.protocol for o in objectives if o.protocol)
    cells = [
        Cell(
            row=_BEST,
            column=measured.name,
            search=search,
            protocol=measured.replace(n_images=at.n_images, seeds="fresh"),
            n_seeds=at.seeds * at.training_seeds,
            quantities=OUTPUTS,
        )
        for measured in measures
    ]
    fresh = protocol.replace(n_images=at.n_images, seeds="fresh")
    figures, notes = ("noise_schedules", "losses"), notes_of(at.features)
    return _made(scale, at, search, cells, figures, baselines(fresh), notes)


def _score(at: SweepSettings, first: Objective) -> Score:
    """Returns the score of the settings, on the first rung."""
    assert first.protocol is not None
    sampler = at.sampler or Cas(epsilon=initial_step_size("cas", 1, at.train.schedule), n_sigma=1)
    model = Snapshot(train=_tracking(at), iteration=at.iterations[0])
    sample = SampleSpec(
        model=model,
        ema=at.ema,
        sampler=sampler,
        chunk_images=at.chunk_images,
        precision=at.sampling_precision,
    )
    return Score(sample=sample, protocol=first.protocol)


def _tracking(at: SweepSettings) -> TrainSpec:
    """Returns the training run with every EMA decay that is varied: one training keeps them all."""
    return at.train.replace(ema=tuple(sorted({*at.train.ema, *decays(at.vary)})))


def _of_job(scale: str, at: SweepSettings, job: Job) -> Study:
    """Returns the sweep of a job of the user's own."""
    has_seed = isinstance(getattr(job, "seed", None), int)
    if not has_seed and at.training_seeds > 1:
        raise InputError(
            f"training_seeds must be 1 for a job without a field `seed`, such as {job.KIND}, but "
            f"got {at.training_seeds}",
            "training_seeds",
        )
    found = parameters(at.vary, job, {"job": ""})
    first = job.seed if has_seed else 0  # type: ignore[attr-defined]
    space = SweepSpace(
        template=job,
        parameters=tuple(found),
        objectives=job_objectives(at.objectives, job),
        strategy=at.strategy,
        round_size=at.round_size,
        seed_path="seed" if has_seed else "",
        seeds=tuple(range(first, first + at.training_seeds)) if has_seed else (),
    )
    search = _search(at, space, ())
    names = tuple(objective.number for objective in space.objectives)
    n_seeds = at.seeds if has_seed else 1  # without a seed, the job would give the same again
    cell = Cell(
        row=_BEST, column=" / ".join(names), search=search, n_seeds=n_seeds, quantities=names
    )
    return _made(scale, at, search, [cell], (), (), ())


def _search(at: SweepSettings, space: SweepSpace, ladder: tuple[Rung, ...]) -> Search:
    n_trials = at.trials
    if at.strategy == "grid":
        n_trials = max(1, len(_grid(space)))
    lists = [p.shown for p in space.parameters if isinstance(p, OneOf)]
    n_first = n_trials
    if len(lists) == len(space.parameters):
        n_first = min(n_trials, math.prod(map(len, lists)))
    if not space.placeholder_values(1, ()):
        raise InputError(
            "vary must have a combination of values that the job accepts, but has none", "vary"
        )
    if ladder and ladder[0].keep > n_first:
        raise InputError(
            f"keep must be at most the number of trials on the first rung, which is {n_first}, but "
            f"got {list(at.keep)}",
            "keep",
        )
    return Search(name=_NAME, space=space, n_trials=n_trials, starts=(), ladder=ladder)


def _grid(space: SweepSpace) -> list[Values]:
    """Returns the points of the grid that make a job."""
    names = [p.name for p in space.parameters]
    points = itertools.product(*grid_values(space.parameters))
    every = (dict(zip(names, point, strict=True)) for point in points)
    return [values for values in every if space.is_possible(values)]


def _rungs(at: SweepSettings) -> tuple[Rung, ...]:
    """Returns the rungs after the first."""
    n = len(at.keep) + 1
    images, iterations = (v if len(v) == n else v * n for v in (at.images, at.iterations))
    longer = iterations if len(at.iterations) > 1 else (None,) * n
    return tuple(map(Rung, images[1:], at.keep, longer[1:]))


def _require_ladder(at: SweepSettings, found: Sequence[OneOf | Range]) -> None:
    """Raises InputError if a field is varied that the rungs set."""
    fields = {PLACES["images"]: "images"} if at.keep else {}
    if len(at.iterations) > 1:
        fields[PLACES["iterations"]] = "iterations"
    for field in (fields[p.path] for p in found if p.path in fields):
        raise InputError(
            f"{field} must not be varied if the rungs set it: leave keep empty", field, "vary"
        )


def _made(
    scale: str,
    at: SweepSettings,
    search: Search,
    cells: Sequence[Cell],
    figures: tuple[str, ...],
    below: tuple[Baseline, ...],
    notes: tuple[str, ...],
) -> Study:
    varied = ", ".join(split(line)[0].removeprefix("job.") for line in at.vary)
    fronts = ("pareto_fronts",) if len(search.space.lower_is_better) > 1 else ()
    title = f"{EXHIBIT.title}: {varied} by {at.strategy}"
    made = EXHIBIT.study(
        scale, at, cells, searches=(search,), baselines=below, title=title, notes=notes
    )
    return dataclasses.replace(made, figures=(*made.figures, *fronts, *figures))
