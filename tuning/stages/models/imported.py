"""The import of weights that were trained elsewhere: a job that reads the file once.

The job checks the file, gives every tensor our name and commits the weights to the store as
safetensors, so no later job needs the file. A spot check denoises images of the data set. The
reason is that names and shapes of the tensors do not show a wrong range of inputs or a wrong
meaning of the output; without the check, only bad samples would show such a mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn

from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.networks import Adapted, DiffusersUnet, NetworkSpec, size_of
from scorelib.schedules import Schedule
from scorelib.weights import Checkpoint, Origin, SpotCheck, Used, denoises
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage
from tuning.stages.models.score_model import ScoreModel
from tuning.stages.models.weights_file import WeightsFile, weights_path

WEIGHTS_SHA256 = "weights_sha256"
"""Name of a result: the digest of the weights as safetensors, whatever the format of the file."""

SPOT_CHECK = "spot_check"
"""Name of a result: how well the weights denoise images of the data set, in one line."""

_FILE = "weights.safetensors"
_CHECKED_IMAGES, _CHECKED_LEVELS = 4, 8


@dataclass(frozen=True, kw_only=True)
class ImportedWeights(Job, ScoreModel):
    """Weights from a file, as a model of the score of a data set.

    The result of the job holds the digest of the weights, the outcome of the spot check and what a
    reader should know of the file.

    Attributes:
        weights: the weights.
        data: data set that samples should resemble.
    """

    KIND = "ImportedWeights"
    STAGE: ClassVar[Stage] = Stage("import", 15, "train", assumed_seconds=10.0)

    weights: WeightsFile
    data: DataSpec

    @property
    def target(self) -> DataSpec:
        """The data set."""
        return self.data

    @property
    def levels(self) -> Schedule:
        """Noise levels of the training."""
        return self.weights.schedule

    @property
    def evaluation_multiply_adds(self) -> int:
        """Number of multiply-adds of one evaluation for one example."""
        return size_of(self.weights.network, self.data.shape).multiply_adds

    @property
    def architecture(self) -> str:
        """Kind of the network."""
        return self.weights.network.KIND

    @property
    def origin(self) -> str:
        """The words "imported from" with the first digits of the file's digest."""
        return f"imported from {self.weights.sha256[:8]}"

    @property
    def seeded_as(self) -> ScoreModel:
        """The model that was exported, if the file says so; else the weights themselves."""
        return Exported(imported=self) if self.weights.exported_from else self

    def needed_jobs(self) -> tuple[Job, ...]:
        """Returns the import itself."""
        return (self,)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"import {self.architecture} {self.weights.sha256[:8]}"

    def run(self, at: ExecutionContext) -> Run:
        """Reads the file among `at.weights`, checks the weights and stores them; see `Job.run`.

        Raises:
            InputError: the file is absent or cannot be used, or the weights do not denoise images
                of the data set and `at.spot_check` is set.
        """
        yield Progress(0, 2, "steps")
        checkpoint = self.weights.read(weights_path(self.weights, at.weights))
        yield Progress(1, 2, "steps")
        check = self._spot_check(checkpoint, at)
        if at.spot_check and not check.passed:
            raise InputError(
                f"the weights must denoise images of {self.data.name}; got: {check.diagnosis}; "
                "correct one of the model's settings, or import the weights as they are",
                *dict.fromkeys(f"model.{c.setting}" for c in check.likeliest),
                "data.spot_check=false",
            )
        result = {
            WEIGHTS_SHA256: checkpoint.weights_sha256,
            SPOT_CHECK: check.diagnosis,
            "format": checkpoint.format,
            "notes": "; ".join(checkpoint.notes),
        }
        return Outcome(result, {_FILE: safetensors.torch.save(dict(checkpoint.state))})

    @property
    def exported_as(self) -> Origin:
        """The model that was exported first: an export of these weights is an export of it."""
        file = self.weights
        return Origin(file.exported_from or self.key, file.exported_ema)

    def _spot_check(self, checkpoint: Checkpoint, at: ExecutionContext) -> SpotCheck:
        images, _ = at.images(self.data, "train")
        n = min(len(images), _CHECKED_IMAGES)
        spread = torch.linspace(0, len(images) - 1, n).long()  # not all of one class
        network = checkpoint.build(self.data.shape).to(at.device)
        return denoises(
            network, images[spread].to(at.device), self.levels.sigmas, used=self._used(),
            most_levels=_CHECKED_LEVELS,
        )  # fmt: skip

    def _used(self) -> Used:
        network, used = self.weights.network, Used(first_level=self.weights.first_level)
        if isinstance(network, Adapted):
            used = replace(used, answer=network.answer, value_range=network.value_range)
            network = network.network
        if isinstance(network, DiffusersUnet) and network.times:
            used = replace(used, prediction=network.prediction)
        return replace(used, centres_input=getattr(network, "centres_input", False))

    def exported(
        self, at: ExecutionContext, ema: float | None = None
    ) -> tuple[NetworkSpec, Mapping[str, Tensor]]:
        """Returns the network and its weights; see `ScoreModel.exported`."""
        return self.weights.network, safetensors.torch.load(at.read(self, _FILE))

    def score_network(self, at: ExecutionContext, ema: float | None = None) -> nn.Module:
        """Returns the network with the imported weights; see `ScoreModel.score_network`."""
        with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
            network = self.weights.network.build(self.data.shape)
        network.load_state_dict(self.exported(at)[1])
        return network.to(at.device).eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class Exported(ScoreModel):
    """A placeholder for a model that was exported and is imported again, with the model's key.

    Attributes:
        imported: the imported weights.
    """

    KIND = "Exported"

    imported: ImportedWeights

    @cached_property
    def key(self) -> str:
        """Key of the model that was exported."""
        return self.imported.weights.exported_from

    @property
    def target(self) -> DataSpec:
        """The data set."""
        return self.imported.target

    @property
    def levels(self) -> Schedule:
        """Noise levels of the training."""
        return self.imported.levels

    @property
    def decays(self) -> tuple[float, ...]:
        """The EMA decay of the exported weights, if there was one."""
        ema = self.imported.weights.exported_ema
        return () if ema is None else (ema,)

    def score_network(self, at: ExecutionContext, ema: float | None) -> nn.Module:
        """Returns the network with the imported weights; see `ScoreModel.score_network`."""
        return self.imported.score_network(at)
