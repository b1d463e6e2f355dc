"""L1 and PSNR of made pictures to the true ones."""

from talkvid.evaluation import pixel_metrics
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import outcome, pair_facts
from talkvid.evaluation.suite.weights import MetricSettings

EQUAL = "all pictures equal the true ones, so the ratio is infinite"
COLUMNS = (
    Column(
        "l1", "L1 (0 to 255)", "lower", "Mean absolute difference of all values of made and true pictures.", 2
    ),
    Column("psnr", "PSNR (dB)", "higher", "Mean over pictures of each one's peak signal-to-noise ratio.", 2),
    Column(
        "psnr_pooled",
        "PSNR, pooled (dB)",
        "higher",
        "Peak signal-to-noise ratio of the mean squared error of all pictures together.",
        2,
    ),
)


def measure(view: ClipView) -> Measured:
    """Return L1 and PSNR; a PSNR that is infinite is absent with a note."""
    found = pixel_metrics.pixel_agreement(view.frame_pairs())
    notes = []
    if 0 < found.num_equal < found.num_frames:
        notes.append(f"{found.num_equal} of {found.num_frames} pictures equal the true ones: not in the PSNR")
    return outcome(
        {"l1": found.l1, "psnr": found.psnr_db, "psnr_pooled": found.psnr_pooled_db},
        facts={**pair_facts(view), **found.protocol, "equal": found.num_equal},
        notes=notes,
        absent={"psnr": EQUAL, "psnr_pooled": EQUAL},
    )


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    return PlainMetric(ENTRY, measure, version=pixel_metrics.VERSION)


ENTRY = Entry(
    name="pixel",
    description="L1 and PSNR, both ways of averaging it",
    columns=COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build,
)
