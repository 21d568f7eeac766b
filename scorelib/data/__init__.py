"""Data sets: embedded and synthetic data sets, which need no download, and data sets in files."""

from scorelib.data.base import DataSpec, Split
from scorelib.data.celeba import CelebA
from scorelib.data.cifar import Cifar10, Cifar100
from scorelib.data.derived import OneClass, Perturbed
from scorelib.data.digits import Digits
from scorelib.data.ffhq import Ffhq
from scorelib.data.files import PixelData
from scorelib.data.lsun import Lsun
from scorelib.data.mnist import Mnist
from scorelib.data.own import IdxFiles, ImageFolder, own_data
from scorelib.data.photographs import Photographs
from scorelib.data.stacked import Stacked
from scorelib.data.toys import Gaussians, Moons, SwissRoll, Toy

__all__ = [
    "CelebA",
    "Cifar10",
    "Cifar100",
    "DataSpec",
    "Digits",
    "Ffhq",
    "Gaussians",
    "IdxFiles",
    "ImageFolder",
    "Lsun",
    "Mnist",
    "Moons",
    "OneClass",
    "Perturbed",
    "Photographs",
    "PixelData",
    "Split",
    "Stacked",
    "SwissRoll",
    "Toy",
    "own_data",
]
