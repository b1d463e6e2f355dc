"""How much a video changes from picture to picture, beside how much the true one does."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics import lpips
from talkvid.evaluation.suite.metrics.outcome import outcome, pair_facts
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.records import Array

if TYPE_CHECKING:
    from talkvid.evaluation.temporal import TemporalChange

Change = Callable[[Iterable[Array]], "TemporalChange"]


def _columns(key: str, what: str, digits: int) -> tuple[Column, ...]:
    return (
        Column(
            key,
            what,
            "none",
            "Mean change from one picture to the next; low in a still video as well.",
            digits,
        ),
        Column(f"{key}_truth", f"{what}, true video", "none", "The same of the true video.", digits),
        Column(
            f"{key}_ratio",
            f"{what}, ratio",
            "one",
            "The made video's change over the true one's; above 1 it is more restless, below 1 stiller.",
        ),
    )


L1_COLUMNS = _columns("temporal_l1", "temporal L1 (0 to 255)", 2)
LPIPS_COLUMNS = _columns("temporal_lpips_alex", "temporal LPIPS (alex)", 4)


def measure(view: ClipView, *, change: Change, columns: tuple[Column, ...]) -> Measured:
    """Return both changes and their ratio, over the same moments at the made video's rate and one size."""
    from talkvid.evaluation.temporal import change_ratio

    made = change(ours for ours, _ in view.frame_pairs())
    truth = change(theirs for _, theirs in view.frame_pairs())
    found = change_ratio(made, truth)
    values = (made.mean, truth.mean, found.ratio)
    return outcome(
        {column.key: value for column, value in zip(columns, values, strict=True)},
        facts={**pair_facts(view), **made.protocol},
        absent={columns[2].key: "the true video stands still"},
    )


def build_l1(settings: MetricSettings) -> PlainMetric:
    """Return the metric; nothing can be missing."""
    from talkvid.evaluation.temporal import VERSION

    return PlainMetric(L1, _measure_l1, version=VERSION)


def _measure_l1(view: ClipView) -> Measured:
    from talkvid.evaluation.temporal import temporal_l1

    return measure(view, change=partial(temporal_l1, fps=view.made.fps), columns=L1_COLUMNS)


def build_lpips(settings: MetricSettings) -> PlainMetric:
    """Return the metric with the network of the settings; what can be missing is as with LPIPS."""
    from talkvid.evaluation.temporal import VERSION, temporal_lpips

    network = lpips.load(settings)
    columns = lpips.earned(LPIPS_COLUMNS, network)

    def measured(view: ClipView) -> Measured:
        change = partial(temporal_lpips, lpips=network, fps=view.made.fps)
        return measure(view, change=change, columns=columns)

    told = lpips.weights_told(network)
    return PlainMetric(LPIPS, measured, version=VERSION, columns=columns, **told)


L1 = Entry(
    name="temporal_l1",
    description="L1 between consecutive pictures, made, true and ratio",
    columns=L1_COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build_l1,
)
LPIPS = Entry(
    name="temporal_lpips",
    description="LPIPS between consecutive pictures, made, true and ratio",
    columns=LPIPS_COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build_lpips,
    weights="as lpips",
    models=("alexnet", "lpips-alex", "vgg16", "lpips-vgg"),
    in_default=False,
)
