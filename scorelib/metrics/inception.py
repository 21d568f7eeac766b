"""Inception features: the feature space of the FID and of the Inception score.

The FID (Frechet Inception distance) compares the features of generated and of real images. The
Inception score is computed from class probabilities.

The network is the 2015 TensorFlow Inception-v3 of the original FID, in the PyTorch port of
torch-fidelity. The port resizes images as TensorFlow 1 did; its FIDs agree with those of the
original to about 1e-6. The features are the 2,048 activations of the last pooling layer. The class
probabilities are the softmax of the logits without bias, as in the original Inception score.

The weights are a file of 96 MB with a published SHA-256 sum. The sum is checked before the file is
loaded, and only tensors are loaded, without unrestricted unpickling.

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
from typing import ClassVar

import torch
from torch import Tensor, nn

from scorelib.errors import InputError, MissingDataError
from scorelib.metrics.features import Extractor

WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS_FILE}"
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class Inception(nn.Module):
    """The Inception network for images in [0, 1], with 2,048 features and 1,008 classes.

    Args:
        weights: state dict of the network.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import (  # imported here: slow
            FeatureExtractorInceptionV3,
        )

        # The constructor always reads a file, by unrestricted unpickling. It is given a file
        # written here, from tensors that were loaded safely.
        file = io.BytesIO()
        torch.save(dict(weights), file)
        file.seek(0)
        self.network = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=file,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features and class probabilities of images.

        Args:
            images: RGB images, (B, 3, H, W), or grey images, (B, 1, H, W), in [0, 1]. Grey images
                get three equal channels.

        Returns:
            Features, (B, 2048), and probabilities, (B, 1008).

        Raises:
            InputError: the images have another shape.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                "Inception needs RGB or grey images of shape (B, 3 or 1, H, W), but got "
                f"{tuple(images.shape)}; for other data, use another extractor, such as "
                "ClassifierFeatures"
            )
        pixels = (images * 255).round().to(torch.uint8)
        features, logits = self.network(pixels.expand(-1, 3, -1, -1))
        return features, logits.softmax(dim=1)


@dataclass(frozen=True, kw_only=True)
class InceptionFeatures(Extractor):
    """The feature space of the FID.

    Args:
        weights_sha256: SHA-256 sum of the weights file, 64 hexadecimal digits; by default the
            published sum. It is a field because other weights give other results.
    """

    KIND = "InceptionFeatures"
    needs_gpu: ClassVar[bool] = True

    weights_sha256: str = _SHA256

    def validate(self) -> None:
        """Raises InputError if `weights_sha256` is not a SHA-256 sum."""
        if not re.fullmatch("[0-9a-f]{64}", self.weights_sha256):
            raise InputError(
                "weights_sha256 must be 64 lower-case hexadecimal digits, but got "
                f"{self.weights_sha256!r}; `sha256sum FILE` prints them"
            )

    @property
    def name(self) -> str:
        """``inception`` for the published weights; otherwise followed by 8 digits of the sum."""
        known = self.weights_sha256 == _SHA256
        return "inception" if known else f"inception-{self.weights_sha256[:8]}"

    @property
    def n_features(self) -> int:
        """2,048 pooled activations."""
        return 2048

    @property
    def n_classes(self) -> int:
        """1,008 classes; a few of them are unused."""
        return 1008

    @property
    def distance_name(self) -> str:
        """``fid`` for the published weights, else ``fd[...]``."""
        return "fid" if self.weights_sha256 == _SHA256 else super().distance_name

    @property
    def score_name(self) -> str:
        """``is`` for the published weights, else ``is[...]``."""
        return "is" if self.weights_sha256 == _SHA256 else super().score_name

    def load_weights(self, weights_path: Path | None = None) -> dict[str, Tensor]:
        """Loads the weights from a file after checking its SHA-256 sum.

        Args:
            weights_path: path of the weights file. If None, the file in PyTorch's download cache
                is used and downloaded if necessary.

        Returns:
            The state dict for `build`, on the CPU.

        Raises:
            MissingDataError: the file is missing, has another sum, does not hold tensors, or cannot
                be downloaded.
        """
        path = self._download() if weights_path is None else weights_path
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MissingDataError(
                f"data.inception_weights must name a readable copy of {WEIGHTS_FILE}, but reading "
                f"{path} failed ({error.strerror}): mend its permissions or the disk, or download "
                f"the file from {_URL}",
                "data.inception_weights",
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.weights_sha256:
            raise MissingDataError(
                f"{path} must have the SHA-256 sum {self.weights_sha256}, but has {found}; "
                f"remove the file and download it again from {_URL}"
            )
        try:
            return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
            raise MissingDataError(f"{path} must hold tensors only (a state dict)") from error

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the Inception network with the given weights; see `Extractor.build`."""
        return Inception(weights).eval()

    def _download(self) -> Path:
        """Returns the path in PyTorch's cache (``$TORCH_HOME``); downloads the file if missing."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_FILE
        try:
            if path.exists():
                return path
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
