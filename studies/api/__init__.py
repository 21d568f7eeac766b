"""The Python interface: functions and objects for scripts and notebooks.

Errors of the user are raised as `scorelib.errors.InputError`. The interface puts the layers
together, as the command line does, and holds no logic of its own.
"""

from studies.api.cell import CellResult
from studies.api.contents import StoreContents, open
from studies.api.launching import launch
from studies.api.results import Run

__all__ = ["CellResult", "Run", "StoreContents", "launch", "open"]
