"""The contract of score models."""

import torch

from scorelib.data import DataSpec
from scorelib.schedules import Schedule
from scorelib.testing.specs import check_spec, contract, name_of, require, require_line
from tuning.jobs import ExecutionContext, Job
from tuning.stages.models.score_model import ScoreModel
from tuning.testing.jobs import finish

_ROUNDING = 1e-4
"""Largest difference by rounding, relative to the largest output."""


@contract
def check_score_model(model: ScoreModel, at: ExecutionContext) -> None:
    """Checks a score model: its texts, its needed jobs, and sigma * score at all its ends.

    The output has the shape of x and is finite at the largest and the smallest noise level. An
    output depends on its own example alone, and the same input gives the same output.

    Args:
        model: the score model, with small settings.
        at: environment; the needed jobs are run in it first.

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    who = name_of(model)
    require(isinstance(model, ScoreModel), f"{who} must be a subclass of ScoreModel")
    check_spec(model)
    for what in ("architecture", "origin"):
        require_line(getattr(model, what), f"{who}.{what}")
    require(isinstance(model.target, DataSpec), f"{who}.target must be a DataSpec")
    require(isinstance(model.levels, Schedule), f"{who}.levels must be a Schedule")
    decays = model.decays
    require(
        isinstance(decays, tuple) and all(isinstance(decay, float) for decay in decays),
        f"{who}.decays must be a tuple of floats, but got {decays!r:.60}",
    )
    cost = model.evaluation_multiply_adds
    require(cost >= 0, f"{who}.evaluation_multiply_adds must not be negative, but got {cost}")
    needed = model.needed_jobs()
    are_jobs = isinstance(needed, tuple) and all(isinstance(job, Job) for job in needed)
    require(are_jobs, f"{who}.needed_jobs() must return a tuple of jobs, but got {needed!r:.60}")
    for job in needed:
        finish(job, at)
    _check_outputs(who, model, at)


def _check_outputs(who: str, model: ScoreModel, at: ExecutionContext) -> None:
    images, _ = at.images(model.target, "train")
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(images[:3].shape, generator=draw)
    network = model.score_network(at, model.decays[-1] if model.decays else None)
    require(
        isinstance(network, torch.nn.Module),
        f"{who}.score_network() must return a torch module, but got {type(network).__name__}",
    )
    for sigma in (model.levels.sigma_1, model.levels.sigma_L):
        x = (images[:3] + sigma * noise).to(at.device)
        level = torch.tensor(sigma, dtype=x.dtype, device=x.device)
        with torch.inference_mode():
            whole, again, single = network(x, level), network(x, level), network(x[:1], level)
        place = f"{who}, sigma {sigma:g}"
        require(
            whole.shape == x.shape,
            f"{place}: the output must have the shape {tuple(x.shape)}, but has "
            f"{tuple(whole.shape)}",
        )
        require(bool(whole.isfinite().all()), f"{place}: the output must be finite")
        require(
            torch.equal(whole, again), f"{place}: the same input must give the same output, always"
        )
        most = _ROUNDING * float(whole.abs().max().clamp(min=1.0))
        require(
            float((whole[:1] - single).abs().max()) <= most,
            f"{place}: an output must depend on its own example alone",
        )
