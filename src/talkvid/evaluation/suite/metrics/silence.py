"""Does the mouth rest while nobody speaks? Our own."""

from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import face_notes, look_facts, outcome, require_face
from talkvid.evaluation.suite.weights import MetricSettings

VERSION = 1
COLUMNS = (
    Column(
        "opening_in_speech",
        "opening's deviation in speech (ours)",
        "none",
        "How much the mouth's opening varies while the sound speaks, in eye distances.",
    ),
    Column(
        "opening_in_silence",
        "opening's deviation in silence (ours)",
        "lower",
        "How much the mouth's opening varies while nobody speaks, in eye distances.",
    ),
    Column(
        "rest_ratio",
        "in silence / in speech (ours)",
        "lower",
        "The second over the first: 1 for a mouth that moves as much without speech as with it.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return both deviations and their ratio."""
    from talkvid.evaluation.silence import FEWEST_PICTURES, mouth_rest

    look = view.look()
    require_face(look.tracks, "made")
    rest = mouth_rest(look.tracks, view.sound(rate=16000))
    fewer = f"fewer than {FEWEST_PICTURES} pictures of the face"
    return outcome(
        {
            "opening_in_speech": rest.in_speech,
            "opening_in_silence": rest.in_silence,
            "rest_ratio": rest.ratio,
        },
        facts={**look_facts(view, look), "version": VERSION, "speech": "by level and flatness of the sound"},
        notes=face_notes(look),
        absent={
            "opening_in_speech": f"{fewer} while the sound speaks",
            "opening_in_silence": f"{fewer} while nobody speaks",
            "rest_ratio": "speech or silence is missing, or the mouth stands still",
        },
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=VERSION)


ENTRY = Entry(
    name="silence",
    description="our own measure of whether the mouth rests while nobody speaks",
    columns=COLUMNS,
    needs=frozenset({Need.SOUND}),
    build=build,
    hears=True,
)
