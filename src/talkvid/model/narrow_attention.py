"""Attention of narrow heads on a CPU: torch's kernel spends more on its calls than on their few numbers."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from talkvid.model.linear import predicts_on_cpu

_WIDEST_HEAD = 8
_SCORES_AT_ONCE = 1 << 17
"""Half a MiB of scores, which stay in a core's own cache."""
_FEWEST_SCORES = 1 << 18
"""Below, the calls of our own cost as much."""
_FEWEST_FRAMES = 16
_LANES = 64
"""Positions that lie side by side are a multiple of this, whole vectors of any processor."""


def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return softmax attention: queries (R heads N d), keys and values (R heads L d) -> (R heads N d)."""
    num_scores = queries.shape[:3].numel() * keys.shape[2]
    if queries.shape[-1] <= _WIDEST_HEAD and num_scores >= _FEWEST_SCORES and predicts_on_cpu(queries, keys):
        return narrow_attention(queries, keys, values)
    return F.scaled_dot_product_attention(queries, keys, values)


def narrow_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return the same attention, spelt out in blocks of scores that stay in the cache: (R heads N d).

    Powers of two instead of e, the factor being that of the scores; shares are divided by their sum after the
    product with the values, which are fewer.
    """
    count, length, width = queries.shape[0] * queries.shape[1], keys.shape[2], queries.shape[3]
    asked = queries.reshape(count, -1, width).transpose(1, 2)
    keys, values = keys.reshape(count, length, width), values.transpose(2, 3).reshape(count, width, length)
    mixed = torch.empty_like(asked, memory_format=torch.contiguous_format)
    rows = max(1, _SCORES_AT_ONCE // (asked.shape[2] * length))
    columns = max(1, _SCORES_AT_ONCE // length)
    memory = asked.new_empty(max(_SCORES_AT_ONCE, length))
    for some, told, mix, ask in zip(
        keys.split(rows), values.split(rows), mixed.split(rows), asked.split(rows), strict=True
    ):
        for block, part in zip(ask.split(columns, dim=2), mix.split(columns, dim=2), strict=True):
            shape = len(some), length, block.shape[2]
            scores = memory[: math.prod(shape)].view(shape)
            factor = math.log2(math.e) * width**-0.5
            torch.baddbmm(scores, some, block, beta=0, alpha=factor, out=scores)
            shares = scores.sub_(scores.amax(1, keepdim=True)).exp2_()
            torch.div(torch.bmm(told, shares), shares.sum(1, keepdim=True), out=part)
    return mixed.transpose(1, 2).view(queries.shape)


def frame_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return attention over the frames of each position and head: three (B F P d) -> (B F P d).

    P counts positions and heads. Narrow heads on a CPU go side by side through elementwise operations.
    """
    frames = queries.shape[1]
    num_scores = queries.shape[:3].numel() * frames
    is_worth_it = frames >= _FEWEST_FRAMES and num_scores >= _FEWEST_SCORES
    if queries.shape[-1] <= _WIDEST_HEAD and is_worth_it and predicts_on_cpu(queries, keys):
        return narrow_frame_attention(queries, keys, values)
    queries, keys, values = (part.transpose(1, 2) for part in (queries, keys, values))
    return F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2)


def narrow_frame_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return the same attention, computed for many positions side by side: (B F P d)."""
    videos, frames, places, width = queries.shape
    asked, known, told = (
        part.permute(3, 1, 0, 2).reshape(width, frames, videos * places) for part in (queries, keys, values)
    )
    asked = asked * (math.log2(math.e) * width**-0.5)
    mixed = torch.empty_like(asked)
    at_once = max(1, _SCORES_AT_ONCE // frames**2 // _LANES) * _LANES
    for ask, key, tell, mix in zip(*(x.split(at_once, 2) for x in (asked, known, told, mixed)), strict=True):
        scores = key[0, :, None] * ask[0]  # keys' frames, queries' frames, places
        for channel in range(1, width):
            scores.addcmul_(key[channel, :, None], ask[channel])
        shares = scores.sub_(scores.amax(0)).exp2_()
        for channel in range(width):
            torch.sum(shares * tell[channel, :, None], 0, out=mix[channel])
        mix /= shares.sum(0)
    return mixed.view(width, frames, videos, places).permute(2, 1, 3, 0)
