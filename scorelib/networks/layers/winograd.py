"""Convolutions of 3x3 pixels on a CPU by Winograd's algorithm, with 2.25 times fewer products.

Two neighbouring results of a filter (g0, g1, g2) on (d0, d1, d2, d3) take four products:

    m0 = (d0 - d2) g0                        d0 g0 + d1 g1 + d2 g2 = m0 + m1 + m2
    m1 = (d1 + d2) (g0 + g1 + g2) / 2        d1 g0 + d2 g1 + d3 g2 = m1 - m2 - m3
    m2 = (d2 - d1) (g0 - g1 + g2) / 2
    m3 = (d1 - d3) g2

Along both axes, 2x2 results take 16 products instead of 36. Each of the 16 is a product of matrices
over all tiles and channels. PyTorch's convolution works at the peak rate of a CPU, so that only
fewer products make it faster: with 64 channels or more, the sums take less time than they save. The
results differ by rounding, and are as close to exact ones as those of PyTorch's convolution.

References:
    Lavin and Gray 2016, Fast algorithms for convolutional neural networks, F(2x2, 3x3).
"""

import math

import torch
from torch import Tensor, nn
from torch.overrides import has_torch_function

FEWEST_CHANNELS = 64
MOST_VALUES = 2**17
"""Largest number of values that are convolved together: 16 times as many fit into a cache."""


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
        and all(size % 2 == 0 for size in x.shape[2:])
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not has_torch_function((x,))  # something counts or replaces convolutions
    )


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns a convolution of x in channels-last memory format, shape (B, K, H, W).

    Args:
        x: feature maps, (B, C, H, W), with even H and W.
        weight: filters, (K, C, 3, 3).
        bias: number added to each channel, (K,), or None for zeros.
    """
    (n_out, n_in), (height, width) = weight.shape[:2], x.shape[2:]
    images, results = x.permute(0, 2, 3, 1), x.new_empty(len(x), height, width, n_out)
    n = math.gcd(len(x), max(1, MOST_VALUES // x[0].numel()))
    padded = x.new_zeros(n, height + 2, width + 2, n_in)
    rows = x.new_empty(4, n, height // 2, width + 2, n_in)
    tiles = x.new_empty(4, 4, n, height // 2, width // 2, n_in)
    products = x.new_empty(*tiles.shape[:-1], n_out)
    columns = x.new_empty(4, n, height // 2, width, n_out)
    filters = _filters(weight)
    for some, result in zip(images.split(n), results.split(n), strict=True):
        padded[:, 1:-1, 1:-1] = some
        _differences(padded, rows, -3)
        _differences(rows, tiles, -2)
        torch.bmm(tiles.view(16, -1, n_in), filters, out=products.view(16, -1, n_out))
        if bias is not None:
            products[1, 1] += bias  # m1 along both axes is a term of all four results
        _sums(products, columns, -2)
        _sums(columns, result, -3)
    return results.permute(0, 3, 1, 2)


def _filters(weight: Tensor) -> Tensor:
    """Returns the filters' factors of the 16 products, (16, C, K), of filters (K, C, 3, 3)."""
    line = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]).to(weight)
    square = torch.einsum("lj,ki->lkij", line, line).reshape(16, 9)
    return (square @ weight.permute(0, 2, 3, 1).flatten(1, 2)).permute(1, 2, 0)


def _differences(d: Tensor, result: Tensor, axis: int) -> None:
    """Writes the images' factors of m0 to m3 along an axis, stacked along a new first axis."""
    d0, d1, d2, d3 = d.unfold(axis, 4, 2).unbind(-1)
    torch.sub(d0, d2, out=result[0])
    torch.add(d1, d2, out=result[1])
    torch.sub(d2, d1, out=result[2])
    torch.sub(d1, d3, out=result[3])


def _sums(m: Tensor, result: Tensor, axis: int) -> None:
    """Writes the results of products m, stacked along the first axis, in turns along an axis."""
    even, odd = result.unfold(axis, 2, 2).unbind(-1)
    torch.add(m[0], m[1], out=even).add_(m[2])
    torch.sub(m[1], m[2], out=odd).sub_(m[3])
