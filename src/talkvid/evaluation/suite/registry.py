"""All metrics by name, and the suite of those that were asked for."""

import difflib
from collections.abc import Callable, Mapping, Sequence

from talkvid import plugins
from talkvid.catalogue.commercial import refusal
from talkvid.evaluation.suite.entry import Entry
from talkvid.evaluation.suite.metric import LeftOut, Metric, SetMetric, Suite
from talkvid.evaluation.suite.metrics import (
    background,
    duration,
    faces,
    fid,
    fvd,
    identity,
    lips,
    lmd,
    lpips,
    mel,
    pixel,
    sharpness,
    silence,
    ssim,
    sync,
    temporal,
)
from talkvid.evaluation.suite.weights import MetricSettings, NotAtHand

_FAMILIES = (
    *(sync.ENTRY, mel.ENTRY, silence.ENTRY),
    *(lips.ENTRY, lmd.ENTRY),
    *(pixel.ENTRY, ssim.ENTRY, lpips.ENTRY),
    *(fid.ENTRY, fvd.ENTRY),
    *(identity.CSIM, identity.COSINE),
    *(temporal.L1, temporal.LPIPS, background.FLICKER, background.DRIFT, sharpness.ENTRY),
    *(faces.ENTRY, duration.ENTRY),
)
METRICS: Mapping[str, Entry] = {entry.name: entry for entry in _FAMILIES}
"""The built-in ones, in the order of the tables."""
_GROUPS: Mapping[str, Callable[[Entry], bool]] = {
    "all": lambda entry: True,
    "default": lambda entry: entry.in_default,
}


def known_metrics() -> dict[str, Entry]:
    """Return all metrics by name: METRICS, then those of plug-in files; ValueError for a misfit."""
    known = dict(METRICS)
    for name in plugins.choices("metric", tuple(METRICS))[len(METRICS) :]:
        entry = plugins.find("metric", name)
        if not isinstance(entry, Entry) or entry.name != name:
            raise ValueError(f"plug-in metric {name!r} must be an Entry of that name, got {entry!r:.80}")
        known[name] = entry
    return known


def resolved(names: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics' names, groups replaced by their members, each once, in the order of the tables.

    ValueError for an unknown name, saying which one is meant perhaps, and for none at all.
    """
    known = known_metrics()
    wanted: set[str] = set()
    for name in names:
        if name in _GROUPS:
            wanted |= {entry.name for entry in known.values() if _GROUPS[name](entry)}
        elif name in known:
            wanted.add(name)
        else:
            raise ValueError(_unknown(name, [*_GROUPS, *known]))
    if not wanted:
        raise ValueError(f"no metric was named; known are {', '.join([*_GROUPS, *known])}")
    return tuple(name for name in known if name in wanted)


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    meant = f", did you mean {near[0]!r}?" if near else ";"
    return f"there is no metric {name!r}{meant} known are {', '.join(known)}"


def refuse_non_commercial(names: Sequence[str]) -> None:
    """Raise ValueError for the first metric named by itself whose models do not allow commercial use.

    Those that a group brings are left out instead, by name.
    """
    known = known_metrics()
    for name in names:
        refused = _refused(known[name]) if name in known else None
        if refused is not None:
            raise ValueError(f"--metrics {name}: {refused}; leave it out")


def _refused(entry: Entry) -> str | None:
    reasons = [reason for model in entry.models if (reason := refusal(model)) is not None]
    return f"commercial_safe: {reasons[0]}" if reasons else None


def build_suite(names: Sequence[str], settings: MetricSettings) -> Suite:
    """Return the metrics of these names or groups ("all", "default"), in the order of METRICS.

    What was never fetched or installed leaves its metric out, by name and with the command that fetches it.
    ValueError for an unknown name or for weights that are there and do not fit.
    """
    known = known_metrics()
    metrics: list[Metric] = []
    sets: list[SetMetric] = []
    left_out: list[LeftOut] = []
    for name in resolved(names):
        refused = _refused(known[name]) if settings.commercial_safe else None
        if refused is not None:
            left_out.append(LeftOut(name, refused))
            continue
        try:
            built = known[name].build(settings)
        except (NotAtHand, ImportError) as error:
            left_out.append(LeftOut(name, str(error)))
            continue
        if isinstance(built, SetMetric):
            sets.append(built)
        else:
            metrics.append(built)
    return Suite(tuple(metrics), tuple(sets), tuple(left_out))
