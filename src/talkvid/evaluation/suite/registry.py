"""All metrics by name, and the suite of those that were asked for."""

import difflib
from collections.abc import Callable, Mapping, Sequence

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
"""In the order of the tables."""
_GROUPS: Mapping[str, Callable[[Entry], bool]] = {
    "all": lambda entry: True,
    "default": lambda entry: entry.in_default,
}


def resolved(names: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics' names, groups replaced by their members, each once, in the order of METRICS.

    ValueError for an unknown name, saying which one is meant perhaps, and for none at all.
    """
    wanted: set[str] = set()
    for name in names:
        if name in _GROUPS:
            wanted |= {entry.name for entry in METRICS.values() if _GROUPS[name](entry)}
        elif name in METRICS:
            wanted.add(name)
        else:
            raise ValueError(_unknown(name))
    if not wanted:
        raise ValueError(f"no metric was named; known are {', '.join([*_GROUPS, *METRICS])}")
    return tuple(name for name in METRICS if name in wanted)


def _unknown(name: str) -> str:
    known = [*_GROUPS, *METRICS]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    meant = f", did you mean {near[0]!r}?" if near else ";"
    return f"there is no metric {name!r}{meant} known are {', '.join(known)}"


def build_suite(names: Sequence[str], settings: MetricSettings) -> Suite:
    """Return the metrics of these names or groups ("all", "default"), in the order of METRICS.

    What was never fetched or installed leaves its metric out, by name and with the command that fetches it.
    ValueError for an unknown name or for weights that are there and do not fit.
    """
    metrics: list[Metric] = []
    sets: list[SetMetric] = []
    left_out: list[LeftOut] = []
    for name in resolved(names):
        try:
            built = METRICS[name].build(settings)
        except (NotAtHand, ImportError) as error:
            left_out.append(LeftOut(name, str(error)))
            continue
        if isinstance(built, SetMetric):
            sets.append(built)
        else:
            metrics.append(built)
    return Suite(tuple(metrics), tuple(sets), tuple(left_out))
