"""Does the picture behind the head stay calm? Our own."""

from talkvid.evaluation.background import WIDTH, flicker_ratio
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import look_facts, outcome, true_video
from talkvid.evaluation.suite.weights import MetricSettings

VERSION = 1
CROP = "the picture outside the head's box"
UNSEEN = "hardly any pixel lies outside the head"
FLICKER_COLUMNS = (
    Column(
        "flicker",
        "background flicker (0 to 255, ours)",
        "lower",
        "Mean change from picture to picture outside the head, at 160 px width.",
        2,
    ),
    Column(
        "flicker_truth", "background flicker, true video (ours)", "none", "The same of the true video.", 2
    ),
    Column(
        "flicker_ratio",
        "background flicker, ratio (ours)",
        "one",
        "The made video's flicker over the true one's.",
        2,
    ),
)
DRIFT_COLUMNS = (
    Column(
        "drift",
        "background drift (0 to 255, ours)",
        "lower",
        "How far the mean colour outside the head moves from the first second to the last.",
        2,
    ),
)


def measure_flicker(view: ClipView) -> Measured:
    """Return the flicker of both videos and their ratio."""
    true_video(view)
    made, truth = view.look(), view.reference_look()
    notes = []
    if made.tracks.fps != truth.tracks.fps:
        notes.append(
            f"{made.tracks.fps:g} and {truth.tracks.fps:g} pictures per second: a step of fewer is larger"
        )
    return outcome(
        {
            "flicker": made.flicker,
            "flicker_truth": truth.flicker,
            "flicker_ratio": flicker_ratio(made.flicker, truth.flicker),
        },
        facts={**look_facts(view, made, truth), "version": VERSION, "crop": CROP, "width": WIDTH},
        notes=notes,
        absent={
            **dict.fromkeys(("flicker", "flicker_truth"), UNSEEN),
            "flicker_ratio": "one of both is unknown, or nothing changes in the true video",
        },
    )


def measure_drift(view: ClipView) -> Measured:
    """Return the drift."""
    made = view.look()
    facts = {**look_facts(view, made), "version": VERSION, "crop": CROP, "width": WIDTH}
    return outcome({"drift": made.drift}, facts=facts, absent={"drift": UNSEEN})


def build_flicker(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(FLICKER, measure_flicker, version=VERSION)


def build_drift(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(DRIFT, measure_drift, version=VERSION)


FLICKER = Entry(
    name="flicker",
    description="our own measure of the background's flicker beside the true video's",
    columns=FLICKER_COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build_flicker,
)
DRIFT = Entry(
    name="drift",
    description="our own measure of how the background's colour drifts",
    columns=DRIFT_COLUMNS,
    needs=frozenset(),
    build=build_drift,
)
