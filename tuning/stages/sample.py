"""The sample stage: samples images from a score model in chunks, and stores their features.

A `SampleSpec` does not fix the number of images. Its images come in chunks of a fixed size, each
with its own seed. Further images therefore extend the existing ones. The number of workers changes
no result, and the batch size changes results only by rounding errors. All random numbers of a chunk
are drawn for the whole chunk, on the CPU; only the network evaluations are split into batches.

A chunk stores the features and class probabilities of its raw and its denoised images; one sampling
run yields both. The first chunk also stores pictures of both: a grid of images, or a scatter plot
of points over the data. If a `SampleSpec` keeps pixels, the images are sampled once and stored as
pixels, and the chunks of other features are computed from the stored pixels.
"""

import contextlib
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor

from scorelib.data import DataSpec, Perturbed
from scorelib.data.files import as_floats
from scorelib.devices.ahead import ahead
from scorelib.devices.precision import Precision
from scorelib.errors import require_input
from scorelib.limits import MOST_CHUNKS
from scorelib.metrics.features import Extractor, Pixels, extract, quantize
from scorelib.pictures import grid_png, scatter_png
from scorelib.samplers import (
    AnnealedSampler,
    EpsilonSampler,
    Langevin,
    Sampler,
    SamplerState,
    ScaledScore,
    Start,
    start_images,
)
from scorelib.samplers.batches import batched
from scorelib.seeds import generator_of
from scorelib.spec import Spec, added_later
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.evaluation import loaded
from tuning.stages.features.extractors import build_extractor, extractor_inputs
from tuning.stages.features.reference import PICTURE_POINTS
from tuning.stages.models.score_model import ScoreModel

CHECK_EVERY_STEPS = 20
"""Number of steps between two checks for values that are not finite; a check waits for the device.

The check finds the first step with such values, wherever it was.
"""


@dataclass(frozen=True, kw_only=True)
class SampleSpec(Spec):
    """A stream of images that a sampler draws from a score model, of any length.

    Attributes:
        model: score model, such as a snapshot of a training.
        ema: EMA decay of the weights, one of `model.decays`; None if the model has none.
        sampler: sampler with its settings.
        start: distribution of the first iterate; see `scorelib.samplers.Start`.
        chunk_images: images per chunk, >= 1.
        seed: seed of the stream; equal seeds share the first iterate and the noise.
        precision: precision in which networks compute; iterates and noise are in float32.
    """

    KIND = "SampleSpec"

    model: ScoreModel
    ema: float | None
    sampler: Sampler
    start: Start = "noise"
    chunk_images: int = 500
    seed: int = 0
    precision: Precision = added_later("float32")

    def validate(self) -> None:
        """Raises InputError for an inadmissible step size, an unknown EMA decay or empty chunks."""
        self.sampler.require_admissible(self.model.levels)
        require_input(
            self.ema in (self.model.decays or (None,)),
            f"ema must be one of the decays kept in training, {self.model.decays}, "
            f"but got {self.ema}"
            if self.model.decays
            else f"ema must be None, as the model has no choice of averages, but got {self.ema}",
        )
        require_input(
            self.chunk_images >= 1, f"chunk_images must be at least 1, but got {self.chunk_images}"
        )

    @property
    def keeps_pixels(self) -> bool:
        """Whether images are stored as pixels, from which chunks of other features are computed."""
        return False

    @property
    def picture_columns(self) -> int:
        """Number of columns, and of rows, of the picture of the first images."""
        return 8

    @property
    def target(self) -> DataSpec:
        """Data set that the images should resemble."""
        return self.model.target

    def labels(self, n_images: int) -> Tensor | None:
        """Returns the requested classes of the first images, (n_images,) int64; None without."""
        return None

    @property
    def evaluation_multiply_adds(self) -> int:
        """Number of multiply-adds of one score evaluation for one image."""
        return self.model.evaluation_multiply_adds

    def inputs(self) -> tuple[Job, ...]:
        """Returns the jobs whose results sampling reads: the weights of its networks."""
        return self.model.needed_jobs()

    @property
    def architectures(self) -> tuple[str, ...]:
        """Kinds of the networks that sampling evaluates."""
        return (self.model.architecture,)

    @property
    def epsilon(self) -> float | None:
        """Step size epsilon; None for samplers without one."""
        return self.sampler.epsilon if isinstance(self.sampler, EpsilonSampler) else None

    @property
    def r(self) -> float | None:
        """Step size in units of the step that just follows the schedule; `scorelib.step_size`.

        None unless the sampler is annealed, and for a sampler with one epsilon unless the schedule
        is geometric with several levels.
        """
        if not isinstance(self.sampler, AnnealedSampler):
            return None
        return self.sampler.relative_step(self.model.levels)

    def chunks(self, n_images: int, extractor: Extractor) -> "tuple[Chunk, ...]":
        """Returns the jobs that together hold the first images of the stream, as features.

        Args:
            n_images: number of images; the last chunk may hold more than are needed.
            extractor: feature extractor.
        """
        n_chunks = math.ceil(n_images / self.chunk_images)
        require_input(
            n_chunks <= MOST_CHUNKS,
            f"chunk_images must divide the images into at most {MOST_CHUNKS:,} chunks, but "
            f"{self.chunk_images:,} divides {n_images:,} into {n_chunks:,}: raise chunk_images",
        )
        return tuple(Chunk(sample=self, index=i, extractor=extractor) for i in range(n_chunks))

    def scaled_score(self, at: ExecutionContext, index: int) -> ScaledScore:
        """Returns the scaled score for one chunk, whose images are passed all at once.

        Args:
            at: execution context that holds the weights.
            index: index of the chunk, >= 0.

        Returns:
            A function from x, (chunk_images, ...), and the noise level sigma to sigma * score, of
            the shape of x.

        Raises:
            MissingInputError: weights are not stored, or were found corrupt.
        """
        network = loaded(self.model, self.ema, at)
        return batched([network], self.precision, at.images_per_call(self.model.target.shape))


