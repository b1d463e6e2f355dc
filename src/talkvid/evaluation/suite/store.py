"""A whole run as one JSON file, from which every table, plot and page can be made again.

The same files and settings give the same bytes, however often the run was stopped: when it was made and how
long it took lies in a file of its own beside it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.pair import Control, Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.files import atomic_path

FILE_NAME = "results.json"
TIMES_FILE = "times.json"
TIMES = ("made_at", "seconds")
"""Settings that differ from run to run."""
FORMAT = 1
_FILES = ("made", "reference", "audio", "portrait")


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write the run to `path`, its times beside it; ValueError when a number in it is not finite.

    Each file is whole or not there.
    """
    told = {
        "format": FORMAT,
        "columns": {name: [asdict(one) for one in columns] for name, columns in evaluation.columns.items()},
        "pairs": [_pair_result_as_json(one) for one in evaluation.pairs],
        "sets": [asdict(one) for one in evaluation.sets],
        "left_out": [asdict(one) for one in evaluation.left_out],
        "settings": {name: value for name, value in evaluation.settings.items() if name not in TIMES},
    }
    times = {name: evaluation.settings[name] for name in TIMES if name in evaluation.settings}
    for target, content in ((path.with_name(TIMES_FILE), times), (path, told)):
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        with atomic_path(target) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def load_evaluation(path: Path) -> Evaluation:
    """Return the run stored in a file, or in `results.json` of a folder; FileNotFoundError or ValueError."""
    place = path / FILE_NAME if path.is_dir() else path
    if not place.is_file():
        raise FileNotFoundError(f"{place}: no such file; talkvid evaluate writes it")
    try:
        told = json.loads(place.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}, this version reads {FORMAT}")
        return Evaluation(
            columns={
                name: tuple(Column(**one) for one in columns) for name, columns in told["columns"].items()
            },
            pairs=tuple(_pair_result(one) for one in told["pairs"]),
            sets=tuple(SetResult(**{**one, "notes": tuple(one["notes"])}) for one in told["sets"]),
            left_out=tuple(LeftOut(**one) for one in told["left_out"]),
            settings={**told["settings"], **_times(place.with_name(TIMES_FILE))},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{place}: not the results of a run ({error}); evaluate anew") from error


def _times(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: found[name] for name in TIMES if name in found}


def _pair_result_as_json(result: PairResult) -> dict[str, Any]:
    pair = asdict(result.pair)
    pair |= {name: None if pair[name] is None else str(pair[name]) for name in _FILES}
    metrics = {name: asdict(found) for name, found in result.metrics.items()}
    return {"pair": pair, "metrics": metrics, "failure": result.failure}


def _pair_result(told: Mapping[str, Any]) -> PairResult:
    pair = dict(told["pair"])
    pair |= {name: None if pair[name] is None else Path(pair[name]) for name in _FILES}
    pair["control"] = None if pair["control"] is None else Control(**pair["control"])
    metrics = {
        name: MetricResult(**{**found, "notes": tuple(found["notes"])})
        for name, found in told["metrics"].items()
    }
    return PairResult(Pair(**pair), metrics, told["failure"])
