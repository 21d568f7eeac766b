"""A trial of networks on two examples, so that a wrong network fails before anything is scheduled.

The networks of this project pass the contracts of `scorelib.testing` in its tests. A network of the
user's own may not have been tested at all, and would fail in a job on a worker.
"""

import torch
from torch import nn

from scorelib.errors import require_input
from scorelib.spec import Spec
from tuning.jobs import ExecutionContext
from tuning.stages.models.score_model import ScoreModel
from tuning.stages.training.snapshots import TrainingSpec


def require_network(train: TrainingSpec) -> None:
    """Applies an untrained network to two examples, as training and sampling do.

    Args:
        train: training run, which gives the network and the shape of the examples.

    Raises:
        InputError: the output has a wrong shape.
        Exception: what the network raises, forwards or backwards.
    """
    with torch.random.fork_rng(devices=[]):
        network = train.build()
        _require_shape(train.network, network, train.data.shape, train.output_shape)
        network.train()(torch.rand(2, *train.data.shape), torch.ones(2)).sum().backward()


def require_model(model: ScoreModel, at: ExecutionContext) -> None:
    """Applies a score model that no job prepares to two examples, as sampling does.

    Args:
        model: score model; with `ScoreModel.needed_jobs`, nothing is done.
        at: execution context, which holds the data sets.

    Raises:
        InputError: the output has a wrong shape.
        Exception: what the model raises.
    """
    if model.needed_jobs():
        return
    with torch.random.fork_rng(devices=[]):
        network = model.score_network(at, model.decays[-1] if model.decays else None)
        _require_shape(model, network, model.target.shape, model.target.shape)


@torch.no_grad()
def _require_shape(
    spec: Spec, network: nn.Module, shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    """Raises InputError unless a network maps examples of a shape to an output of a shape."""
    for level in (torch.ones(2), torch.ones(())):  # of each example, or of all
        out = network.eval()(torch.rand(2, *shape), level)
        found = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        require_input(
            found == (2, *output),
            f"the output of {spec.short_kind()} for two examples of shape {shape} must have the "
            f"shape {(2, *output)}, but got {found}",
        )
