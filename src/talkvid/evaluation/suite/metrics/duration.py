"""Does the video last as long as its sound, at an even rate? Our own."""

from talkvid.evaluation import duration
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import outcome, size_of
from talkvid.evaluation.suite.weights import MetricSettings

COLUMNS = (
    Column(
        "missing_frames",
        "missing pictures",
        "zero",
        "Pictures that the sound asks for less those decoded; below 0 there are too many.",
        1,
    ),
    Column("late_s", "video longer than sound (s)", "zero", "Length of the pictures less that of the sound."),
    Column(
        "duration_right",
        "duration right",
        "higher",
        "1 where number and spacing of the pictures and the sound track are right, else 0; notes say why.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return what decoding the file shows; its faults are the notes."""
    found = duration.check_duration(view.pair.made, view.pair.audio)
    return outcome(
        {
            "missing_frames": float(found.missing_frames),
            "late_s": found.late_s,
            "duration_right": float(found.right),
        },
        facts={
            **found.protocol,
            "crop": "none, the file's times",
            "size": size_of(view.made),
            "sound_s": found.sound_s,
            "length_s": found.timing.length_s,
            "track_s": found.track_s,
            "wanted_frames": found.wanted_frames,
            "sound": "the video's own" if view.pair.audio is None else "the driving sound",
        },
        notes=found.faults,
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=duration.VERSION)


ENTRY = Entry(
    name="duration",
    description="number of pictures, their spacing and length beside the driving sound",
    columns=COLUMNS,
    needs=frozenset({Need.SOUND}),
    build=build,
    # A control's sound is moved or swapped by us, which says nothing of the file.
    hears=False,
)
