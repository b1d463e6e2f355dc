"""What a worker does with one pair: every metric that is not known yet, each failure its own."""

import hashlib
import io
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.evaluation.suite.looks import Looks
from talkvid.evaluation.suite.metric import Metric, Need, SetMetric, Suite
from talkvid.evaluation.suite.pair_item import PairItem
from talkvid.evaluation.suite.view import OpenPair
from talkvid.evaluation.weight_files import file_sha256
from talkvid.files import atomic_path
from talkvid.records import Array
from talkvid.runner.outcome import one_line

logger = logging.getLogger(__name__)

FEATURES = "features"
USERS_FAULTS = (ValueError, FileNotFoundError)
"""What lies in the files and will be so again; anything else is tried anew by the next run."""


@dataclass(frozen=True)
class Bench:
    """What a worker holds: the metrics, the eye, and where features go."""

    suite: Suite
    looks: Looks
    folder: Path
    allow_length_mismatch: bool = False


def measure_pair(item: PairItem, bench: Bench) -> dict[str, Any]:
    """Return what is known of the pair by metric, and the hashes of its files, as the journal keeps it.

    FileNotFoundError or ValueError when the made video cannot be opened.
    """
    view = OpenPair(
        item.pair, bench.looks, others=item.others, allow_length_mismatch=bench.allow_length_mismatch
    )
    found = dict(item.known)
    for metric in bench.suite.every:
        if item.wants(metric.name):
            begin = time.monotonic()
            stored = _stored(metric, view, bench.folder)
            seconds = round(time.monotonic() - begin, 3)
            found[metric.name] = {"key": item.keys[metric.name], "seconds": seconds, **stored}
    return {"metrics": found, "files": _hashes(item)}


def _stored(metric: Metric | SetMetric, view: OpenPair, folder: Path) -> dict[str, Any]:
    """Return the numbers of one metric as plain values, why there are none, or what the pair lacks."""
    lacking = view.lacks(metric.needs)
    if lacking:
        return {"lacks": sorted(lacking)}
    try:
        if Need.REFERENCE in metric.needs:
            view.require_reference()
        if isinstance(metric, SetMetric):
            return _features(metric, view, folder)
        measured = metric.measure(view)
        values, notes = finite(measured.values, measured.notes)
        return {"values": values, "facts": plain(measured.facts), "notes": notes}
    except Exception as error:
        fault = {} if isinstance(error, USERS_FAULTS) else {"fault": True}
        if fault:
            logger.debug("%s: %s failed", view.pair.id, metric.name, exc_info=True)
        return {"reason": one_line(error), **fault}


def _features(metric: SetMetric, view: OpenPair, folder: Path) -> dict[str, Any]:
    found = metric.features(view)
    for side, rows in (("made", found.made), ("true", found.truth)):
        broken = int((~np.isfinite(rows)).any(axis=1).sum()) if rows.ndim == 2 else -1
        if broken or rows.shape[1:] != (metric.dims,):
            raise ValueError(f"{metric.name}: {broken} of {rows.shape} {side} features are not finite")
    return {
        "made": _keep(found.made, folder, metric.name),
        "truth": _keep(found.truth, folder, metric.name),
        "facts": plain(found.facts),
    }


def _keep(rows: Array, folder: Path, name: str) -> str:
    """Write features (N, D) as float32 under their hash, so that a truth in many rows lies there once."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(rows, np.float32), allow_pickle=False)
    content = stream.getbuffer()
    place = Path(FEATURES) / name / f"{hashlib.sha256(content).hexdigest()[:24]}.npy"
    if not (folder / place).is_file():
        with atomic_path(folder / place) as temporary:
            temporary.write_bytes(content)
    return place.as_posix()


def _hashes(item: PairItem) -> dict[str, str]:
    """Return the SHA-256 of the pair's files by path."""
    pair = item.pair
    files = [path for path in (pair.made, pair.reference, pair.audio, pair.portrait) if path is not None]
    return {str(path): file_sha256(path) for path in files if path.is_file()}


def finite(
    values: Mapping[str, float | None], notes: tuple[str, ...]
) -> tuple[dict[str, float | None], list[str]]:
    """Return the values with None for what is not finite, and the notes with one on each of these."""
    broken = [key for key, value in values.items() if value is not None and not math.isfinite(value)]
    told = [f"no {key}: not a finite number" for key in broken]
    kept = {key: None if value is None or key in broken else float(value) for key, value in values.items()}
    return kept, [*notes, *told]


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON takes them; numbers that are not finite as texts."""
    told: dict[str, Any] = {}
    for name, value in facts.items():
        value = value.item() if isinstance(value, np.generic) else value
        told[name] = str(value) if isinstance(value, float) and not math.isfinite(value) else value
    return told