@dataclass(frozen=True, kw_only=True)
class Chunk(Job):
    """A chunk of consecutive images of a `SampleSpec`, as features.

    Attributes:
        sample: stream of images.
        index: index of the chunk, >= 0.
        extractor: feature extractor.
    """

    KIND = "Chunk"
    STAGE: ClassVar[Stage] = Stage("sample", 30, "sample", assumed_seconds=5.0)

    sample: SampleSpec
    index: int
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """Returns the networks, or the chunk of pixels, and the inputs of the extractor."""
        images = (self.pixels,) if self.pixels else self.sample.inputs()
        return (*images, *extractor_inputs(self.extractor))

    @property
    def data(self) -> DataSpec:
        """Data set that the score model is of."""
        return self.sample.model.target

    @cached_property
    def pixels(self) -> "Chunk | None":
        """The chunk of pixels to extract the features from; None if this chunk samples images."""
        if not self.sample.keeps_pixels or isinstance(self.extractor, Pixels):
            return None
        return self.replace(extractor=Pixels(shape=self.sample.model.target.shape))

    @property
    def rate_name(self) -> str:
        """Name of the measured rate, by the kinds of networks and their precision."""
        if self.pixels:
            return "features of pixels"
        precision = self.sample.precision
        named = [] if precision == "float32" else [precision]
        return " ".join([self.stage, *self.sample.architectures, *named])

    def title(self) -> str:
        """Returns the title shown for the job."""
        made = f"{self.sample.sampler.title()} #{self.index}"
        return f"features of {made}" if self.pixels else made

    def work(self) -> Work:
        """Returns the cost: one evaluation per image and update, or none with stored pixels."""
        levels, images = self.sample.model.levels, self.sample.chunk_images
        n_bytes = 2 * images * 4 * (self.extractor.n_features + self.extractor.n_classes)
        if isinstance(self.extractor, Pixels):
            n_bytes //= 4  # stored in 8 bits each
        if self.pixels:
            return Work(n_bytes=n_bytes)
        evaluations = images * self.sample.sampler.n_evaluations(levels)
        cost = float(evaluations * self.sample.evaluation_multiply_adds)
        return Work(images, evaluations, cost, n_bytes)

    def wants_gpu(self) -> bool:
        """Returns whether the score network needs a GPU."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Samples the images, extracts their features and draws the pictures; see `Job.run`.

        The result is a failure if the sampler yields values that are not finite.
        """
        if self.pixels:
            shape, kept = self.sample.model.target.shape, self.pixels.features(at)
            images = {n: kept[f"{n}.features"].reshape(-1, *shape) for n in ("raw", "denoised")}
            return Outcome(files=self._files(images, at))
        state: SamplerState | None = None
        spec = self.sample
        total = spec.sampler.n_evaluations(spec.model.levels)
        n_finite = torch.zeros((), dtype=torch.int64, device=at.device)
        is_finite = torch.ones((), dtype=torch.bool, device=at.device)
        states = walk_chunk(spec, self.index, at)
        with contextlib.closing(states):
            for state in states:
                is_finite &= torch.isfinite(state.x).all()
                n_finite += is_finite
                if state.step % CHECK_EVERY_STEPS == 0 or state.denoised is not None:
                    found = int(n_finite)
                    if found < state.step:
                        return Outcome(result={"failed": f"non-finite sample at step {found + 1}"})
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
            target = Perturbed(of=target, sigma=sampler.sigma)  # the noise at the end
        points, _ = at.images(target, "train")
        return scatter_png(points[:PICTURE_POINTS], batch[:PICTURE_POINTS])

    def features(self, at: ExecutionContext) -> dict[str, Tensor]:
        """Returns the features and class probabilities of the finished chunk, of n images.

        Returns:
            "raw.features" and "denoised.features", (n, d), and "raw.probabilities" and
            "denoised.probabilities", (n, K), float32.

        Raises:
            MissingInputError: the chunk is not stored, or was found corrupt.
        """
        tensors = safetensors.torch.load(at.read(self, "features.safetensors"))
        return {name: as_floats(values) for name, values in tensors.items()}


def walk_chunk(
    spec: SampleSpec, index: int, at: ExecutionContext
) -> Generator[SamplerState, None, None]:
    """Yields the sampler's states of a chunk; all random numbers come from the chunk's own seed.

    On a GPU a thread draws the noise ahead; it ends with the generator.

    Args:
        spec: stream of images.
        index: index of the chunk, >= 0.
        at: execution context.

    Yields:
        The state after each update, (chunk_images, ...), the last one with denoised images.

    Raises:
        MissingInputError: weights are not stored, or were found corrupt.
    """
    target, levels = spec.model.target, spec.model.levels
    shape = (spec.chunk_images, *target.shape)
    stream = generator_of("sample", spec.seed, index)
    data = at.images(target, "train")[0] if spec.start == "data" else None
    x = start_images(spec.start, shape, levels.sigma_1, stream, data).to(at.device)

    def noises() -> Iterator[Tensor]:
        while True:
            yield torch.randn(shape, generator=stream)

    with contextlib.closing(ahead(noises(), torch.device(at.device))) as drawn:
        scaled_score = spec.scaled_score(at, index)
        states = spec.sampler.walk(scaled_score, x, levels, lambda: next(drawn))
        while True:
            # Per step, not around the loop: a suspended generator must not leave the mode enabled.
            with torch.inference_mode():
                state = next(states, None)
            if state is None:
                return
            yield state
