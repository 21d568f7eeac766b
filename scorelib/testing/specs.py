"""The contract of every spec, and the helpers of all contracts."""

import contextlib
import dataclasses
import functools
import inspect
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import numpy as np
import torch

from scorelib.spec import Spec, from_json

_P = ParamSpec("_P")


def contract(check: Callable[_P, None]) -> Callable[_P, None]:
    """Makes a contract report an exception of its component as a broken rule, in one line.

    Args:
        check: the contract; its first argument is the component.
    """
    signature = inspect.signature(check)

    @functools.wraps(check)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> None:
        component = next(iter(signature.bind(*args, **kwargs).arguments.values()))
        try:
            check(*args, **kwargs)
        except AssertionError:
            raise
        except Exception as error:
            name = getattr(component, "__qualname__", name_of(component))
            words = " ".join(str(error).split())
            raise AssertionError(
                f"{name}: no call must fail, but got {type(error).__name__}: {words}"
            ) from error

    return checked


def require(condition: bool, message: str) -> None:
    """Raises AssertionError with `message` unless `condition` holds."""
    if not condition:
        raise AssertionError(message)


def name_of(component: object) -> str:
    """Returns the name of a component in messages: the name of its class."""
    return type(component).__qualname__


def require_line(text: object, what: str) -> None:
    """Raises AssertionError unless a text is one line that is not empty.

    Args:
        text: a name, a title or another text for display.
        what: description of the text, for the message.
    """
    is_line = isinstance(text, str) and text.strip() != "" and "\n" not in text
    require(is_line, f"{what} must be one line of text, but got {text!r}")


@contextlib.contextmanager
def global_generators(seed: int, what: str) -> Iterator[None]:
    """Runs the body with the global random generators at a seed, and restores them after it.

    Two runs at different seeds give different results if the body depends on a global generator of
    PyTorch, NumPy or Python.

    Args:
        seed: seed of the three generators.
        what: description of the body, for the message.

    Raises:
        AssertionError: the body has left PyTorch's or NumPy's generator in another state. (Python's
            own is left out: some libraries draw from it when they are imported.)
    """
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        at_start = _states()
        yield
        require(
            _states() == at_start,
            f"{what} must leave the global random generators alone: draw from a generator with a "
            "seed of its own (scorelib.seeds.generator_of), or within torch.random.fork_rng",
        )
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def _states() -> tuple[Any, ...]:
    _, words, position, *_ = np.random.get_state()
    return torch.get_rng_state().tolist(), list(words), position


@contract
def check_spec(spec: Spec) -> None:
    """Checks the rules that hold for every spec.

    The class is a frozen, keyword-only dataclass. The fields are values that cannot change. JSON
    gives an equal spec with the same key. Default values are the same each time.

    Args:
        spec: any spec, such as a data set, a network, a sampler, a protocol or a job.

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    who = name_of(spec)
    require(isinstance(spec, Spec), f"{who} must be a subclass of scorelib.spec.Spec")
    try:
        hash(spec)
    except TypeError as error:
        message = f"{who}: every field must be hashable, a tuple in place of a list; {error}"
        raise AssertionError(message) from None
    try:
        text = json.dumps(spec.to_json(), allow_nan=False)
        again = from_json(json.loads(text))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{who} must come back from its JSON, but {error}") from None
    require(again == spec, f"{who} must come back from its JSON unchanged, but got {again}")
    require(
        again.key == spec.key,
        f"{who} must keep its key when it comes back from its JSON, but got {again.key} after "
        f"{spec.key}",
    )
    for field in dataclasses.fields(spec):
        made = field.default_factory
        require(
            made is dataclasses.MISSING or made() == made(),
            f"{who}.{field.name} must have the same default each time, but two calls of its "
            "default_factory differ",
        )
