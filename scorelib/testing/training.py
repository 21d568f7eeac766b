"""The contracts of losses and of trainings."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from scorelib.testing.specs import contract, global_generators, name_of, require
from scorelib.training.base import Training

_UNTIL, _INTERRUPTED = 4, 2


@contract
def check_loss(loss: Callable[[], Tensor], module: nn.Module) -> None:
    """Checks the loss of a batch: a finite scalar, given by its arguments, that trains a module.

    Args:
        loss: function that computes the loss of one fixed batch with the module. The noise of the
            batch is fixed too: losses take their random numbers as arguments.
        module: network that the loss should train.

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    module.zero_grad(set_to_none=True)
    with global_generators(1, "the loss"):
        value = loss()
    found = tuple(value.shape)
    require(found == (), f"the loss must be a scalar, of shape (), but got the shape {found}")
    require(bool(value.isfinite()), f"the loss must be finite, but got {value.item():g}")
    with global_generators(2, "the loss"):
        again = loss()
    require(
        torch.equal(value, again),
        "the loss must follow from its arguments: take noise as an argument, draw none",
    )
    require(value.requires_grad, "the loss must have a gradient, but it is detached")
    value.backward()
    for name, p in module.named_parameters():
        gradient = torch.zeros_like(p) if p.grad is None else p.grad
        require(
            bool(gradient.any()),
            f"the gradient of the loss must reach every parameter, but {name} gets none",
        )
        is_finite = bool(gradient.isfinite().all())
        require(is_finite, f"the gradient of the loss must be finite, but that of {name} is not")
    module.zero_grad(set_to_none=True)


@contract
def check_training(start: Callable[[int], Training]) -> None:
    """Checks a training: finite losses, all parameters trained, the seed, and resumption.

    Args:
        start: function that maps a seed to a new training of a small network. The initial weights
            are the same for all seeds, so that the seed of the training shows alone.

    Raises:
        AssertionError: a rule is broken; the message is one line.
        NonFiniteError: a loss is not finite.
    """
    whole = start(0)
    require(isinstance(whole, Training), f"{name_of(whole)} must be a subclass of Training")
    who = name_of(whole)
    before = {name: p.detach().clone() for name, p in whole.network.named_parameters()}
    with global_generators(1, who):
        steps = list(whole.steps(_UNTIL))
    require(
        [step.iteration for step in steps] == list(range(1, _UNTIL + 1)),
        f"{who}: steps must yield once for each update, 1, 2, ...",
    )
    first = next(iter(steps[-1].losses), None)
    require(
        first in ("dsm", "ce"),
        f"{who}: the first loss must be 'dsm' (score network) or 'ce' (classifier), but got "
        f"{first!r}",
    )
    for name, p in whole.network.named_parameters():
        moved = not torch.equal(before[name], p)
        require(moved, f"{who}: every parameter must be trained, but {name} has not changed")
    state = whole.state()
    require(
        _same(state, _after(start(0), _UNTIL, who)),
        f"{who}: the seed must determine the training, but equal seeds ended differently",
    )
    require(
        not _same(state, _after(start(1), _UNTIL, who)),
        f"{who}: the seed must change the training, but two seeds ended equally",
    )
    resumed = start(0)
    resumed.restore(_after(start(0), _INTERRUPTED, who))
    require(
        _same(state, _after(resumed, _UNTIL, who)),
        f"{who}: a training restored from its state must end as the whole training does: state "
        "and restore must hold all that an update depends on",
    )


def _after(training: Training, until: int, who: str) -> dict[str, Tensor]:
    with global_generators(2, who):
        for _ in training.steps(until):
            pass
    return training.state()


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
