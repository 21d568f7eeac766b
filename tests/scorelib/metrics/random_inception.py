"""Random weights of Inception in the published format, for tests without a network."""

import hashlib

import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

_LAST = tuple(
    f"Mixed_7c.branch{branch}.bn"
    for branch in ("1x1", "3x3_2a", "3x3_2b", "3x3dbl_3a", "3x3dbl_3b", "_pool")
)


class Unloaded(fidelity.FeatureExtractorInceptionV3):
    """The network of torch-fidelity before its weights are read."""

    def load_state_dict(self, weights):
        assert weights == {}


def save_random_weights(path, *, n_alive=None):
    """Writes a file with random weights, scaled so that activations stay of order one.

    Args:
        path: the file.
        n_alive: number of features of each of the six last layers that are not zero; None for all.

    Returns:
        The file's SHA-256.
    """
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *a, **k: {})
        network = Unloaded("x", ["2048"])
    weights = network.state_dict()
    for name, value in weights.items():
        if name.endswith("conv.weight"):
            value *= 6**0.5
        if n_alive is not None and name.startswith(_LAST) and name.endswith(("weight", "bias")):
            value[n_alive:] = 0
    torch.save(weights, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
