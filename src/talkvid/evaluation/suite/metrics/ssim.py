"""SSIM of made pictures to the true ones, by a stated rule."""

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


def measure(view: ClipView, *, rule: ssim.SsimRule) -> Measured:
    """Return the mean and the lowest similarity."""
    found = ssim.ssim(view.frame_pairs(), rule=rule)
    values = {"ssim": found.mean, "ssim_lowest": found.lowest}
    return outcome(values, facts={**pair_facts(view), **found.protocol})


def build(settings: MetricSettings) -> PlainMetric:
    """Return the metric with the rule of the settings."""
    rule = RULES[settings.ssim_rule]
    return PlainMetric(ENTRY, partial(measure, rule=rule), version=ssim.VERSION, rule=rule.stated)


ENTRY = Entry(
    name="ssim",
    description="SSIM (Wang et al. 2004), with the window and border rule that is asked for",
    columns=COLUMNS,
    needs=frozenset({Need.REFERENCE}),
    build=build,
)
