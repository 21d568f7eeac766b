"""Inception features: the feature space of the FID and of the Inception score.

The network is the 2015 TensorFlow Inception-v3 of the original FID, in torch-fidelity's port,
which resizes as TensorFlow 1 did and agrees with it to about 1e-6 in FID. Features are the 2,048
pooled activations; class probabilities are the softmax of the logits without bias, as
the Inception score takes them.

The weights are a file of 96 MB with a published SHA-256 sum. The sum is checked before the
file is opened, and the file is read as tensors only, never unpickled.

References:
    C. Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    T. Salimans et al., Improved techniques for training GANs, 2016, section 4.
"""

import hashlib
import io
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor, nn

from scorelib.errors import InputError, MissingDataError
from scorelib.metrics.features import Extractor

WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_FILE}"
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class Inception(nn.Module):
    """The Inception network on images in [0, 1]: 2,048 features, 1,008 class probabilities.

    Args:
        weights: its state dict.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import (  # here: slow to import
            FeatureExtractorInceptionV3,
        )

        # The constructor insists on reading a file, by unrestricted unpickling. It gets one made
        # here, of tensors already read safely.
        file = io.BytesIO()
        torch.save(dict(weights), file)
        file.seek(0)
        self.network = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=file,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 2048) and probabilities (B, 1008) of images in [0, 1].

        Args:
            images: RGB, (B, 3, H, W), or grey, (B, 1, H, W), which get three equal channels.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                "Inception needs RGB or grey images of shape (B, 3 or 1, H, W), but got "
                f"{tuple(images.shape)}; score other data with a classifier's features"
            )
        pixels = (images * 255).round().to(torch.uint8)
        features, logits = self.network(pixels.expand(-1, 3, -1, -1))
        return features, logits.softmax(dim=1)


@dataclass(frozen=True, kw_only=True)
class InceptionFeatures(Extractor):
    """The FID's feature space.

    Args:
        weights_sha256: SHA-256 sum of the weights' file, 64 hexadecimal digits; the published
            one by default. Other weights are another protocol, hence a field.
    """

    KIND = "InceptionFeatures"

    weights_sha256: str = _SHA256

    def validate(self) -> None:
        """Raises InputError if the sum is no SHA-256 sum."""
        if not re.fullmatch("[0-9a-f]{64}", self.weights_sha256):
            raise InputError(
                "weights_sha256 must be 64 lower-case hexadecimal digits, but got "
                f"{self.weights_sha256!r}; `sha256sum FILE` prints them"
            )

    @property
    def name(self) -> str:
        """``inception``, with the first digits of the sum if the weights are not the FID's."""
        known = self.weights_sha256 == _SHA256
        return "inception" if known else f"inception-{self.weights_sha256[:8]}"

    @property
    def n_features(self) -> int:
        """2,048 pooled activations."""
        return 2048

    @property
    def n_classes(self) -> int:
        """1,008 outputs, a few of them unused."""
        return 1008

    @property
    def distance_name(self) -> str:
        """``fid`` with the published weights only."""
        return "fid" if self.weights_sha256 == _SHA256 else super().distance_name

    @property
    def score_name(self) -> str:
        """``is`` with the published weights only."""
        return "is" if self.weights_sha256 == _SHA256 else super().score_name

    def load_weights(self, weights_path: Path | None = None) -> dict[str, Tensor]:
        """The weights from a file whose sum has been checked.

        Args:
            weights_path: the file; if None, PyTorch's download cache, filled where needed.

        Returns:
            The state dict for `build`, on the CPU.

        Raises:
            MissingDataError: no such file, another sum, or no network to download it with.
        """
        path = self._download() if weights_path is None else weights_path
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MissingDataError(
                f"weights_path must be a readable copy of {WEIGHTS_FILE}; got {error}; "
                f"download it from {_URL}"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.weights_sha256:
            raise MissingDataError(
                f"{path} must have the SHA-256 sum {self.weights_sha256}, but has {found}; "
                f"remove it and download it again from {_URL}"
            )
        try:
            return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
            raise MissingDataError(f"{path} must hold tensors only (a state dict)") from error

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The Inception network with the given weights; see `Extractor.build`."""
        return Inception(weights).eval()

    def _download(self) -> Path:
        """The file in PyTorch's cache (``$TORCH_HOME``), downloaded there if it is missing."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_FILE
        if path.exists():
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(_URL, str(path), self.weights_sha256, progress=False)
        except (OSError, RuntimeError, HTTPException) as error:
            raise MissingDataError(
                f"the Inception weights must be at {path}, but are not there and the download "
                f"failed ({error}): fetch {WEIGHTS_FILE} from {_URL} by other means and put it "
                "there, or name the file as data.inception_weights",
                "data.inception_weights",
            ) from error
        return path
