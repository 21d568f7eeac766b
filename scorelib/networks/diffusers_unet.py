"""U-Nets of the diffusers library as networks of sigma * score.

A denoising diffusion model (DDPM, "variance preserving") is trained on

    x_t = sqrt(ab_t) y + sqrt(1 - ab_t) noise,        y = 2 x - 1 in [-1, 1],

where ab_t is the product of 1 - beta over the times up to t. Divided by sqrt(ab_t), x_t is data in
[-1, 1] with noise of standard deviation s_t = sqrt((1 - ab_t) / ab_t), which is 2 sigma for data in
[0, 1]. So the network is a score network at noise level sigma: it is given the input
(2 x - 1) / sqrt(1 + s^2) with s = 2 sigma and the time of s, and the noise that it predicts is
-sigma * score, the same number for both ranges.

A level between the levels of two training times has no time of its own. *Interpolated*: a real
time, linear in ln s (k-diffusion does so for all discrete networks; sinusoidal embeddings take real
numbers). *Nearest*: the nearest training time, the only possibility for networks that learned a
table of embeddings. Input and answer are scaled by the exact s in both cases. Below the level of
the first time the time is 0.

NCSN++ of diffusers ("variance exploding", Fourier embedding) takes data in [0, 1] and sigma, and
answers the score.

References:
    J. Ho et al., Denoising diffusion probabilistic models, 2020.
    Y. Song et al., Score-based generative modeling through stochastic differential equations, 2021.
    T. Salimans and J. Ho, Progressive distillation for fast sampling of diffusion models, 2022,
    section 4: predictions of v and of the data.
"""

import inspect
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from scorelib.errors import InputError, require_input
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.spec import Spec

BetaSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"]
Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What a network predicts: the noise, v = sqrt(ab) noise - sqrt(1 - ab) data, or the data."""
Times = Literal["interpolated", "nearest"]
"""The time of a level between those of two training times; see the module docstring."""

LARGEST_BETA = 0.999
"""Largest beta of the cosine schedule."""

_EXACT: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
"""Values of a spec, also where networks are built without values (``torch.device("meta")``)."""


@dataclass(frozen=True, kw_only=True)
class VpTimes(Spec):
    """The training times of a denoising diffusion model, and what their noise levels are.

    Attributes:
        n_times: number of times, >= 2.
        betas: family of the betas, as diffusers names it; ignored with `trained_betas`.
        beta_start: first beta, in (0, 1).
        beta_end: last beta, in (0, 1).
        trained_betas: the betas themselves, one for each time; empty for those of the family.
        between: time of a level between those of two times.
    """

    KIND = "VpTimes"

    n_times: int = 1000
    betas: BetaSchedule = "linear"
    beta_start: float = 1e-4
    beta_end: float = 0.02
    trained_betas: tuple[float, ...] = ()
    between: Times = "interpolated"

    def validate(self) -> None:
        """Raises InputError unless there are at least two times and all betas are in (0, 1)."""
        n_betas = len(self.trained_betas) or self.n_times
        require_input(
            self.n_times >= 2 and n_betas == self.n_times,
            f"n_times must be at least 2 and the number of betas, but got {self.n_times} times and "
            f"{n_betas} betas",
        )
        values = self.beta_values
        require_input(
            bool((values > 0).all() and (values < 1).all()),
            f"all betas must be in (0, 1), but lie between {float(values.min()):g} and "
            f"{float(values.max()):g}",
        )

    @property
    def beta_values(self) -> Tensor:
        """The betas, (n_times,) float64."""
        if self.trained_betas:
            return torch.tensor(self.trained_betas, **_EXACT)
        n, start, end = self.n_times, self.beta_start, self.beta_end
        if self.betas == "linear":
            return torch.linspace(start, end, n, **_EXACT)
        if self.betas == "scaled_linear":
            return torch.linspace(start**0.5, end**0.5, n, **_EXACT) ** 2
        if self.betas == "sigmoid":
            return start + (end - start) * torch.linspace(-6, 6, n, **_EXACT).sigmoid()
        u = torch.arange(n + 1, **_EXACT) / n
        kept = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        return (1 - kept[1:] / kept[:-1]).clamp(max=LARGEST_BETA)

    @cached_property
    def log_levels(self) -> Tensor:
        """The logarithm of s_t, the noise for data in [-1, 1], at all times, (n_times,) float64."""
        log_kept = torch.log1p(-self.beta_values).cumsum(0)  # of ab_t
        return 0.5 * (torch.log(-torch.expm1(log_kept)) - log_kept)

    @property
    def sigmas(self) -> tuple[float, float]:
        """The largest and the smallest noise level of the times, for data in [0, 1]."""
        levels = self.log_levels.exp() / 2
        return float(levels[-1]), float(levels[0])


@dataclass(frozen=True, kw_only=True)
class DiffusersUnet(NetworkSpec):
    """A ``UNet2DModel`` of diffusers.

    Attributes:
        config: arguments of ``UNet2DModel``, as JSON with sorted keys; see `config_text`.
        times: training times of a denoising diffusion model; None for a network that takes the
            noise level itself (Fourier embedding).
        prediction: what the network predicts, with `times`.
    """

    KIND = "DiffusersUnet"

    config: str
    times: VpTimes | None = None
    prediction: Prediction = "epsilon"

    def validate(self) -> None:
        """Raises InputError unless embedding, times and channels fit together."""
        takes_sigma = self.arguments.get("time_embedding_type", "positional") == "fourier"
        require_input(
            takes_sigma == (self.times is None),
            "networks with Fourier embeddings take the noise level, all others need training times,"
            f" but got {'no times' if self.times is None else 'times'} and the embedding "
            f"{self.arguments.get('time_embedding_type', 'positional')}",
        )
        is_table = self.arguments.get("time_embedding_type") == "learned"
        if is_table and self.times and self.times.between != "nearest":
            raise InputError(
                "a network that learned a table of its times must take the nearest time, but got "
                f"{self.times.between} times",
                "times=nearest",
            )
        n_in, n_out = self.n_channels, self.arguments.get("out_channels", 3)
        allowed = (n_in,) if self.times is None else (n_in, 2 * n_in)
        require_input(
            n_out in allowed,
            f"a network must answer as many channels as it takes, {n_in}, or twice as many with a "
            f"learned variance, but answers {n_out}",
        )

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments of ``UNet2DModel`` that are given."""
        try:
            found = json.loads(self.config)
        except ValueError as error:
            raise InputError(f"config must be JSON, but is not: {error}") from error
        require_input(isinstance(found, dict), f"config must be an object, but got {self.config}")
        return dict(found)

    @property
    def conditional(self) -> bool:
        """Whether the network takes sigma as an input: always."""
        return True

    @property
    def n_channels(self) -> int:
        """Number of channels of an image."""
        return int(self.arguments.get("in_channels", 3))

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Shape of the images of the training, if the config tells it."""
        size = self.arguments.get("sample_size")
        if size is None:
            return None
        height, width = size if isinstance(size, list) else (size, size)
        return self.n_channels, int(height), int(width)

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns the network; see `NetworkSpec.build`.

        Raises:
            InputError: diffusers is not installed or refuses the config, or the network is of
                images of another shape.
        """
        known = self.shape or (self.n_channels, *shape[1:])
        if len(shape) != 3 or shape != known:
            raise InputError(
                f"the network must be built for the shape {known} that it was trained on, but got "
                f"{shape}: give images of that size",
                "shape",
            )
        unet = _unet(self.arguments)
        if self.times is None:
            return _Exploding(unet)
        return _Preserving(unet, self.times, self.prediction)


