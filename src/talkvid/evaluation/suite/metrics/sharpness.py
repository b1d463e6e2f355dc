"""How sharp the face is beside the picture it was made from. Our own."""

import numpy as np

from talkvid.evaluation.sharpness import EVERY, SIDE, sharpness_ratio
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import (
    face_notes,
    look_facts,
    outcome,
    portrait_origin,
    require_face,
)
from talkvid.evaluation.suite.weights import MetricSettings

VERSION = 1
COLUMNS = (
    Column(
        "sharpness_ratio",
        "sharpness / portrait's (ours)",
        "one",
        "Variance of the Laplacian of the face brought to 160 px, over the portrait's: below 1 is softer.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return the ratio."""
    made, portrait = view.look(), view.portrait_look()
    require_face(made.tracks, "made")
    if not portrait.tracks.found.any():
        raise ValueError("no face is found in the portrait")
    return outcome(
        {"sharpness_ratio": sharpness_ratio(made.sharpness, portrait.sharpness)},
        facts={
            **look_facts(view, made),
            "version": VERSION,
            "face_side": SIDE,
            "measured_every": EVERY,
            "measured": int(np.isfinite(made.sharpness).sum()),
            "portrait": portrait_origin(view),
        },
        notes=face_notes(made),
        absent={"sharpness_ratio": "no face in the measured pictures, or a portrait without any detail"},
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=VERSION)


ENTRY = Entry(
    name="sharpness",
    description="our own measure of how sharp the face is beside its portrait",
    columns=COLUMNS,
    needs=frozenset({Need.PORTRAIT}),
    build=build,
)
