"""Speech features laid out in video time: two rows per frame, and around each frame a window of them."""

import numpy as np
import torch
from torch import Tensor

from talkvid.records import FeatureRows

ROWS_PER_FRAME = 2
LARGEST_SAMPLED_RATIO = 2.0
"""Up to this many feature rows per output row linear interpolation skips none (at 2 it is their mean)."""


class FrameAligner:
    """Gives the audio windows of any range of frames; only the rows of that range are computed.

    The T feature rows are stretched over 2 F rows (bit for bit as by fp32
    `torch.nn.functional.interpolate(mode="linear", align_corners=False)` on the CPU), with 2 * num_pad zero
    rows before and after; frame f gets rows 2f … 2(f + 2 num_pad + 1) - 1 of that. So 50 rows per second at
    25 frames per second pass unchanged and of 100 rows per second two make one. Where more than two feature
    rows fall on one output row (low frame rates), interpolation would skip some; each output row is then the
    exact mean over its span instead.
    """

    def __init__(self, features: FeatureRows, num_frames: int, *, num_pad: int = 2) -> None:
        if features.ndim != 2 or not len(features):
            raise ValueError(f"speech features must be (T, D) with T >= 1, got {tuple(features.shape)}")
        if num_frames < 1 or num_pad < 0:
            raise ValueError(f"num_frames must be >= 1 and num_pad >= 0, got {num_frames} and {num_pad}")
        self.features = features
        self.num_frames = num_frames
        self.num_pad = num_pad
        self.window = ROWS_PER_FRAME * (2 * num_pad + 1)

    def windows(self, first_frame: int, count: int) -> Tensor:
        """Return (count, 2 (2 num_pad + 1), D) float32 for frames first_frame … first_frame + count - 1.

        Frames at or behind num_frames repeat the last frame's window, as padded context windows do.
        """
        assert first_frame >= 0 and count >= 1, (first_frame, count)
        frames = torch.arange(first_frame, first_frame + count).clamp(max=self.num_frames - 1)
        return self.windows_at(frames)

    def windows_at(self, frames: Tensor) -> Tensor:
        """Return (len(frames), 2 (2 num_pad + 1), D) float32 for frame numbers in any order."""
        first_row = int(frames.min()) * ROWS_PER_FRAME - ROWS_PER_FRAME * self.num_pad
        last_row = int(frames.max()) * ROWS_PER_FRAME + ROWS_PER_FRAME * (self.num_pad + 1)
        rows = self._padded_rows(first_row, last_row)
        starts = frames.to(torch.long) * ROWS_PER_FRAME - ROWS_PER_FRAME * self.num_pad - first_row
        return rows[starts[:, None] + torch.arange(self.window)]

    def _padded_rows(self, first: int, stop: int) -> Tensor:
        """Return rows first … stop - 1 of the video-time layout, zeros outside the speech."""
        total = ROWS_PER_FRAME * self.num_frames
        inside = range(max(first, 0), min(stop, total))
        rows = torch.zeros(stop - first, self.features.shape[1])
        rows[inside.start - first : inside.stop - first] = resampled_rows(
            self.features, total, inside.start, inside.stop
        )
        return rows


def resampled_rows(features: FeatureRows, total: int, first: int, stop: int) -> Tensor:
    """Return rows first … stop - 1 (float32) of the T feature rows stretched or shrunk to `total` rows."""
    if len(features) > LARGEST_SAMPLED_RATIO * total:
        return _mean_rows(features, total, first, stop)
    # The ratio is rounded to fp32 and the position once more after a fused multiply-add, as torch does.
    scale = float(np.float32(len(features) / total))
    positions = (scale * (np.arange(first, stop) + 0.5) - 0.5).astype(np.float32)
    positions = np.clip(positions, 0, len(features) - 1)
    lower = np.minimum(positions.astype(np.int64), len(features) - 1)
    upper = np.minimum(lower + 1, len(features) - 1)
    share = torch.from_numpy(positions - lower.astype(np.float32))[:, None]
    later = share * features[upper].float()
    # A fused multiply-add again: the first product keeps its full precision until the sum is rounded.
    return ((1 - share).double() * features[lower].double() + later.double()).float()


def _mean_rows(features: FeatureRows, total: int, first: int, stop: int) -> Tensor:
    """Return each output row as the mean over its exact span of the feature rows."""
    edges = np.arange(first, stop + 1) * (len(features) / total)
    begin = int(edges[0])
    part = features[begin : int(np.ceil(edges[-1]))].double()
    integral = torch.cat([torch.zeros(1, part.shape[1], dtype=torch.float64), part.cumsum(0)])
    local = np.clip(edges - begin, 0, len(part))
    lower = np.minimum(local.astype(np.int64), len(part) - 1)
    at_edges = integral[lower] + torch.from_numpy(local - lower)[:, None] * part[lower]
    return (at_edges.diff(dim=0) * (total / len(features))).float()


def audio_windows(features: Tensor, num_frames: int, *, num_pad: int = 2) -> Tensor:
    """Return every frame's window (F, 2 (2 num_pad + 1), D) float32, see `FrameAligner`."""
    return FrameAligner(features, num_frames, num_pad=num_pad).windows(0, num_frames)
