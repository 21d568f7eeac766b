"""Picture grids of image batches, as PNG bytes."""

import io

from torch import Tensor

_SHOWN_PIXELS = 64


def grid_png(images: Tensor, columns: int = 8) -> bytes:
    """A grid of images, each enlarged by whole pixels to about 64 a side so that it stays sharp.

    Args:
        images: shape (N, C, H, W), C 1 or 3, values in [0, 1].
        columns: images per row.

    Returns:
        A PNG file.
    """
    # Importing torchvision takes two seconds: not in processes that draw nothing.
    from torchvision.transforms.functional import to_pil_image
    from torchvision.utils import make_grid

    enlarge = max(1, _SHOWN_PIXELS // images.shape[-1])
    big = images.repeat_interleave(enlarge, -1).repeat_interleave(enlarge, -2)
    file = io.BytesIO()
    to_pil_image(make_grid(big, nrow=columns, padding=4, pad_value=1.0)).save(file, "PNG")
    return file.getvalue()
