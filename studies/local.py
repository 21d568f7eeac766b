"""Settings that say where and how a study runs, and are no part of any result's identity.

They stand beside a study's specs so that ``--set`` reaches them, but no job's key holds them.
"""

from dataclasses import dataclass

from scorelib.errors import InputError
from scorelib.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Files(Spec):
    """Where files lie.

    Attributes:
        root: folder of the data set; None for ./data.
        inception_weights: file of the Inception weights; None to let them be fetched.
    """

    root: str | None = None
    inception_weights: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExecutionSettings(Spec):
    """How networks are evaluated.

    Attributes:
        batch_images: images per network call when sampling, >= 1.
        autocast: bfloat16 where that is safe: faster on recent GPUs, results change in the third
            digit.
        compile: torch.compile the network: pays off for long sampling on GPUs.
    """

    batch_images: int = 500
    autocast: bool = False
    compile: bool = False

    def validate(self) -> None:
        """Refuses empty batches."""
        if self.batch_images < 1:
            raise InputError(f"batch_images must be at least 1; got {self.batch_images}")
