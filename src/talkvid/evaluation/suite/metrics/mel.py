"""The mel measure: does the mouth follow the speech? Our own, nothing to fetch."""

import numpy as np

from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import face_notes, look_facts, outcome, require_face
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import file_sha256
from talkvid.records import Array

VERSION = 1
STILL = "the mouth stands still"
UNSURE = "the correlation is too low or too flat for its lag to be believed"
COLUMNS = (
    Column(
        "mel",
        "mel measure (ours)",
        "higher",
        "Mean correlation of mouth opening, width and jaw with what half a second of sound says of them, "
        "at the best lag within 0.3 s; 0 for a still mouth.",
    ),
    Column(
        "mel_control",
        "mel measure of other sounds (ours)",
        "none",
        "The same mouth with sounds that are not its own: what chance gives.",
    ),
    Column(
        "mel_margin",
        "mel measure above other sounds (ours)",
        "higher",
        "The first less the second: what the mouth owes to its own sound.",
    ),
    Column("mel_lag_s", "best lag (s, ours)", "zero", "The best lag, positive when the mouth is late.", 2),
    Column(
        "mel_sure_lag_s",
        "best lag where sure (s, ours)",
        "zero",
        "The best lag of the clips whose correlation is high and falls off sharply to both sides of it.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return the measure, its control, the margin between them and the best lag."""
    from talkvid.evaluation.mel_measure import REACH_S, SURE_RISE, SURE_SCORE, control, mel_agreement

    look = view.look()
    require_face(look.tracks, "made")
    sound, others = view.sound(rate=16000), view.other_sounds()
    found = mel_agreement(look.tracks, sound)
    chance = control(look.tracks, sound, others=others)
    average = float(chance.mean()) if len(chance) else None
    return outcome(
        {
            "mel": found.score,
            "mel_control": average,
            "mel_margin": None if average is None else found.score - average,
            "mel_lag_s": found.lag_s,
            "mel_sure_lag_s": found.lag_s if found.lag_is_sure else None,
        },
        facts={
            **look_facts(view, look),
            "version": VERSION,
            "reach_s": REACH_S,
            "rise": found.rise,
            "sure_from": f"a measure of {SURE_SCORE:g} and a rise of {SURE_RISE:g}",
            "control": "sounds of other clips" if others else "own sound turned round",
            "controls": len(chance),
            "above_all_controls": bool(len(chance)) and bool(found.score > np.max(chance)),
        },
        notes=face_notes(look),
        absent={"mel_lag_s": STILL, "mel_sure_lag_s": UNSURE}
        | dict.fromkeys(("mel_control", "mel_margin"), _too_short(sound)),
    )


def _too_short(sound: Array) -> str:
    return f"no sound of another clip, and {len(sound) / 16000:.2f} s are too short to be turned round"


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; its weights lie in the package."""
    from talkvid.evaluation.mel_measure import WEIGHTS_FILE

    return PlainMetric(ENTRY, measure, version=VERSION, weights_sha256=file_sha256(WEIGHTS_FILE))


ENTRY = Entry(
    name="mel",
    description="our own measure of whether the mouth follows the speech, with its control",
    columns=COLUMNS,
    needs=frozenset({Need.SOUND}),
    build=build,
    hears=True,
    models=("talkvid-mel-measure",),
)
