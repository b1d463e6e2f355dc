"""One pair as an item of a run: what its numbers depend on, and what earlier runs found already."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.evaluation.suite.metric import Metric, SetMetric, Suite
from talkvid.evaluation.suite.pair import SHIFTED, WRONG, Pair
from talkvid.runner.journal import DONE, Record

NUM_OTHERS = 5
"""Sounds of other clips that controls within a metric are made of."""


@dataclass(frozen=True)
class PairItem:
    """A pair to be measured; `keys` and `known` are by metric name."""

    pair: Pair
    others: tuple[Path, ...] = ()
    """Files with the sounds of other clips."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """A hash of all that a metric's numbers depend on: files, control, others' sounds, the metric itself."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """What earlier runs stored, each with the key it was found under."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files, as earlier runs found them."""
    signature: str = ""

    @property
    def id(self) -> str:
        """Return the pair's name in the run."""
        return self.pair.id

    @property
    def partial(self) -> dict[str, Any]:
        """Return what stays known when this run fails to measure the pair."""
        return {"metrics": dict(self.known), "files": dict(self.hashes)}

    def wants(self, name: str) -> bool:
        """Return whether the metric is asked for and was not measured under the same conditions."""
        return name in self.keys and self.known.get(name, {}).get("key") != self.keys[name]


def make_items(
    pairs: Sequence[Pair], suite: Suite, *, conditions: str, latest: Mapping[str, Record], folder: Path
) -> list[PairItem]:
    """Return the items of the pairs, what the records `latest` tell and is still there taken over.

    `conditions` is what all numbers depend on besides files and metric; features are sought below `folder`.
    """
    sounds = _sounds_by_clip(pairs)
    items = []
    for pair in pairs:
        others = _others(pair, sounds)
        keys = _keys(pair, others, suite, conditions)
        record = latest.get(pair.id)
        stored = (record.result or {}) if record is not None else {}
        known = {name: kept for name, kept in stored.get("metrics", {}).items() if is_kept(kept, folder)}
        item = PairItem(pair, others, keys, known, stored.get("files", {}))
        complete = record is not None and record.state == DONE and not any(map(item.wants, keys))
        signature = record.signature if record is not None and complete else _digest(sorted(keys.items()))
        items.append(PairItem(pair, others, keys, known, item.hashes, signature))
    return items


def is_kept(stored: Mapping[str, Any], folder: Path) -> bool:
    """Return whether a stored result is of use: no fault of the machine, and its feature files are there."""
    if stored.get("fault"):
        return False
    return all((folder / stored[side]).is_file() for side in ("made", "truth") if side in stored)


def measured_for(metric: Metric | SetMetric, pair: Pair) -> bool:
    """Return whether a metric can notice a control: one that differs in sound alone is not seen."""
    control = pair.control
    sounds_alone = control is not None and not control.still and control.name in (SHIFTED, WRONG)
    return not sounds_alone or (isinstance(metric, Metric) and metric.hears)


def _keys(pair: Pair, others: Sequence[Path], suite: Suite, conditions: str) -> dict[str, str]:
    files = [_state(path) for path in (pair.made, pair.reference, pair.audio, pair.portrait)]
    control = None if pair.control is None else [pair.control.shift_s, pair.control.still]
    sounds = [_state(path) for path in others]
    keys = {}
    for metric in suite.every:
        if measured_for(metric, pair):
            hears = isinstance(metric, Metric) and metric.hears
            told = [conditions, files, control, sounds if hears else [], metric.signature]
            keys[metric.name] = _digest(told)
    return keys


def _sounds_by_clip(pairs: Iterable[Pair]) -> dict[str, Path]:
    """Return by clip the file whose sound belongs to it, as the first pair that is no control says."""
    sounds: dict[str, Path] = {}
    for pair in pairs:
        if pair.control is None:
            sounds.setdefault(pair.clip, pair.audio or pair.made)
    return sounds


def _others(pair: Pair, sounds: Mapping[str, Path]) -> tuple[Path, ...]:
    """Return the sounds of the next clips, each file once, but not what the pair is heard with."""
    clips = list(sounds)
    at = clips.index(pair.clip) if pair.clip in sounds else 0
    own = {pair.audio or pair.made, sounds.get(pair.clip)}
    following = [sounds[clip] for clip in (*clips[at + 1 :], *clips[:at])]
    return tuple(path for path in dict.fromkeys(following) if path not in own)[:NUM_OTHERS]


def _state(path: Path | None) -> list[Any] | None:
    """Return what tells whether a file was changed; a missing one is told from every other."""
    if path is None:
        return None
    try:
        state = path.stat()
    except OSError:
        return [str(path), None]
    return [str(path), state.st_size, state.st_mtime_ns]


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]
