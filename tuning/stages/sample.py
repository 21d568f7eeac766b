"""The sample stage: images from a snapshot, as features, in chunks.

A `SampleSpec` has no number of images. Its images come in chunks of a fixed number, each with a
seed of its own, so that more images extend those already there and neither batch size nor the
number of workers changes a result. Within a chunk all randomness is drawn for the whole chunk, on
the CPU; only the network's evaluations are split into batches.

A chunk keeps the features and class probabilities of its raw and its denoised images (one run
gives both) and, if it is the first, pictures of both: a grid of images, or the points over those
of the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn

from scorelib.metrics.features import Extractor, extract, quantize
from scorelib.pictures import grid_png, scatter_png
from scorelib.samplers import AnnealedSampler, SamplerState, Start, start_images
from scorelib.schedules import GeometricSchedule
from scorelib.seeds import generator_of
from scorelib.spec import Spec
from tuning.jobs import Job, Outcome, Progress, Run, Work, Workplace, failure_of, require_input
from tuning.stages.reference import build_extractor, extractor_inputs
from tuning.stages.train import Snapshot

PICTURE_IMAGES = 64
"""Images in the picture grid of a first chunk."""

PICTURE_POINTS = 500
"""Points of the chunk, and of the data, in its picture where examples are vectors."""


@dataclass(frozen=True, kw_only=True)
class SampleSpec(Spec):
    """Images of a snapshot by a sampler, any number of them.

    Attributes:
        model: snapshot whose weights are used.
        ema: which of its EMA decays.
        sampler: sampler with its step size.
        start: what sampling starts from.
        chunk_images: images per chunk, >= 1.
        seed: which stream of images; equal seeds share start and noise.
    """

    model: Snapshot
    ema: float
    sampler: AnnealedSampler
    start: Start = "noise"
    chunk_images: int = 500
    seed: int = 0

    def validate(self) -> None:
        """Refuses step sizes theory does not admit and EMA decays that were not kept."""
        self.sampler.require_admissible(self.model.train.schedule)
        require_input(
            self.ema in self.model.train.ema,
            f"ema must be one of the decays kept in training, {self.model.train.ema}; "
            f"got {self.ema}",
        )
        require_input(
            self.chunk_images >= 1, f"chunk_images must be at least 1; got {self.chunk_images}"
        )

    @property
    def r(self) -> float | None:
        """Epsilon in units of the step that just follows the trained schedule.

        None where no single step follows it: if it is not geometric, or of one level.
        """
        schedule = self.model.train.schedule
        if not isinstance(schedule, GeometricSchedule) or schedule.n_levels == 1:
            return None
        return self.sampler.r(schedule)


@dataclass(frozen=True, kw_only=True)
class Chunk(Job):
    """Some images of a SampleSpec, as features.

    Attributes:
        sample: what images.
        index: which chunk, >= 0.
        extractor: which features.
    """

    stage: ClassVar[str] = "sample"

    sample: SampleSpec
    index: int
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """The snapshot, and what the extractor needs."""
        return (self.sample.model, *extractor_inputs(self.extractor))

    def title(self) -> str:
        """What this job is."""
        sampler = self.sample.sampler
        name = type(sampler).__name__.lower()
        return f"{name} n_sigma={sampler.n_sigma} epsilon={sampler.epsilon:.2g} #{self.index}"

    def work(self) -> Work:
        """One network evaluation per image and step."""
        train, images = self.sample.model.train, self.sample.chunk_images
        evaluations = images * self.sample.sampler.n_evaluations(train.schedule)
        n_bytes = 2 * images * 4 * (self.extractor.n_features + self.extractor.n_classes)
        return Work(images, evaluations, float(evaluations * train.multiply_adds), n_bytes)

    def wants_gpu(self) -> bool:
        """As the training it samples from."""
        return self.sample.model.wants_gpu()

    def run(self, at: Workplace) -> Run:
        """Samples, extracts the features, draws the pictures."""
        failed = failure_of(at, *self.inputs())
        if failed is not None:
            return Outcome(result={"failed": failed})
        state: SamplerState | None = None
        spec = self.sample
        total = spec.sampler.n_evaluations(spec.model.train.schedule)
        for state in _walk(spec, self.index, at):
            if not torch.isfinite(state.x).all():
                return Outcome(result={"failed": f"non-finite sample at step {state.step}"})
            yield Progress(state.step, total, "steps")
        assert state is not None and state.denoised is not None
        images = {"raw": state.x.float().cpu(), "denoised": state.denoised.float().cpu()}
        if not torch.isfinite(images["denoised"]).all():
            return Outcome(result={"failed": f"non-finite sample at step {total}"})
        return Outcome(files=self._files(images, at))

    def _files(self, images: dict[str, Tensor], at: Workplace) -> dict[str, bytes]:
        module = build_extractor(self.extractor, at)
        tensors, files = {}, {}
        for name, batch in images.items():
            features, probabilities = extract(module, batch, at.batch_images)
            tensors[f"{name}.features"] = features.contiguous()
            tensors[f"{name}.probabilities"] = probabilities.contiguous()
            if self.index == 0:
                files[f"{name}.png"] = self._picture(batch, at)
        files["features.safetensors"] = safetensors.torch.save(tensors)
        return files

    def _picture(self, batch: Tensor, at: Workplace) -> bytes:
        if batch.ndim == 4:
            return grid_png(quantize(batch[:PICTURE_IMAGES]))
        points, _ = self.sample.model.train.data.load("train", at.data_root)
        return scatter_png(points[:PICTURE_POINTS], batch[:PICTURE_POINTS])

    def features(self, at: Workplace) -> dict[str, Tensor]:
        """The finished chunk's tensors: {raw, denoised}.{features, probabilities}, (n, ...)."""
        tensors: dict[str, Tensor] = safetensors.torch.load(at.read(self, "features.safetensors"))
        return tensors


