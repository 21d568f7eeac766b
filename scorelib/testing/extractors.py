"""The contract of feature extractors."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from scorelib.metrics import extract
from scorelib.metrics.features import Extractor
from scorelib.testing.specs import (
    check_spec,
    contract,
    global_generators,
    name_of,
    require,
    require_line,
)

_N = 3
_ROUNDING = 1e-4


@contract
def check_extractor(
    extractor: Extractor, weights: Mapping[str, Tensor], shape: tuple[int, ...]
) -> None:
    """Checks a feature extractor: its facts, its features and probabilities, what they depend on.

    Images are rounded to 8 bits before they are measured: values outside [0, 1] and changes below
    one grey level change no feature.

    Args:
        extractor: feature extractor.
        weights: state dict that `Extractor.build` takes.
        shape: shape of one image, (C, H, W), or of one point, (D,).

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    who = name_of(extractor)
    require(isinstance(extractor, Extractor), f"{who} must be a subclass of Extractor")
    check_spec(extractor)
    for what in ("name", "distance_name", "score_name"):
        require_line(getattr(extractor, what), f"{who}.{what}")
    module = _built(extractor, weights, 1)
    images = torch.rand(_N, *shape, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    features, probabilities = _extracted(who, module, images, 1)
    require(torch.equal(images, kept), f"{who}: the module must not write to the images")
    _check_form(extractor, features, probabilities)
    found = features, probabilities
    again = _extracted(who, module, images, 2)
    require(_equal(found, again), f"{who}: the same images must give the same features each time")
    other = _built(extractor, weights, 2)
    require(
        _equal(found, _extracted(who, other, images, 1)),
        f"{who}: the weights must determine the features, but two modules of build differ",
    )
    few, scale = extract(module, images, batch_size=2), float(1 + features.abs().sum())
    apart = max(float((a - b).abs().sum()) for a, b in zip(found, few, strict=True))
    require(apart <= _ROUNDING * scale, f"{who}: features must not depend on the batch size")
    if len(shape) == 3:
        _check_eight_bits(who, module, images)


def _built(extractor: Extractor, weights: Mapping[str, Tensor], seed: int) -> nn.Module:
    """Builds the module; layers may draw initial weights, which the weights replace."""
    who = name_of(extractor)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = extractor.build(weights)
    require(isinstance(module, nn.Module), f"{who}.build must return a torch.nn.Module")
    training = any(part.training for part in module.modules())
    require(not training, f"{who}.build must return a module in eval mode: end with .eval()")
    return module


def _extracted(who: str, module: nn.Module, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    with global_generators(seed, f"{who}: the module"):
        return extract(module, images)


def _equal(found: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, other, strict=True))


def _check_form(extractor: Extractor, features: Tensor, probabilities: Tensor) -> None:
    who = name_of(extractor)
    for what, values, width in (
        ("features", features, extractor.n_features),
        ("probabilities", probabilities, extractor.n_classes),
    ):
        expected, found = (_N, width), tuple(values.shape)
        require(found == expected, f"{who}: {what} must be of shape {expected}, but got {found}")
        require(bool(values.isfinite().all()), f"{who}: {what} must be finite")
    within = bool(((probabilities >= 0) & (probabilities <= 1 + _ROUNDING)).all())
    require(within, f"{who}: probabilities must be in [0, 1]")


def _check_eight_bits(who: str, module: nn.Module, images: Tensor) -> None:
    levels = (images * 255).round()
    levels[0], levels[1] = 0, 255  # an image of each end, for values outside
    rough = levels / 255
    rough[0] -= 0.3
    rough[1] += 0.3
    rough[2] += 0.001  # a quarter of a grey level
    stored, found = extract(module, levels.to(torch.uint8)), extract(module, rough)
    require(
        _equal(stored, found),
        f"{who}: images must be clamped to [0, 1] and rounded to 8 bits before they are measured",
    )
