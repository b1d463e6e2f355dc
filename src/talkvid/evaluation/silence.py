"""Does the mouth rest while nobody speaks?"""

from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.mouth_signals import mouth_signals
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array
from talkvid.speech.activity import speech_activity

FEWEST_PICTURES = 6
"""A deviation over fewer pictures says nothing."""
LEAST_MOVEMENT = 1e-6
"""Inter-ocular distances; a mouth that varies less stands still."""


@dataclass(frozen=True)
class MouthRest:
    """Standard deviation of the mouth's opening, in inter-ocular distances; NaN over too few pictures."""

    in_speech: float
    in_silence: float

    @property
    def ratio(self) -> float:
        """Return the deviation in silence over that in speech; NaN when one is missing or nothing moves."""
        return rest_ratio(self.in_silence, self.in_speech)


def rest_ratio(in_silence: float, in_speech: float) -> float:
    """Return the first over the second; NaN when one is missing or nothing moves but for rounding."""
    return in_silence / in_speech if in_speech > LEAST_MOVEMENT else float("nan")


def mouth_rest(tracks: FaceTracks, sound: Array) -> MouthRest:
    """Return how much the opening varies where the driving `sound` (N,) at 16 kHz speaks and where not.

    Speech by `speech_activity`; pictures after the end of the sound count as silent.
    """
    spoken = speech_activity(sound, tracks.fps)[: len(tracks)]
    spoken = np.pad(spoken, (0, len(tracks) - len(spoken)))
    opening = mouth_signals(tracks).opening
    return MouthRest(_deviation(opening[spoken]), _deviation(opening[~spoken]))


def _deviation(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(values.std()) if len(values) >= FEWEST_PICTURES else float("nan")
