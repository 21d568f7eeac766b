"""Convolutions of 3x3 pixels on a CPU by Winograd's algorithm, with a quarter of the products.

Four neighbouring results y of a filter g on pixels d take six products instead of twelve:

    m0 = (4 d0 - 5 d2 + d4) g0 / 4                               y0 = m0 + m1 + m2 + m3 + m4
    m1 = (d4 - 4 d2 + d3 - 4 d1) (-g0 - g1 - g2) / 6             y1 = m1 - m2 + 2 (m3 - m4)
    m2 = (d4 - 4 d2 - d3 + 4 d1) (-g0 + g1 - g2) / 6             y2 = m1 + m2 + 4 (m3 + m4)
    m3 = (d4 - d2 + 2 (d3 - d1)) (g0 + 2 g1 + 4 g2) / 24         y3 = m1 - m2 + 8 (m3 - m4) + m5
    m4 = (d4 - d2 - 2 (d3 - d1)) (g0 - 2 g1 + 4 g2) / 24
    m5 = (4 d1 - 5 d3 + d5) g2                                   y_i = d_i g0 + d_{i+1} g1 + ...

Along both axes, 4x4 results take 36 products instead of 144. Each of the 36 is a product of
matrices over all tiles and channels. PyTorch's convolution works at the peak rate of the processor,
so only fewer products are faster. With 64 channels or more, the sums take less time than they save.

The rounding errors are two to five times those of PyTorch's convolution: the output of NCSNv2 and
of the U-Net, width 64, moved by 2e-6 to 4e-6 of its size.

References:
    Lavin and Gray 2016, Fast algorithms for convolutional neural networks, F(4x4, 3x3).
"""

import math

import torch
from torch import Tensor, nn
from torch.overrides import has_torch_function

_FILTERS = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))
"""The filter's factors of m0 to m5, times 24."""

FEWEST_CHANNELS = 64
"""Fewest channels, of the input and of the output, with which the algorithm saves time."""

FEWEST_TILES = 256
"""Fewest tiles of 4x4 pixels in a call with which the algorithm saves time.

Every call transforms the filters anew.
"""

MOST_VALUES = 2**17
"""Largest number of values that are convolved together: ten times as many fit into a cache."""


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution with zeros around the image, so that the size stays.

    Args:
        n_in: number of channels of the input.
        n_out: number of channels of the output.
        dilation: distance of the pixels under the filter.
        bias: whether a constant is added to each channel.
    """

    def __init__(self, n_in: int, n_out: int, *, dilation: int = 1, bias: bool = True) -> None:
        super().__init__(n_in, n_out, 3, padding=dilation, dilation=dilation, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the convolution of x, (B, n_in, H, W), shape (B, n_out, H, W)."""
        if self.dilation == (1, 1) and _is_faster(x, self.weight):
            return convolved(x, self.weight, self.bias)
        return super().forward(x)


def _is_faster(x: Tensor, weight: Tensor) -> bool:
    """Returns whether Winograd's algorithm applies to x, (B, C, H, W), and saves time."""
    return (
        not torch.is_grad_enabled()  # in training, the gradients do not become faster
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and min(weight.shape[:2]) >= FEWEST_CHANNELS
        and x[0].numel() <= MOST_VALUES
        and x[:, 0].numel() >= 16 * FEWEST_TILES
        and all(size % 4 == 0 for size in x.shape[2:])
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not has_torch_function((x,))  # something counts or replaces convolutions
    )


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns a convolution of x in channels-last memory format, shape (B, K, H, W).

    Args:
        x: feature maps, (B, C, H, W), with H and W divisible by 4.
        weight: filters, (K, C, 3, 3).
        bias: number added to each channel, (K,), or None for zeros.
    """
    (n_out, n_in), (height, width) = weight.shape[:2], x.shape[2:]
    images, results = x.permute(0, 2, 3, 1), x.new_empty(len(x), height, width, n_out)
    most = max(1, MOST_VALUES // x[0].numel())
    n = math.ceil(len(x) / math.ceil(len(x) / most))  # parts of nearly equal size
    space, filters = _space(x, n, n_out), _filters(weight)
    for some, result in zip(images.split(n), results.split(n), strict=True):
        if len(some) < n:  # the last part
            space = _space(x, len(some), n_out)
        padded, rows, tiles, products, columns = space
        padded[:, 1:-1, 1:-1] = some
        _factors(padded, rows, -3)
        _factors(rows, tiles, -2)
        torch.bmm(tiles.view(36, -1, n_in), filters, out=products.view(36, -1, n_out))
        if bias is not None:
            products[1, 1] += bias  # m1 along both axes is a term of all results
        _sums(products, columns, -2)
        _sums(columns, result, -3)
    return results.permute(0, 3, 1, 2)


def _space(x: Tensor, n: int, n_out: int) -> tuple[Tensor, ...]:
    """Returns memory for n images: padded images, factors by rows and of tiles, products, sums."""
    n_in, height, width = x.shape[1:]
    return (
        x.new_zeros(n, height + 2, width + 2, n_in),
        x.new_empty(6, n, height // 4, width + 2, n_in),
        x.new_empty(6, 6, n, height // 4, width // 4, n_in),
        x.new_empty(6, 6, n, height // 4, width // 4, n_out),
        x.new_empty(6, n, height // 4, width, n_out),
    )


def _filters(weight: Tensor) -> Tensor:
    """Returns the filters' factors of the 36 products, (36, C, K), of filters (K, C, 3, 3)."""
    line = torch.tensor(_FILTERS).to(weight) / 24
    square = torch.einsum("lj,ki->lkij", line, line).reshape(36, 9)
    return (square @ weight.permute(0, 2, 3, 1).flatten(1, 2)).permute(1, 2, 0)


def _factors(d: Tensor, result: Tensor, axis: int) -> None:
    """Writes the images' factors of m0 to m5 along an axis, stacked along a new first axis."""
    d0, d1, d2, d3, d4, d5 = d.unfold(axis, 6, 4).unbind(-1)
    torch.sub(d4, d2, alpha=5, out=result[0]).add_(d0, alpha=4)
    even, odd = torch.sub(d4, d2, alpha=4), torch.sub(d3, d1, alpha=4)
    torch.add(even, odd, out=result[1])
    torch.sub(even, odd, out=result[2])
    torch.sub(d4, d2, out=even)
    torch.sub(d3, d1, out=odd)
    torch.add(even, odd, alpha=2, out=result[3])
    torch.sub(even, odd, alpha=2, out=result[4])
    torch.sub(d5, d3, alpha=5, out=result[5]).add_(d1, alpha=4)


def _sums(m: Tensor, result: Tensor, axis: int) -> None:
    """Writes the results of products m, stacked along the first axis, in turns along an axis."""
    first, second, third, fourth = result.unfold(axis, 4, 4).unbind(-1)
    near, far = torch.add(m[1], m[2]), torch.add(m[3], m[4])
    torch.add(m[0], near, out=first).add_(far)
    torch.add(near, far, alpha=4, out=third)
    torch.sub(m[1], m[2], out=near)
    torch.sub(m[3], m[4], out=far)
    torch.add(near, far, alpha=2, out=second)
    torch.add(near, far, alpha=8, out=fourth).add_(m[5])
