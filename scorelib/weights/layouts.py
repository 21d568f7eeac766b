"""The layouts of the authors' files: where weights, averages and noise levels are stored.

    ncsn                         [weights, Adam]
    ncsnv2                       [weights, Adam, epoch, step, averages or None], with ``sigmas``
    adversarial-score-matching   the same without ``sigmas``
    score-sde                    {"model": weights, "ema": {"shadow_params": [...], ...}, ...}
    state-dict                   {name: tensor}, nothing else

Names of weights may begin with ``module.`` (torch's DataParallel). The averages of the lists are a
dictionary by name; those of score-sde are a list in the order of the trained parameters, so the
order of ``model`` says which is which.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeGuard, get_args

from torch import Tensor

from scorelib.errors import InputError
from scorelib.weights.ncsnpp import FREQUENCIES

PublishedFormat = Literal["ncsn", "ncsnv2", "adversarial-score-matching", "score-sde"]
Format = PublishedFormat | Literal["state-dict", "safetensors", "diffusers"]
FORMATS: tuple[str, ...] = (*get_args(PublishedFormat), "state-dict", "safetensors", "diffusers")

PREFIX = "module."
ORIGIN = "exported_from"
"""Key, in the entry of the optimiser, under which our exports record the exported model."""
SIGMAS = "sigmas"


@dataclass(frozen=True)
class Origin:
    """The model of this program that a file was exported from.

    Attributes:
        model: key of the model.
        ema: EMA decay of the weights; None if the model had none.
    """

    model: str
    ema: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The attributes by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Any) -> "Origin | None":
        """The origin that a file names; None if the file names none."""
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return None
        ema = body.get("ema")
        return cls(body["model"], ema if isinstance(ema, float) else None)


@dataclass(frozen=True)
class Content:
    """The parts of a file that are used.

    Attributes:
        format: the file's layout.
        weights: tensors by published name, averaged ones where wanted, without ``sigmas``.
        sigmas: the levels stored beside the weights, (L,), or None.
        notes: what a reader should know, in words.
        origin: which model of ours was exported, or None.
    """

    format: str
    weights: dict[str, Tensor]
    sigmas: Tensor | None
    notes: tuple[str, ...]
    origin: Origin | None = None


def content_of(saved: Any, ema: bool) -> Content:
    """Returns the weights and the noise levels of a file.

    Args:
        saved: what was read from the file.
        ema: take the averaged weights, where the layout has any.

    Raises:
        InputError: the layout is of no format known, or averages are wanted and missing.
    """
    if isinstance(saved, dict) and "model" in saved and {"ema", "optimizer"} & saved.keys():
        return replace(_score_sde(saved, ema), origin=_origin(saved.get("optimizer")))
    if isinstance(saved, (list, tuple)) and len(saved) in (2, 4, 5) and is_state(saved[0]):
        return replace(_list(saved, ema), origin=_origin(saved[1]))
    if is_state(saved):
        weights, sigmas = _without_sigmas(_plain_names(saved))
        return Content("state-dict", weights, sigmas, ("a bare state: averaged or not, unknown",))
    raise InputError(
        f"a file must have the layout of one of {', '.join(FORMATS)}; got {_outline(saved)}: save "
        "the bare weights with the authors' program, torch.save(model.state_dict(), FILE)",
        "format",
    )


def _origin(optimizer: Any) -> Origin | None:
    return Origin.from_json(optimizer.get(ORIGIN)) if isinstance(optimizer, dict) else None


def is_state(saved: Any) -> TypeGuard[dict[str, Tensor]]:
    """Returns whether a value is a dictionary of tensors by name, and not empty."""
    return (
        isinstance(saved, dict)
        and bool(saved)
        and all(isinstance(name, str) and isinstance(t, Tensor) for name, t in saved.items())
    )


def _list(saved: Any, ema: bool) -> Content:
    weights, sigmas = _without_sigmas(_plain_names(saved[0]))
    if len(saved) == 2:
        return Content("ncsn", weights, sigmas, ("this format has no averaged weights",))
    format = "adversarial-score-matching" if sigmas is None else "ncsnv2"
    averages = saved[4] if len(saved) == 5 else None
    if not ema:
        return Content(format, weights, sigmas, ("the weights without averaging",))
    if not is_state(averages):
        raise no_averages("None as entry 5" if len(saved) == 5 else "a list of 4 entries")
    averaged, _ = _without_sigmas(_plain_names(averages))
    return Content(format, averaged, sigmas, ("the averaged weights (EMA)",))


def _score_sde(saved: Mapping[str, Any], ema: bool) -> Content:
    if not is_state(saved["model"]):
        raise InputError(
            f"entry model must be tensors by name; got {_outline(saved['model'])}", "path"
        )
    weights, sigmas = _without_sigmas(_plain_names(saved["model"]))
    if not ema:
        return Content("score-sde", weights, sigmas, ("the weights without averaging",))
    entry = saved.get("ema")
    entry = entry if isinstance(entry, dict) else {}
    averages = entry.get("shadow_params")
    if not isinstance(averages, list) or not averages:
        raise no_averages("no list ema.shadow_params")
    trained = [name for name in weights if name != FREQUENCIES]
    shapes = [tuple(weights[name].shape) for name in trained]
    if [tuple(getattr(t, "shape", ())) for t in averages] != shapes:
        raise InputError(
            f"ema.shadow_params must be the {len(trained)} trained parameters in the order of "
            f"model; got {len(averages)} tensors, or others: give ema=False for the weights "
            "without averaging",
            "ema=false",
        )
    averaged = weights | dict(zip(trained, averages, strict=True))
    decay = f"{entry['decay']:g}" if isinstance(entry.get("decay"), float) else "unknown"
    return Content("score-sde", averaged, sigmas, (f"the averaged weights (EMA, decay {decay})",))


def no_averages(found: str) -> InputError:
    """Returns the error for a file that must hold averaged weights and does not."""
    return InputError(
        "a file must hold averaged weights (EMA), of which all reported numbers are; got "
        f"{found}: give ema=False to take the weights without averaging",
        "ema=false",
    )


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith(PREFIX) for name in state):
        return {name.removeprefix(PREFIX): t for name, t in state.items()}
    return dict(state)


def _without_sigmas(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor | None]:
    return {name: t for name, t in state.items() if name != SIGMAS}, state.get(SIGMAS)


def _outline(saved: Any) -> str:
    """Returns a description of a value in a few words, for messages."""
    if isinstance(saved, dict):
        return f"a dictionary of {', '.join(map(str, list(saved)[:5]))}" if saved else "nothing"
    if isinstance(saved, (list, tuple)):
        return f"a list of {len(saved)} entries"
    return f"a {type(saved).__name__}"
