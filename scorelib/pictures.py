"""Pictures of batches as PNG bytes: grids of images and scatter plots of points in the plane.

Equal batches give equal files, because no date or version is written into a file.
"""

import io

from torch import Tensor

_SHOWN_PIXELS = 64
_LINE_PIXELS = 4
_MARGIN = 0.25


def grid_png(images: Tensor, columns: int = 8) -> bytes:
    """Draws a grid of images.

    Each image is enlarged by an integer factor, to at most 64 pixels in width unless it is larger
    already, so that its pixels stay sharp.

    Args:
        images: shape (N, C, H, W), C = 1 or 3, values in [0, 1].
        columns: number of images per row.

    Returns:
        The content of a PNG file.
    """
    # Imported here, not in processes that draw nothing. torchvision's `make_grid` would import the
    # machinery of `torch.compile`, which takes more than a second of every worker's start.
    from PIL import Image

    enlarge = enlargement(images.shape[-1])
    big = images.repeat_interleave(enlarge, -1).repeat_interleave(enlarge, -2)
    pixels = _grid(big.mul(255).byte(), columns).permute(1, 2, 0).contiguous()
    file = io.BytesIO()
    Image.fromarray(pixels.numpy(force=True), "RGB").save(file, "PNG")
    return file.getvalue()


def _grid(pixels: Tensor, columns: int) -> Tensor:
    """Returns colour images in rows with white lines around them; a single image has no lines.

    Args:
        pixels: shape (N, C, H, W), C = 1 or 3, uint8.
        columns: number of images per row.

    Returns:
        Pixels (3, height, width), uint8.
    """
    n, _, height, width = pixels.shape
    if n == 1:
        return pixels[0].expand(3, -1, -1)
    columns = min(columns, n)
    step_y, step_x = height + _LINE_PIXELS, width + _LINE_PIXELS
    size = (3, -(-n // columns) * step_y + _LINE_PIXELS, columns * step_x + _LINE_PIXELS)
    grid = pixels.new_full(size, 255)
    for number, image in enumerate(pixels):
        top = number // columns * step_y + _LINE_PIXELS
        left = number % columns * step_x + _LINE_PIXELS
        grid[:, top : top + height, left : left + width] = image
    return grid


def enlargement(width: int) -> int:
    """Returns the factor by which `grid_png` enlarges images of a width in pixels."""
    return max(1, _SHOWN_PIXELS // width)


def scatter_png(data: Tensor, samples: Tensor) -> bytes:
    """Draws the points of the data as circles and the samples as crosses over them.

    The axes span the range of the data, widened by a quarter on each side, so that pictures of
    different samples of one data set are comparable. The title states the number of samples outside
    the axes.

    Args:
        data: data points, shape (N, 2), N >= 1, data units.
        samples: generated points, shape (M, 2), data units.

    Returns:
        The content of a PNG file of 600 x 600 pixels.

    References:
        Jolicoeur-Martineau et al. (2021), Figure 2.
    """
    # Imported here, not in processes that draw nothing. Without pyplot there is no global state to
    # share or to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low, high = data.min(dim=0).values, data.max(dim=0).values
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    n_beyond = ((samples < low) | (samples > high)).any(dim=1).sum().item()
    figure = Figure(figsize=(5, 5), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.11, 0.14, 0.86, 0.79))  # fixed: a layout engine draws twice
    (x, y), (sample_x, sample_y) = data.T.numpy(), samples.T.numpy()
    axes.scatter(x, y, s=22, facecolors="none", edgecolors="0.55", label="data")
    axes.scatter(sample_x, sample_y, s=22, marker="x", color="tab:red", label="samples")
    axes.set(xlim=(low[0].item(), high[0].item()), ylim=(low[1].item(), high[1].item()))
    axes.set(aspect="equal", title=f"{n_beyond} of {len(samples)} samples are beyond the frame")
    figure.legend(loc="lower center", ncols=2)  # covers no sample
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
