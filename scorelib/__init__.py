"""Score-based generative models in PyTorch.

The package contains noise schedules, networks, losses, samplers, training, metrics and data sets.
It does not depend on Ray, Optuna, MLflow or any study.
"""

import importlib
from typing import Any

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """`scorelib.weights.load` as ``scorelib.load``, imported when asked for."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("scorelib.weights").load
