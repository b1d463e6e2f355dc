"""How near the lips are to the true clip's, with what a still mouth would get. Our own."""

from talkvid.evaluation.lip_distance import lip_agreement
from talkvid.evaluation.opening_agreement import opening_agreement
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import (
    PAIRING,
    face_notes,
    look_facts,
    outcome,
    require_face,
    true_video,
)
from talkvid.evaluation.suite.weights import MetricSettings

VERSION = 1
COLUMNS = (
    Column(
        "lip_distance",
        "lip distance (% of eye distance, ours)",
        "lower",
        "Mean distance of 40 lip points from the true clip's, about their own centre.",
        2,
    ),
    Column(
        "lip_distance_still",
        "lip distance, still mouth (%, ours)",
        "none",
        "The same for a mouth that stays as in the true clip's first picture: talking that is worse than "
        "this is worse than none.",
        2,
    ),
    Column(
        "lip_movement",
        "lip movement distance (%, ours)",
        "lower",
        "The same distance freed of the head's tilt and of each clip's own resting mouth.",
        2,
    ),
    Column(
        "lip_movement_still",
        "lip movement distance, still mouth (%, ours)",
        "none",
        "The second form for a mouth that stays as in the true clip's first picture.",
        2,
    ),
    Column(
        "opening_r",
        "opening against truth (r, ours)",
        "higher",
        "Correlation of the mouth's opening with the true clip's; 0 for a still mouth.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return the distances and the correlation."""
    true_video(view)
    made, truth = view.look(), view.reference_look()
    require_face(made.tracks, "made")
    require_face(truth.tracks, "true")
    found = lip_agreement(made.tracks, truth.tracks)
    return outcome(
        {
            "lip_distance": found.distance,
            "lip_distance_still": found.still_distance,
            "lip_movement": found.movement,
            "lip_movement_still": found.still_movement,
            "opening_r": opening_agreement(made.tracks, truth.tracks),
        },
        facts={**look_facts(view, made, truth), "version": VERSION, "pairing": PAIRING},
        notes=face_notes(made, truth),
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=VERSION)


ENTRY = Entry(
    name="lips",
    description="our own distance of the lips to the true ones, with a still mouth's beside it",
    columns=COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build,
)
