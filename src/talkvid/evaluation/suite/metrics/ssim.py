"""SSIM of made pictures to the true ones, by a stated rule."""

from dataclasses import replace
from functools import partial

from talkvid.evaluation import ssim
from talkvid.evaluation.suite.entry import Entry, PlainMetric
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need
from talkvid.evaluation.suite.metrics.outcome import outcome, pair_facts
from talkvid.evaluation.suite.weights import MetricSettings

RULES = {
    "gaussian": ssim.GAUSSIAN,
    "gaussian_mirrored": ssim.GAUSSIAN_MIRRORED,
    "uniform": ssim.UNIFORM,
}
COLUMNS = (
    Column(
        "ssim",
        "SSIM",
        "higher",
        "Structural similarity to the true pictures, 1 for equal ones; window and border by the stated rule.",
    ),
    Column(
        "ssim_lowest", "SSIM, worst picture", "higher", "The lowest structural similarity of any picture."
    ),
)


def measure(view: ClipView, *, rule: ssim.SsimRule, columns: tuple[Column, ...]) -> Measured:
    """Return the mean and the lowest similarity."""
    found = ssim.ssim(view.frame_pairs(), rule=rule)
    values = {columns[0].key: found.mean, columns[1].key: found.lowest}
    return outcome(values, facts={**pair_facts(view), **found.protocol})


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric with the rule of the settings; another than the paper's is named in its columns."""
    rule = RULES[settings.ssim_rule]
    columns: tuple[Column, ...] = COLUMNS
    if rule is not ssim.GAUSSIAN:
        columns = tuple(
            replace(
                column,
                key=f"{column.key}_{settings.ssim_rule}",
                heading=f"{column.heading}, {settings.ssim_rule.replace('_', ' ')}",
            )
            for column in COLUMNS
        )
    return PlainMetric(
        ENTRY,
        partial(measure, rule=rule, columns=columns),
        version=ssim.VERSION,
        columns=columns,
        rule=rule.stated,
    )


ENTRY = Entry(
    name="ssim",
    description="SSIM (Wang et al. 2004), with the window and border rule that is asked for",
    columns=COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build,
)
