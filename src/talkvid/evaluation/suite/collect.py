"""From what a run's journal holds to its results: pairs in their order, sets, hashes and times."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.evaluation.suite.metric import SetMetric, Suite
from talkvid.evaluation.suite.pair_item import PairItem, is_kept
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult
from talkvid.evaluation.suite.set_distances import KeptFeatures, set_results
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

HASHES = "files.sha256"
"""`sha256sum --check files.sha256` says whether the files are still those that were judged."""


def assemble(
    items: Sequence[PairItem],
    suite: Suite,
    *,
    stored: Mapping[str, Any],
    failures: Mapping[str, str],
    folder: Path,
    settings: Mapping[str, Any],
) -> Evaluation:
    """Return the whole run from what is stored by pair; features lie and hashes go below `folder`."""
    return Evaluation(
        columns={metric.name: metric.columns for metric in suite.every},
        pairs=tuple(_pair_result(item, suite, stored[item.id], failures.get(item.id, "")) for item in items),
        sets=tuple(
            result
            for metric in suite.sets
            for result in set_results(metric, _features(metric, items, stored, folder))
        ),
        left_out=suite.left_out,
        settings={
            **settings,
            "metrics": {metric.name: metric.signature for metric in suite.every},
            **_gathered(items, stored, folder),
        },
    )


def stored_results(
    items: Sequence[PairItem], journal: Path, output: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield by pair what is known now, only what was found under the present conditions."""
    with runner.Journal(journal) as memory:
        for item in items:
            told = memory.latest[item.id].result or {"metrics": {}, "files": {}}
            metrics = {
                name: kept
                for name, kept in told["metrics"].items()
                if kept.get("key") == item.keys.get(name) and (kept.get("fault") or is_kept(kept, output))
            }
            yield item.id, {**told, "metrics": metrics}


def _pair_result(item: PairItem, suite: Suite, stored: Mapping[str, Any], failure: str) -> PairResult:
    found = {}
    for metric in suite.every:
        told = stored["metrics"].get(metric.name, {})
        # Of a set's metric only failures are told pair by pair.
        if "values" in told or "reason" in told:
            nothing = {column.key: None for column in metric.columns}
            found[metric.name] = MetricResult(
                values=told.get("values", nothing),
                facts=told.get("facts", {}),
                notes=tuple(told.get("notes", ())),
                reason=told.get("reason", ""),
            )
    return PairResult(item.pair, found, failure)


def _features(
    metric: SetMetric, items: Sequence[PairItem], stored: Mapping[str, Any], output: Path
) -> Iterator[KeptFeatures]:
    for item in items:
        told = stored[item.id]["metrics"].get(metric.name, {})
        if "made" in told:
            yield KeptFeatures(item.pair, output / told["made"], output / told["truth"], told["facts"])


def _gathered(items: Sequence[PairItem], stored: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the seconds that each metric took, how often what was lacking, and which files were read."""
    files: dict[str, str] = {}
    seconds: Counter[str] = Counter()
    lacking: Counter[str] = Counter()
    for item in items:
        files |= stored[item.id]["files"]
        metrics = stored[item.id]["metrics"]
        seconds.update({name: told.get("seconds", 0.0) for name, told in metrics.items()})
        if item.pair.control is None:
            lacking.update({str(need) for told in metrics.values() for need in told.get("lacks", ())})
    count = sum(item.pair.control is None for item in items)
    for need, times in lacking.items():
        logger.warning("%d of %d videos lack %s: measures that need it leave them out", times, count, need)
    return {
        "seconds": {name: round(spent, 1) for name, spent in seconds.items()},
        "lacking": dict(lacking),
        "files": _listed(files, folder),
    }


def _listed(hashes: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Write the hashes of all files as `sha256sum` does; return how many, where, and the list's own hash."""
    text = "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))
    with atomic_path(folder / HASHES) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {"count": len(hashes), "list": HASHES, "sha256": hashlib.sha256(text.encode()).hexdigest()}