def _walk(spec: SampleSpec, index: int, at: Workplace):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The sampler's states of a chunk, with all randomness from the chunk's own stream."""
    train = spec.model.train
    shape = (spec.chunk_images, *train.data.shape)
    stream = generator_of("sample", spec.seed, index)
    data = train.data.load("train", at.data_root)[0] if spec.start == "data" else None
    x = start_images(spec.start, shape, train.schedule.sigma_1, stream, data).to(at.device)
    network = _load(spec, at)

    def draw() -> Tensor:
        return torch.randn(shape, generator=stream).to(at.device)

    states = spec.sampler.walk(batched(network, at), x, train.schedule, draw)
    while True:
        # Per step, not around the loop: a generator must not leave a mode on while suspended.
        with torch.inference_mode():
            state = next(states, None)
        if state is None:
            return
        yield state


def _load(spec: SampleSpec, at: Workplace) -> nn.Module:
    network = spec.model.train.build()
    network.load_state_dict(spec.model.weights(at, spec.ema))
    network = laid_out(network.to(at.device), spec.model.train.data.shape)
    network = network.eval().requires_grad_(False)
    return torch.compile(network) if at.compile else network  # type: ignore[return-value]


def laid_out(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The network with its weights in channels-last memory, if its inputs are images."""
    if len(shape) != 3:
        return network
    return network.to(memory_format=torch.channels_last)


def batched(network: nn.Module, at: Workplace) -> Callable[[Tensor, float], Tensor]:
    """The network as samplers see it, evaluated in batches the device can hold."""
    device_type = torch.device(at.device).type

    def scaled_score(x: Tensor, sigma: float) -> Tensor:
        level = torch.tensor(sigma, dtype=x.dtype, device=x.device)
        with torch.autocast(device_type, torch.bfloat16, enabled=at.autocast):
            parts = [
                network(_channels_last(part), level) for part in torch.split(x, at.batch_images)
            ]
        return torch.cat(parts).to(x.dtype)

    return scaled_score


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