def config_text(config: dict[str, Any]) -> str:
    """Returns the arguments of ``UNet2DModel`` in a config file as JSON with sorted keys.

    Other entries, such as the version of diffusers and the settings of averages, are left out.
    """
    known = inspect.signature(_library().UNet2DModel.__init__).parameters.keys() - {"self"}
    return json.dumps({k: v for k, v in config.items() if k in known}, sort_keys=True)


def _library() -> Any:
    """Returns the library; imported when a network is built, since that takes seconds."""
    try:
        import diffusers
    except ImportError as error:
        raise InputError(
            "networks of diffusers need the library, which is not installed: pip install "
            "'score-studies[diffusers]'"
        ) from error
    return diffusers


def _unet(arguments: dict[str, Any]) -> nn.Module:
    try:
        unet: nn.Module = _library().UNet2DModel(**arguments)
    except InputError:
        raise
    except Exception as error:  # the library checks its arguments in many ways
        raise InputError(
            f"diffusers must accept the config of the network, but refuses it: "
            f"{' '.join(str(error).split()) or type(error).__name__}",
            "path",
        ) from error
    return unet


class _Exploding(ScoreNetwork):
    """A network that takes the noise level and answers the score."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        score: Tensor = self.unet(x, sigma, return_dict=False)[0]
        return _factor(sigma, x) * score


class _Preserving(ScoreNetwork):
    """A network of training times, given data in [-1, 1] that are scaled to unit variance."""

    log_levels: Tensor

    def __init__(self, unet: nn.Module, times: VpTimes, prediction: Prediction) -> None:
        super().__init__()
        self.unet, self._between, self._prediction = unet, times.between, prediction
        self._is_table = getattr(unet, "config", {}).get("time_embedding_type") == "learned"
        # Follows from the spec, so it is no weight. In float64 on every device.
        self.register_buffer("log_levels", times.log_levels, persistent=False)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        s = 2 * _factor(sigma, x)
        data = 2 * x - 1
        scale = (1 + s.square()).rsqrt()  # sqrt(ab)
        given = scale * data
        answer = self.unet(given, self._time(2 * sigma).expand(len(x)), return_dict=False)[0]
        answer = answer[:, : x.shape[1]]
        if self._prediction == "v_prediction":
            return -(scale * answer + s * scale * given)
        if self._prediction == "sample":
            return (answer - data) / s
        return -answer  # type: ignore[no-any-return]

    def _time(self, s: Tensor) -> Tensor:
        """Returns the time of a noise level for data in [-1, 1], of the shape of the level."""
        table, wanted = self.log_levels, s.to(self.log_levels.dtype).log()
        after = torch.searchsorted(table, wanted.contiguous()).clamp(1, len(table) - 1)
        low, high = table[after - 1], table[after]
        time = after - 1 + ((wanted - low) / (high - low)).clamp(0, 1)
        if self._between == "nearest":
            time = (time + 0.5).floor()
        return time.long() if self._is_table else time.to(s.dtype)


def _factor(level: Tensor, x: Tensor) -> Tensor:
    """Returns a level, () or (B,), in a shape that multiplies x."""
    return level.reshape(-1, *[1] * (x.dim() - 1)).to(x.dtype)


PREDICTIONS: tuple[str, ...] = get_args(Prediction)
BETA_SCHEDULES: tuple[str, ...] = get_args(BetaSchedule)
