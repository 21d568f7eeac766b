"""CelebA: 202,599 aligned photographs of faces, cropped as in the score-matching papers.

The aligned images have 178 x 218 pixels; the central 140 x 140 pixels are resized (bilinear,
antialiased). The files must be downloaded manually, because the terms of use forbid redistribution
and the host has a quota. The held-out split is the published test part; the validation part is not
used.

References:
    Z. Liu et al., Deep learning face attributes in the wild, 2015.
    Y. Song and S. Ermon, Improved techniques for training score-based generative models, 2020:
    source of the crop and of the use of the test part as reference for distances.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import (
    absent,
    is_there,
    missing_data,
    read_file,
    require_count,
    require_dimensions,
    require_natural,
    require_readable,
    require_size,
)
from scorelib.data.reading.decoding import decode
from scorelib.errors import MissingDataError

_CROP = 140
_SIZE = (178, 218)
"""Width and height of an aligned image in pixels."""
_MEAN = (0.506, 0.426, 0.383)
"""Mean of each channel over all aligned images, as given in public training code."""
_N_IMAGES = {"train": 162_770, "test": 19_962}


@dataclass(frozen=True, kw_only=True)
class CelebA(PixelData):
    """The CelebA data set of faces, as a single class with label 0.

    Args:
        size: height and width in pixels, at least 4.
    """

    KIND = "CelebA"
    name: ClassVar[str] = "celeba"
    n_classes: ClassVar[int] = 1

    size: int = 64

    def validate(self) -> None:
        """Raises InputError if the size is too small."""
        require_size(self.size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image: (3, `size`, `size`)."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 162,770 for training, 19,962 held out."""
        return _N_IMAGES[split]

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the folder is there; see `DataSpec.is_present`."""
        from torchvision.datasets import CelebA as Files  # imported here because it takes seconds

        return is_there((DEFAULT_ROOT if root is None else root) / Files.base_folder)

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images of a split, all with label 0; see `PixelData.pixels`."""
        from torchvision.datasets import CelebA as Files  # imported here because it takes seconds
        from torchvision.transforms.functional import center_crop, resize

        folder = (DEFAULT_ROOT if root is None else root).absolute() / Files.base_folder
        _require_files(folder)
        data = Files(folder.parent, split=split, target_type=[])
        require_count(len(data.filename), self.n_images(split), f"{folder} ({split})")
        paths = [folder / "img_align_celeba" / name for name in data.filename]
        missing = absent(paths)
        if missing:
            raise MissingDataError(
                f"{missing[0]} and {len(missing) - 1:,} other images are missing: unpack "
                f"img_align_celeba.zip again in {folder}"
            )
        images = decode(
            ((str(path), read_file(path)) for path in paths),
            len(paths),
            self.size,
            lambda image: resize(center_crop(image, _CROP), [self.size, self.size]),
            check=lambda name, image: require_dimensions(
                name, image.size, image.size == _SIZE, "178 x 218 pixels"
            ),
        )
        require_natural(images, "CelebA", folder, _MEAN)
        return images, torch.zeros(len(paths), dtype=torch.long)


def _require_files(folder: Path) -> None:
    """Raises MissingDataError if a file that torchvision's reader needs is missing or corrupt."""
    from torchvision.datasets import CelebA as Files
    from torchvision.datasets.utils import check_integrity

    lists = [(name, md5) for _, md5, name in Files.file_list if name.endswith(".txt")]
    require_readable(*(folder / name for name, _ in lists))
    bad = [name for name, md5 in lists if not check_integrity(folder / name, md5)]
    if not (folder / "img_align_celeba").is_dir():
        bad.append("img_align_celeba")
    if bad:
        raise missing_data(
            f"CelebA must be in {folder} as img_align_celeba/ (unpacked from "
            f"img_align_celeba.zip) and {', '.join(name for name, _ in lists)}, with the "
            f"published MD5 sums; missing or corrupt: {', '.join(bad)}: fetch them from "
            f"http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        )
