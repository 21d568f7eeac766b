"""Data sets: embedded ones that need no download (`Digits`, `Photographs`) and `Cifar10`."""

from scorelib.data.base import DataSpec, Split
from scorelib.data.cifar10 import Cifar10
from scorelib.data.digits import Digits
from scorelib.data.photographs import Photographs

__all__ = ["Cifar10", "DataSpec", "Digits", "Photographs", "Split"]
