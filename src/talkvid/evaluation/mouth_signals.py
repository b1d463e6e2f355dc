"""What the mouth does, as signals over time: opening and width of the lips, and how far the jaw is open."""

from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.tracks import FaceTracks
from talkvid.face.layout import LIP_CORNERS
from talkvid.face.lip_motion import mouth_opening
from talkvid.records import Array

SIGNALS = ("opening", "width", "jaw_open")
ROWS_PER_S = 50
"""Signals of videos with different frame rates are compared at this rate."""
FINEST_S = 0.02
"""Deviation of the Gaussian that takes the landmarks' own noise out of resampled signals."""


@dataclass(frozen=True)
class MouthSignals:
    """Three signals of T moments each; NaN where the face was not found."""

    rate_hz: float
    opening: Array
    """(T,) mean gap between the inner lips in inter-ocular distances, in 3-D."""
    width: Array
    """(T,) distance of the mouth's corners in inter-ocular distances, in 3-D."""
    jaw_open: Array
    """(T,) MediaPipe's blendshape, 0 to 1; NaN throughout when there is none."""

    def __len__(self) -> int:
        return len(self.opening)

    @property
    def known(self) -> Array:
        """Return bool (T,): where the lips were found."""
        known: Array = np.isfinite(self.opening)
        return known


def mouth_signals(tracks: FaceTracks) -> MouthSignals:
    """Return the signals of every picture."""
    with np.errstate(invalid="ignore", divide="ignore"):
        lips = tracks.lips.astype(np.float64) / tracks.eye_distance.astype(np.float64)[:, None, None]
    lips[~tracks.found] = np.nan
    left, right = LIP_CORNERS
    return MouthSignals(
        rate_hz=tracks.fps,
        opening=mouth_opening(lips),
        width=np.linalg.norm(lips[:, right] - lips[:, left], axis=-1),
        jaw_open=tracks.jaw_open.astype(np.float64),
    )


def resampled(signals: MouthSignals, *, rate_hz: float = ROWS_PER_S) -> tuple[Array, Array]:
    """Return values (T, S) at `rate_hz`, and bool (T,): where they are known.

    Columns are the SIGNALS there are: two without jaw_open. A picture shows the middle of the time for which
    it stands, row i is centred on (i + 0.5) / rate_hz. Pictures without a face are bridged and marked.
    """
    columns = [signals.opening, signals.width]
    if np.isfinite(signals.jaw_open).any():
        columns.append(signals.jaw_open)
    table = np.stack(columns, axis=1)
    seen = np.isfinite(table).all(axis=1)
    count = int(len(signals) / signals.rate_hz * rate_hz + 1e-6)
    if seen.sum() < 2 or not count:
        return np.zeros((count, table.shape[1])), np.zeros(count, bool)
    rows_s = (np.arange(count) + 0.5) / rate_hz
    pictures_s = (np.arange(len(table)) + 0.5) / signals.rate_hz
    values = np.stack([np.interp(rows_s, pictures_s[seen], column[seen]) for column in table.T], axis=1)
    known = seen[np.minimum((rows_s * signals.rate_hz).astype(int), len(seen) - 1)]
    return gaussian_rows(values, FINEST_S * rate_hz), known


def gaussian_rows(values: Array, deviation: float) -> Array:
    """Return (T, S) smoothed along T by a Gaussian of `deviation` rows."""
    from scipy.ndimage import gaussian_filter1d

    smooth: Array = gaussian_filter1d(values, deviation, axis=0)
    return smooth
