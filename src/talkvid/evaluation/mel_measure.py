"""Does the mouth follow the speech? The mel measure: what half a second of sound says about it, linearly.

Opening, width and jaw of the mouth are predicted by ridge regression from 0.5 s of 40-band log-mel, the
weights fitted once on training clips (`talkvid.evaluation.mel_fit`). A video's measure is the mean
correlation of its signals with the prediction at the best lag within 0.3 s; a still mouth gives 0. The plain
correlation of the opening with the loudness of the sound does not tell the true sound from another one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import talkvid.weights
from talkvid.evaluation.lags import LagCurve, lag_curve
from talkvid.evaluation.mouth_signals import ROWS_PER_S, SIGNALS, mouth_signals, resampled
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array
from talkvid.speech.log_mel import LogMelEncoder

logger = logging.getLogger(__name__)

NUM_BANDS = 40
ROWS_BEFORE = ROWS_AFTER = 12
"""25 rows of 20 ms: half a second about the moment."""
NUM_INPUTS = NUM_BANDS * (ROWS_BEFORE + 1 + ROWS_AFTER)
REACH_S = 0.3
LEAST_OPENING_SPREAD = 0.002
"""Standard deviation of the opening, in inter-ocular distances, below which the mouth is still."""
PEAK_S = 0.1
"""How far to either side of the best lag its peak reaches."""
SURE_SCORE, SURE_RISE = 0.25, 0.12
"""The best lag is sure when the measure is at least the first and rises above lags beyond the peak by the
second: benchmarks/sync_controls.py says how often it is then right.
"""
CONTROL_FROM_S, CONTROL_EVERY_S = 1.0, 0.5
"""The control turns the sound round by at least the first, in steps of the second."""
WEIGHTS_FILE = Path(talkvid.weights.__file__).parent / "mouth_measure" / "mel_measure.safetensors"


@dataclass(frozen=True)
class MelWeights:
    """The linear prediction: signals (T, 3) = inputs (T, 1000) @ matrix + offset, in a clip's deviations."""

    matrix: Array
    """(NUM_INPUTS, 3), columns as in SIGNALS."""
    offset: Array
    """(3,)"""

    def predict(self, sound: Array) -> Array:
        """Return (T, 3) at 50 rows per second: what `sound` (N,) at 16 kHz says of the mouth."""
        predicted: Array = sound_inputs(sound) @ self.matrix + self.offset
        return predicted


@dataclass(frozen=True)
class MelAgreement:
    """How well a mouth follows a sound."""

    score: float
    """Mean correlation over the signals at the best lag, -1 to 1; 0 for a still mouth."""
    lag_s: float
    """The best lag in seconds, positive when the mouth is late; NaN for a still mouth."""
    at_zero: float
    """The same correlation without a lag."""
    rise: float = 0.0
    """How far the score lies above that of lags beyond its peak; 0 when the best lag is the end of the reach.
    """

    @property
    def lag_is_sure(self) -> bool:
        """Return whether the peak is high and sharp enough for `lag_s` to be believed."""
        return self.score >= SURE_SCORE and self.rise >= SURE_RISE


STILL = MelAgreement(score=0.0, lag_s=float("nan"), at_zero=0.0)


@cache
def default_weights() -> MelWeights:
    """Return the weights inside the package (CC BY-NC 4.0, see the notice beside them)."""
    return load_weights(WEIGHTS_FILE)


def load_weights(path: Path) -> MelWeights:
    """Return weights that `talkvid.evaluation.mel_fit.save_weights` wrote; FileNotFoundError, ValueError."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no weights of the mel measure; make them with benchmarks/mouth_measures.py fit"
        )
    tensors = load_file(path)
    matrix, offset = tensors["matrix"].astype(np.float64), tensors["offset"].astype(np.float64)
    if matrix.shape != (NUM_INPUTS, len(SIGNALS)) or offset.shape != (len(SIGNALS),):
        raise ValueError(
            f"{path}: weights of shape {matrix.shape} do not fit; expected {(NUM_INPUTS, len(SIGNALS))}"
        )
    return MelWeights(matrix, offset)


def sound_inputs(sound: Array) -> Array:
    """Return (T, NUM_INPUTS): at 50 rows per second the log-mel bands of 0.5 s, freed of the clip's mean.

    `sound` is float32 (N,) mono at 16 kHz. Pairs of the 80 bands and of the 10 ms rows are averaged. Removing
    each band's mean takes out voice and microphone. Beyond its ends the sound's first and last row go on.
    """
    rows = LogMelEncoder().encode(sound).numpy().astype(np.float64)
    rows = np.pad(rows, ((0, len(rows) % 2), (0, 0)), mode="edge")
    bands = rows.reshape(len(rows) // 2, 2, NUM_BANDS, 2).mean(axis=(1, 3))
    bands -= bands.mean(axis=0)
    padded = np.pad(bands, ((ROWS_BEFORE, ROWS_AFTER), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, ROWS_BEFORE + 1 + ROWS_AFTER, axis=0)
    return windows.reshape(len(bands), NUM_INPUTS)


def mel_agreement(tracks: FaceTracks, sound: Array, *, weights: MelWeights | None = None) -> MelAgreement:
    """Return how well the mouth in `tracks` follows `sound` (N,) at 16 kHz, which begins with picture 0."""
    return _agreement(_curve(tracks, (weights or default_weights()).predict(sound)))


def control(
    tracks: FaceTracks,
    sound: Array,
    *,
    others: Sequence[Array] = (),
    weights: MelWeights | None = None,
) -> Array:
    """Return the scores (K,) of the same mouth with sounds that are not its own.

    With `others`, sounds (N,) of other clips, each is repeated to the needed length. Without them the own
    sound is turned round in a circle by 1.0, 1.5, … seconds, up to 1 s short of a full turn. Chance is not 0,
    because the best of many lags is taken.
    """
    weights = weights or default_weights()
    if others:
        count = len(sound)
        told = [weights.predict(np.resize(other, count)) for other in others]
    else:
        own = weights.predict(sound)
        first, step = round(CONTROL_FROM_S * ROWS_PER_S), round(CONTROL_EVERY_S * ROWS_PER_S)
        told = [np.roll(own, turn, axis=0) for turn in range(first, len(own) - first + 1, step)]
    return np.array([_agreement(_curve(tracks, rows)).score for rows in told])


def _curve(tracks: FaceTracks, told: Array) -> LagCurve | None:
    signals = mouth_signals(tracks)
    if not signals.known.any() or np.nanstd(signals.opening) < LEAST_OPENING_SPREAD:
        return None
    values, known = resampled(signals)
    told = told[:, : values.shape[1]]
    return lag_curve(values, told, known, rate_hz=ROWS_PER_S, reach_s=REACH_S)


def _agreement(curve: LagCurve | None) -> MelAgreement:
    if curve is None:
        return STILL
    return MelAgreement(
        score=curve.best,
        lag_s=curve.best_lag_s,
        at_zero=curve.at_zero,
        rise=curve.rise(within_s=PEAK_S),
    )
