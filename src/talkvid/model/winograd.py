"""3x3 convolutions by a quarter of the multiplications (Winograd's F(4x4, 3x3), arXiv 1509.09308)."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid.model.linear import linear, predicts_on_cpu

_OUT, _IN, _TAPS = 4, 6, 3
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""Where the polynomials are evaluated, besides infinity. With these the error is less than twice that of
adding up directly; with the common 0, +-1, +-2 it is four times."""
_TILES_AT_ONCE = 1024
_SMALLEST_SIDE = 8


class Convolution(nn.Conv2d):
    """A 3x3 convolution of stride 1 by the fastest exact way; keys and training are as torch's."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, _TAPS, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolved maps: (B C h w) -> (B D h w)."""
        if predicts_on_cpu(input, self.weight) and _pays(input, self.weight):
            return winograd(input, self.weight, self.bias)
        return super().forward(input)


def winograd(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return hidden (B C h w) convolved with weight (D C 3 3), padded by one, plus bias (D,): (B D h w).

    In tiles of 6x6 that give 4x4 each; 36 matrix products stand for 9 of 4 times the rows. The transformed
    weights, four times the size of the weights, are made in each call, a few hundredths of its time.
    """
    to_tile, to_taps, to_picture = _matrices()
    count, channels, height, width = hidden.shape
    rows, columns = -(-height // _OUT), -(-width // _OUT)
    taps = torch.mm(to_taps, weight.permute(2, 3, 0, 1).reshape(_TAPS * _TAPS, -1))
    taps = taps.view(_IN * _IN, *weight.shape[:2])
    result = hidden.new_empty(count, _OUT * rows, _OUT * columns, len(weight))
    at_once = max(1, _TILES_AT_ONCE // (rows * columns))
    for maps, made in zip(hidden.split(at_once), result.split(at_once), strict=True):
        padding = (0, 0, 1, _OUT * columns - width + 1, 1, _OUT * rows - height + 1)
        tiles = F.pad(maps.permute(0, 2, 3, 1), padding).unfold(1, _IN, _OUT).unfold(2, _IN, _OUT)
        tiles = torch.mm(to_tile, tiles.permute(4, 5, 0, 1, 2, 3).reshape(_IN * _IN, -1))
        pairs = zip(tiles.view(_IN * _IN, -1, channels), taps, strict=True)
        products = torch.stack([linear(tile, tap) for tile, tap in pairs])
        pictures = torch.mm(to_picture, products.flatten(1)).view(_OUT, _OUT, -1, rows, columns, len(weight))
        made.view(-1, rows, _OUT, columns, _OUT, len(weight)).copy_(pictures.permute(2, 3, 0, 4, 1, 5))
    if bias is not None:
        result += bias
    return result[:, :height, :width].permute(0, 3, 1, 2)


def _pays(hidden: Tensor, weight: Tensor) -> bool:
    """Return whether the transforms cost less than they save, by the rates of one core.

    A direct convolution takes 0.164 ns per pixel, input and output channel, the products of the other way a
    third of it; its transforms 7 ns per number read, 5 per number written and 50 per pair of channels.
    """
    count, channels, height, width = hidden.shape
    if min(height, width) < _SMALLEST_SIDE:
        return False
    return 7 / len(weight) + 5 / channels + 50 / (count * height * width) < 0.09


@cache
def _matrices() -> tuple[Tensor, Tensor, Tensor]:
    """Return what is applied to input tiles (36 36), weights (36 9) and products (16 36): Toom and Cook."""
    tile, taps = np.zeros((_IN, _IN)), np.zeros((_IN, _TAPS))
    picture = np.zeros((_OUT, _IN))
    for row, point in enumerate(_POINTS):
        others = [other for other in _POINTS if other != point]
        size = np.prod([point - other for other in others])
        taps[row] = point ** np.arange(_TAPS) / size
        tile[row, :-1] = np.poly(others)[::-1]
        picture[:, row] = point ** np.arange(_OUT)
    tile[-1], taps[-1, -1], picture[-1, -1] = np.poly(_POINTS)[::-1], 1, 1
    both = (np.kron(matrix, matrix) for matrix in (tile, taps, picture))
    to_tile, to_taps, to_picture = (torch.from_numpy(matrix).float() for matrix in both)
    return to_tile, to_taps, to_picture
