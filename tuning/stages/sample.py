"""The sample stage: images from a snapshot, as features, in chunks.

A `SampleSpec` has no number of images. Its images come in chunks of a fixed number, each with a
seed of its own, so that more images extend those already there and neither batch size nor the
number of workers changes a result. Within a chunk all randomness is drawn for the whole chunk, on
the CPU; only the network's evaluations are split into batches.

A chunk keeps the features and class probabilities of its raw and its denoised images (one run
gives both) and, if it is the first, pictures of both: a grid of images, or the points over those
of the data. Where a `SampleSpec` keeps pixels, images are sampled once, as these, and other chunks
take their features from there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor

from scorelib.data import DataSpec, Perturbed
from scorelib.data.files import as_floats
from scorelib.errors import require_input
from scorelib.metrics.features import Extractor, Pixels, extract, quantize
from scorelib.pictures import grid_png, scatter_png
from scorelib.samplers import (
    AnnealedSampler,
    Langevin,
    Sampler,
    SamplerState,
    ScaledScore,
    Start,
    start_images,
)
from scorelib.schedules import GeometricSchedule
from scorelib.seeds import generator_of
from scorelib.spec import Spec
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.evaluation import batched, loaded
from tuning.stages.features.extractors import build_extractor, extractor_inputs
from tuning.stages.features.reference import PICTURE_POINTS
from tuning.stages.training.score_network import Snapshot
from tuning.stages.training.snapshots import TrainedWeights


@dataclass(frozen=True, kw_only=True)
class SampleSpec(Spec):
    """Images of a snapshot by a sampler, any number of them.

    Attributes:
        model: snapshot whose weights are used.
        ema: which of its EMA decays.
        sampler: sampler with its settings.
        start: what sampling starts from.
        chunk_images: images per chunk, >= 1.
        seed: which stream of images; equal seeds share start and noise.
    """

    KIND = "SampleSpec"

    model: Snapshot
    ema: float
    sampler: Sampler
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
    def keeps_pixels(self) -> bool:
        """Whether chunks in other features rest on those in pixels."""
        return False

    @property
    def picture_columns(self) -> int:
        """Columns of the picture of its first images, which has as many rows."""
        return 8

    @property
    def target(self) -> DataSpec:
        """The data that its images are to be like."""
        return self.model.train.data

    def labels(self, n_images: int) -> Tensor | None:
        """Classes that the first images are asked for, (n_images,) int64; None: for none."""
        return None

    @property
    def evaluation_multiply_adds(self) -> int:
        """Multiply-adds of one evaluation of the score for one image."""
        return self.model.train.multiply_adds

    def inputs(self) -> tuple[TrainedWeights, ...]:
        """The weights sampled from."""
        return (self.model,)

    @property
    def epsilon(self) -> float | None:
        """Step size; None if the sampler has none that anneals."""
        return self.sampler.epsilon if isinstance(self.sampler, AnnealedSampler) else None

    @property
    def r(self) -> float | None:
        """Epsilon in units of the step that just follows the schedule; None if none does."""
        schedule = self.model.train.schedule
        if not isinstance(schedule, GeometricSchedule) or schedule.n_levels == 1:
            return None
        return self.sampler.r(schedule) if isinstance(self.sampler, AnnealedSampler) else None

    def chunks(self, n_images: int, extractor: Extractor) -> "tuple[Chunk, ...]":
        """The jobs that hold so many images, as features."""
        n_chunks = math.ceil(n_images / self.chunk_images)
        return tuple(Chunk(sample=self, index=i, extractor=extractor) for i in range(n_chunks))

    def scaled_score(self, at: ExecutionContext, index: int) -> ScaledScore:
        """The score as samplers see it, for a chunk walked whole."""
        return batched([loaded(self.model, self.ema, at)], at)


@dataclass(frozen=True, kw_only=True)
class Chunk(Job):
    """Some images of a SampleSpec, as features.

    Attributes:
        sample: what images.
        index: which chunk, >= 0.
        extractor: which features.
    """

    KIND = "Chunk"
    STAGE: ClassVar[Stage] = Stage("sample", 30, "sample", assumed_seconds=5.0)

    sample: SampleSpec
    index: int
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """The networks or the same images in pixels, and what the extractor needs."""
        images = (self.pixels,) if self.pixels else self.sample.inputs()
        return (*images, *extractor_inputs(self.extractor))

    @property
    def data(self) -> DataSpec:
        """What the images are of."""
        return self.sample.model.train.data

    @cached_property
    def pixels(self) -> "Chunk | None":
        """The chunk whose images it takes its features of; None if it samples them itself."""
        if not self.sample.keeps_pixels or isinstance(self.extractor, Pixels):
            return None
        return self.replace(extractor=Pixels(shape=self.sample.model.train.data.shape))

    @property
    def rate_name(self) -> str:
        """By the networks evaluated, if any is."""
        if self.pixels:
            return "features of pixels"
        return " ".join([self.stage, *(w.train.network.KIND for w in self.sample.inputs())])

    def title(self) -> str:
        """What this job is."""
        made = f"{self.sample.sampler.title()} #{self.index}"
        return f"features of {made}" if self.pixels else made

    def work(self) -> Work:
        """One network evaluation per image and step, if it samples."""
        train, images = self.sample.model.train, self.sample.chunk_images
        n_bytes = 2 * images * 4 * (self.extractor.n_features + self.extractor.n_classes)
        if isinstance(self.extractor, Pixels):
            n_bytes //= 4  # 8 bits each
        if self.pixels:
            return Work(n_bytes=n_bytes)
        evaluations = images * self.sample.sampler.n_evaluations(train.schedule)
        cost = float(evaluations * self.sample.evaluation_multiply_adds)
        return Work(images, evaluations, cost, n_bytes)

    def wants_gpu(self) -> bool:
        """As the training it samples from."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Samples, extracts the features, draws the pictures."""
        if self.pixels:
            shape, kept = self.sample.model.train.data.shape, self.pixels.features(at)
            images = {n: kept[f"{n}.features"].reshape(-1, *shape) for n in ("raw", "denoised")}
            return Outcome(files=self._files(images, at))
        state: SamplerState | None = None
        spec = self.sample
        total = spec.sampler.n_evaluations(spec.model.train.schedule)
        for state in walk_chunk(spec, self.index, at):
            if not torch.isfinite(state.x).all():
                return Outcome(result={"failed": f"non-finite sample at step {state.step}"})
            yield Progress(state.step, total, "steps")
        assert state is not None and state.denoised is not None
        images = {"raw": state.x.float().cpu(), "denoised": state.denoised.float().cpu()}
        if not torch.isfinite(images["denoised"]).all():
            return Outcome(result={"failed": f"non-finite sample at step {total}"})
        return Outcome(files=self._files(images, at))

    def _files(self, images: dict[str, Tensor], at: ExecutionContext) -> dict[str, bytes]:
        module = build_extractor(self.extractor, at)
        tensors, files = {}, {}
        for name, batch in images.items():
            features, probabilities = extract(module, batch, at.batch_images)
            if isinstance(self.extractor, Pixels):
                features = self.extractor.images(features).flatten(1)
            tensors[f"{name}.features"] = features.contiguous()
            tensors[f"{name}.probabilities"] = probabilities.contiguous()
            if self.index == 0:
                files[f"{name}.png"] = self._picture(name, batch, at)
        files["features.safetensors"] = safetensors.torch.save(tensors)
        return files

    def _picture(self, name: str, batch: Tensor, at: ExecutionContext) -> bytes:
        if batch.ndim == 4:
            columns = self.sample.picture_columns
            return grid_png(quantize(batch[: columns**2]), columns)
        target, sampler = self.sample.target, self.sample.sampler
        if name == "raw" and isinstance(sampler, Langevin):
            target = Perturbed(of=target, sigma=sampler.sigma)  # which it ends with
        points, _ = target.load("train", at.data_root)
        return scatter_png(points[:PICTURE_POINTS], batch[:PICTURE_POINTS])

    def features(self, at: ExecutionContext) -> dict[str, Tensor]:
        """The finished chunk's tensors: {raw, denoised}.{features, probabilities}, (n, ...)."""
        tensors = safetensors.torch.load(at.read(self, "features.safetensors"))
        return {name: as_floats(values) for name, values in tensors.items()}


def walk_chunk(spec: SampleSpec, index: int, at: ExecutionContext) -> Iterator[SamplerState]:
    """The sampler's states of a chunk, with all randomness from the chunk's own stream."""
    train = spec.model.train
    shape = (spec.chunk_images, *train.data.shape)
    stream = generator_of("sample", spec.seed, index)
    data = train.data.load("train", at.data_root)[0] if spec.start == "data" else None
    x = start_images(spec.start, shape, train.schedule.sigma_1, stream, data).to(at.device)

    def draw() -> Tensor:
        return torch.randn(shape, generator=stream).to(at.device)

    states = spec.sampler.walk(spec.scaled_score(at, index), x, train.schedule, draw)
    while True:
        # Per step, not around the loop: a generator must not leave a mode on while suspended.
        with torch.inference_mode():
            state = next(states, None)
        if state is None:
            return
        yield state
