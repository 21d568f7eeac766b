"""Studies: one module per table or figure of a paper, the reported numbers, the command line.

The Python interface, for scripts and notebooks (see `studies.api` and ``docs/python.md``)::

    import studies

    run = studies.launch("cifar_sampling_eps", store="store")   # runs the study, or continues it
    run.table()                                                 # its numbers as a pandas DataFrame
    studies.open("store")                                       # what a store holds

``import studies`` is cheap: PyTorch, Ray, MLflow and pandas are imported at the first use of one of
these names.
"""

from studies import early as early  # first: Ctrl-C may come during the imports below

# isort: split
import logging
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.api import CellResult, Run, StoreContents, launch, open

__all__ = ["CellResult", "Run", "StoreContents", "launch", "open"]


def __getattr__(name: str) -> Any:
    """Returns a name of the Python interface (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # In a notebook, tqdm and Ray would advise at their import to install widgets, which the launch
    # does not use.
    warnings.filterwarnings("ignore", message="IProgress not found")
    logging.getLogger("ray.widgets").setLevel(logging.WARNING)
    from studies import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
