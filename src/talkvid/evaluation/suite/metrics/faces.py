"""In how many pictures there is exactly one face. Our own."""

import numpy as np

from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured
from talkvid.evaluation.suite.metrics.outcome import faceless, look_facts, outcome
from talkvid.evaluation.suite.weights import MetricSettings

VERSION = 1
COLUMNS = (
    Column("one_face", "one face (%, ours)", "higher", "Share of the pictures with exactly one face.", 1),
    Column("no_face", "no face (%, ours)", "lower", "Share of the pictures in which no face is found.", 1),
    Column(
        "more_faces", "more faces (%, ours)", "lower", "Share of the pictures with more than one face.", 1
    ),
)


def measure(view: ClipView) -> Measured:
    """Return the three shares, which sum to 100 where faces were counted."""
    look = view.look()
    tracks = look.tracks
    counted = bool((tracks.num_faces >= 0).all())
    several = float(np.mean(tracks.found & (tracks.num_faces > 1)))
    return outcome(
        {
            "one_face": 100 * tracks.one_face_share,
            "no_face": 100 * faceless(tracks) / len(tracks),
            "more_faces": 100 * several if counted else None,
        },
        facts={**look_facts(view, look), "version": VERSION, "crop": "none, the whole picture is searched"},
        absent={"more_faces": "the yardstick does not count faces"},
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=VERSION)


ENTRY = Entry(
    name="faces",
    description="share of pictures with exactly one face, none and several",
    columns=COLUMNS,
    needs=frozenset(),
    build=build,
)
