"""From speech to lips: a small convolutional network that says how lips and jaw move from their rest."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid.records import FeatureRows

# B batch  T feature rows at 100 Hz  F video frames  D features per row  P moving points  K shape coefficients


@dataclass(frozen=True)
class LipPredictorConfig:
    """Sizes of a `LipPredictor` and how its motion is shaped when a video is made."""

    feature_dim: int = 80
    num_points: int = 57
    num_coefficients: int = 16
    rows_before: int = 26
    """Feature rows (10 ms) heard before the moment of a frame, and after it."""
    rows_after: int = 26
    channels: int = 64
    dropout: float = 0.3
    gain: float = 1.2
    """Factor on the motion around its mean in speech: a regression towards the mean moves too little."""
    smooth_frames: float = 0.6
    """Deviation of the Gaussian that smooths the motion over time, in frames at 25 per second."""

    def __post_init__(self) -> None:
        if self.num_coefficients > 2 * self.num_points:
            raise ValueError("lip predictor: more shape coefficients than coordinates")


class LipPredictor(nn.Module):
    """Speech features around a moment and the portrait's own lips -> displacement of lips and jaw.

    Shapes are points in the face frame (`talkvid.face.lip_motion`); the network reads and writes their
    coefficients in a fixed basis of shapes, learned from the training clips before the network.
    """

    def __init__(self, config: LipPredictorConfig | None = None) -> None:
        super().__init__()
        self.config = config or LipPredictorConfig()
        size, width = self.config, self.config.channels
        self.listen = nn.Sequential(
            nn.Conv1d(size.feature_dim, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, 2 * width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Dropout(size.dropout),
            nn.Conv1d(2 * width, 2 * width, 3, padding=1),
            nn.GELU(),
        )
        rows = (size.rows_before + size.rows_after) // 4
        self.gather = nn.Linear(2 * width * rows, 2 * width)
        self.look = nn.Linear(size.num_coefficients, width)
        self.speak = nn.Sequential(
            nn.Linear(3 * width, 2 * width),
            nn.GELU(),
            nn.Dropout(size.dropout),
            nn.Linear(2 * width, size.num_coefficients),
        )
        self.feature_mean: Tensor
        self.feature_std: Tensor
        self.silent_row: Tensor
        self.shape_mean: Tensor
        self.shape_basis: Tensor
        self.register_buffer("feature_mean", torch.zeros(size.feature_dim))
        self.register_buffer("feature_std", torch.ones(size.feature_dim))
        self.register_buffer("silent_row", torch.zeros(size.feature_dim))
        self.register_buffer("shape_mean", torch.zeros(2 * size.num_points))
        # Rows are directions times their deviation, so coefficients have unit size.
        self.register_buffer(
            "shape_basis", torch.zeros(size.num_coefficients, 2 * size.num_points).fill_diagonal_(1)
        )

    def forward(self, windows: Tensor, own_shapes: Tensor) -> Tensor:
        """Return the displacement (B P 2) for feature `windows` (B T D), T = rows_before + rows_after.

        `own_shapes` (B P 2) are lips and jaw as the portrait shows them; the displacement is added to them.
        """
        return self._shapes(self._change(windows, own_shapes))

    def _change(self, windows: Tensor, own_shapes: Tensor) -> Tensor:
        """Return the displacement's coefficients (B K)."""
        heard = (windows - self.feature_mean) / self.feature_std
        heard = self.gather(self.listen(heard.transpose(1, 2)).flatten(1))
        seen = self.look(self.coefficients(own_shapes))
        change: Tensor = self.speak(F.gelu(torch.cat([heard, seen], dim=-1)))
        return change

    def _shapes(self, change: Tensor) -> Tensor:
        """Return the displacement (B P 2) of coefficients (B K)."""
        displacement: Tensor = (change @ self.shape_basis).unflatten(-1, (self.config.num_points, 2))
        return displacement

    def coefficients(self, shapes: Tensor) -> Tensor:
        """Return the coefficients (B K), about unit size, of `shapes` (B P 2)."""
        centred = shapes.flatten(1) - self.shape_mean
        squared = self.shape_basis.square().sum(dim=1)
        return ((centred @ self.shape_basis.T) / squared).clamp(-4, 4)

    def predict(
        self,
        features: FeatureRows,
        num_frames: int,
        *,
        fps: float,
        own_shape: np.ndarray,
        spoken: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the motion (F P 2) float32 of all frames, see `track`."""
        return self.track(features, num_frames, fps=fps, own_shape=own_shape, spoken=spoken)[:num_frames]

    @torch.no_grad()
    def track(
        self,
        features: FeatureRows,
        num_frames: int,
        *,
        fps: float,
        own_shape: np.ndarray,
        spoken: np.ndarray | None = None,
    ) -> "LipTrack":
        """Return the motion of lips and jaw, in face sizes, to add to `own_shape` (P 2), frame by frame.

        `features` (T D) are the rows of the whole sound at 100 Hz, `spoken` (F,) bool says where speech is.
        In silence the lips rest where the network puts them for silent rows; `gain` widens the motion about
        its mean in the speech of the whole sound, for which all of it is heard first, block by block; what is
        kept is one row of coefficients per frame (64 bytes). Lips never cross: see `uncrossed`.
        """
        own = torch.as_tensor(own_shape, dtype=torch.float32)[None]
        size = self.config
        rest = self._change(self.silent_row.expand(1, size.rows_before + size.rows_after, -1), own)
        centres = torch.round(torch.arange(num_frames) * (ROWS_PER_S / fps)).long()
        heard = torch.empty(num_frames, size.num_coefficients)
        for first in range(0, num_frames, FRAMES_AT_ONCE):
            part = centres[first : first + FRAMES_AT_ONCE]
            windows = cut_windows(features, part, size.rows_before, size.rows_after, fill=self.silent_row)
            heard[first : first + len(part)] = self._change(windows, own.expand(len(part), -1, -1))
        change = smooth_over_time(heard - rest, size.smooth_frames * fps / 25.0)
        gate = torch.ones(num_frames) if spoken is None else speech_gate(torch.as_tensor(spoken), fps)
        weight = gate[:, None]
        usual = (change * weight).sum(dim=0) / weight.sum().clamp(min=1)
        change = (usual + size.gain * (change - usual)) * weight
        # Closed lips are at rest as they are: the portrait keeps its own expression.
        parted = ((inner_gap(own)[0] - CLOSED_GAP) / CLOSED_GAP).clamp(0, 1)
        return LipTrack(change, self.shape_basis.clone(), own=own, rest=parted * self._shapes(rest))

    def to_config(self) -> dict[str, Any]:
        """Return the sizes as plain values for `config.json`."""
        return asdict(self.config)


class LipTrack:
    """The motion of lips and jaw in a video of any length: coefficients, made into shapes when asked for."""

    def __init__(self, change: Tensor, basis: Tensor, *, own: Tensor, rest: Tensor) -> None:
        """Take coefficients (F K), their shapes (K 2P), the portrait's own (1 P 2) and its rest (1 P 2)."""
        self._change = change
        self._basis = basis
        self._own = own
        self._rest = rest
        self._block = (-1, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self._change)

    def __getitem__(self, index: int | slice) -> np.ndarray:
        """Return the motion (P 2) float32 of a frame, or (n P 2) of a slice of them."""
        if isinstance(index, slice):
            return self._motion(index)
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, place = divmod(index, FRAMES_AT_ONCE)
        if self._block[0] != number:
            self._block = (
                number,
                self._motion(slice(number * FRAMES_AT_ONCE, (number + 1) * FRAMES_AT_ONCE)),
            )
        frame: np.ndarray = self._block[1][place]
        return frame

    @torch.no_grad()
    def _motion(self, frames: slice) -> np.ndarray:
        change = (self._change[frames] @ self._basis).unflatten(-1, self._own.shape[1:])
        displacement: np.ndarray = (uncrossed(self._own + self._rest + change, self._own) - self._own).numpy()
        return displacement


ROWS_PER_S = 100.0
# Gap between the inner lips, in face sizes, up to which a portrait's mouth counts as closed.
CLOSED_GAP = 0.03
FRAMES_AT_ONCE = 128
# How softly the lips come to rest where speech ends: within 0.1 s.
GATE_SOFT_S = 0.03
# The inner lips, from one corner to the other.
UPPER, LOWER = list(range(21, 30)), list(range(39, 30, -1))
# Gap between the inner lips, in face sizes, at which they touch in the warped picture. A spline cannot carry
# parted lips to one and the same place, nor past each other: it would leave them as open as the portrait's.
LEAST_GAP = 0.015


def uncrossed(shapes: Tensor, own: Tensor) -> Tensor:
    """Return `shapes` (F P 2) with the inner lips at least LEAST_GAP apart, or as far as in `own` (1 P 2).

    Both lips give way by the same amount.
    """
    least = (own[:, LOWER, 1] - own[:, UPPER, 1]).clamp(max=LEAST_GAP)
    missing = (least - (shapes[:, LOWER, 1] - shapes[:, UPPER, 1])).clamp(min=0)
    apart = shapes.clone()
    apart[:, UPPER, 1] -= missing / 2
    apart[:, LOWER, 1] += missing / 2
    return apart


def inner_gap(shapes: Tensor) -> Tensor:
    """Return the mean gap between the inner lips (B,) of shapes (B P 2) that start with the 40 lip points."""
    upper, lower = shapes[:, 23:28], shapes[:, [37, 36, 35, 34, 33]]
    return (upper - lower).norm(dim=-1).mean(dim=-1)


def cut_windows(rows: FeatureRows, centres: Tensor, before: int, after: int, *, fill: Tensor) -> Tensor:
    """Return the windows (F before+after D) of `rows` (T D) around `centres` (F,), `fill` (D) outside."""
    index = centres[:, None] + torch.arange(-before, after)
    inside = (index >= 0) & (index < len(rows))
    windows = rows[index.clamp(0, len(rows) - 1)]
    return torch.where(inside[..., None], windows, fill)


def speech_gate(spoken: Tensor, fps: float) -> Tensor:
    """Return (F,) from 0 in silence to 1 in speech, softer than `spoken` (F,) bool: half open at its ends."""
    return smooth_over_time(spoken.float(), GATE_SOFT_S * fps)


def smooth_over_time(values: Tensor, deviation: float) -> Tensor:
    """Return `values` (F …) smoothed along the first axis by a Gaussian of `deviation` frames."""
    reach = math.ceil(3 * deviation)
    if deviation <= 0 or reach == 0:
        return values
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / deviation) ** 2)
    kernel = kernel / kernel.sum()
    flat = values.flatten(1) if values.ndim > 1 else values[:, None]
    padded = torch.cat([flat[:1].expand(reach, -1), flat, flat[-1:].expand(reach, -1)])
    return F.conv1d(padded.T[:, None], kernel[None, None])[:, 0].T.reshape(values.shape)
