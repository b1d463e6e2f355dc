"""The table: what is measured of each video, and the mean of every kind of video."""

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from talkvid.evaluation.background import flicker_ratio
from talkvid.evaluation.identity import identity_agreement
from talkvid.evaluation.lags import ranking_share
from talkvid.evaluation.lip_distance import lip_agreement
from talkvid.evaluation.mel_measure import MelWeights, control, mel_agreement
from talkvid.evaluation.mouth_signals import mouth_signals
from talkvid.evaluation.opening_agreement import opening_agreement
from talkvid.evaluation.sharpness import sharpness_ratio
from talkvid.evaluation.silence import mouth_rest, rest_ratio
from talkvid.evaluation.video_look import VideoLook
from talkvid.records import Array

NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """One video to judge."""

    row: str
    """Which row of the table it belongs to."""
    clip: str
    made: VideoLook
    sound: Array
    """(N,) float32 at 16 kHz that the video is heard with."""
    truth: VideoLook | None = None
    """The true clip, picture for picture; without it only what needs none is measured."""
    portrait: VideoLook | None = None
    """The one picture the video was made from."""
    others: Sequence[Array] = ()
    """Sounds of other clips, for the control; without them the own sound is turned round."""


@dataclass(frozen=True)
class Measures:
    """What was measured of one video; NaN where it cannot be."""

    mel: float
    mel_control: float
    lag_s: float
    opening_r: float = NAN
    lip_distance: float = NAN
    lip_movement: float = NAN
    still_distance: float = NAN
    """Lip distance of a mouth that stays as in the true clip's first picture."""
    still_movement: float = NAN
    opening_in_speech: float = NAN
    """Standard deviation of the opening where the sound speaks, in inter-ocular distances."""
    opening_in_silence: float = NAN
    rest_ratio: float = NAN
    """The second over the first."""
    identity: float = NAN
    identity_lowest: float = NAN
    sharpness: float = NAN
    flicker: float = NAN
    drift: float = NAN
    one_face: float = NAN
    controls: tuple[float, ...] = field(default=(), repr=False)
    """Every control's score, of which `mel_control` is the mean."""


COLUMNS = tuple(column.name for column in dataclasses.fields(Measures) if column.name != "controls")


@dataclass(frozen=True)
class ReportRow:
    """The mean over the clips of one row, but for two columns.

    Of `lag_s` it is the median, which one chance lag does not move; `rest_ratio` is the mean deviation in
    silence over the mean one in speech of the clips that have both, so that no clip's ratio outweighs others.
    """

    name: str
    num_clips: int
    mean: Measures
    mel_auc: float
    """How often a clip's mel measure exceeds a control's, over all pairs within the row."""
    lag_share: float
    """Share of the clips whose best lag is within 0.08 s."""


@dataclass(frozen=True)
class MouthReport:
    """The table's rows, and what each clip gave."""

    rows: tuple[ReportRow, ...]
    clips: tuple[tuple[str, str, Measures], ...]
    """(row, clip, measures)"""
    identity_name: str = "identity cosine"
    """What the network's cosine may be called."""


GOOD_LAG_S = 0.08


def measure_case(case: Case, *, weights: MelWeights | None = None) -> Measures:
    """Return everything that can be measured of one video."""
    made = case.made.tracks
    agreement = mel_agreement(made, case.sound, weights=weights)
    controls = control(made, case.sound, others=case.others, weights=weights)
    rest = mouth_rest(made, case.sound)
    found = Measures(
        mel=agreement.score,
        mel_control=float(controls.mean()) if len(controls) else NAN,
        lag_s=agreement.lag_s,
        opening_in_speech=rest.in_speech,
        opening_in_silence=rest.in_silence,
        rest_ratio=rest.ratio,
        drift=case.made.drift,
        one_face=made.one_face_share,
        controls=tuple(float(score) for score in controls),
    )
    more: dict[str, Any] = {}
    if case.truth is not None and mouth_signals(made).known.any():
        more |= _against_truth(case.made, case.truth)
    if case.portrait is not None:
        more |= _against_portrait(case.made, case.portrait)
    return dataclasses.replace(found, **more)


def mouth_report(
    cases: Iterable[Case], *, weights: MelWeights | None = None, identity_name: str = "identity cosine"
) -> MouthReport:
    """Return the table of the cases, taken one at a time; rows in the order of their first case."""
    clips = tuple((case.row, case.clip, measure_case(case, weights=weights)) for case in cases)
    names = list(dict.fromkeys(row for row, _, _ in clips))
    rows = tuple(_row(name, [found for row, _, found in clips if row == name]) for name in names)
    return MouthReport(rows=rows, clips=clips, identity_name=identity_name)


def _against_truth(made: VideoLook, truth: VideoLook) -> dict[str, float]:
    lips = lip_agreement(made.tracks, truth.tracks)
    return {
        "opening_r": opening_agreement(made.tracks, truth.tracks),
        "lip_distance": lips.distance,
        "lip_movement": lips.movement,
        "still_distance": lips.still_distance,
        "still_movement": lips.still_movement,
        "flicker": flicker_ratio(made.flicker, truth.flicker),
    }


def _against_portrait(made: VideoLook, portrait: VideoLook) -> dict[str, float]:
    found = {"sharpness": sharpness_ratio(made.sharpness, portrait.sharpness)}
    if made.embeddings.shape[1] and portrait.embeddings.shape[1]:
        agreement = identity_agreement(made.embeddings, portrait.embeddings[0])
        found |= {"identity": agreement.mean, "identity_lowest": agreement.lowest}
    return found


def _row(name: str, found: Sequence[Measures]) -> ReportRow:
    values = {column: np.array([getattr(one, column) for one in found]) for column in COLUMNS}
    mean = {column: _mean(column_values) for column, column_values in values.items()}
    lags = values["lag_s"][np.isfinite(values["lag_s"])]
    mean["lag_s"] = float(np.median(lags)) if len(lags) else NAN
    mean["rest_ratio"] = _rest_ratio(values["opening_in_speech"], values["opening_in_silence"])
    controls = np.concatenate([np.array(one.controls, np.float64) for one in found])
    return ReportRow(
        name=name,
        num_clips=len(found),
        mean=Measures(**mean, controls=tuple(controls.tolist())),
        mel_auc=ranking_share(values["mel"], controls),
        lag_share=float(np.mean(np.abs(lags) <= GOOD_LAG_S + 1e-9)) if len(lags) else NAN,
    )


def _rest_ratio(in_speech: Array, in_silence: Array) -> float:
    both = np.isfinite(in_speech) & np.isfinite(in_silence)
    return rest_ratio(_mean(in_silence[both]), _mean(in_speech[both]))


def _mean(values: Array) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that nothing was measured for
        return float(np.nanmean(values)) if len(values) else NAN
