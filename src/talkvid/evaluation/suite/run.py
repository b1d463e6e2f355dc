"""Measures many pairs on the runner: resumable, in parallel, one failure costing one number."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2

from talkvid import runner
from talkvid.evaluation.suite import view
from talkvid.evaluation.suite.collect import assemble, stored_results
from talkvid.evaluation.suite.looks import Eye, Looks
from talkvid.evaluation.suite.measure_pair import Bench, measure_pair
from talkvid.evaluation.suite.metric import Suite
from talkvid.evaluation.suite.pair import TRUTH, Pair
from talkvid.evaluation.suite.pair_item import PairItem, is_kept, make_items
from talkvid.evaluation.suite.provenance import provenance
from talkvid.evaluation.suite.registry import build_suite
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.store import FILE_NAME, save_evaluation
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.suite.yardsticks import build_yardstick
from talkvid.evaluation.weight_files import file_sha256

logger = logging.getLogger(__name__)

JOURNAL = "journal.jsonl"
LOOKS = "looks"
DEADLINE_S = 1800.0
ATTEMPTS = 2
"""A pair whose worker died is tried once more, after the others."""


@dataclass(frozen=True)
class ViewSettings:
    """Who looks at the pictures, and what is let through."""

    yardstick: str = "embedded"
    yardstick_model: Path | None = None
    """Model file of a yardstick that has one of its own."""
    allow_length_mismatch: bool = False
    """Whether a made video may be more than 10 % shorter or longer than the true one."""


BuildSuite = Callable[[Sequence[str], MetricSettings], Suite]
BuildEye = Callable[[ViewSettings], Eye]


def build_eye(settings: ViewSettings) -> Eye:
    """Return who looks at the pictures; ImportError or FileNotFoundError for what is missing."""
    from talkvid.face import landmark_net
    from talkvid.face.mediapipe_backend import model_file

    yardstick = build_yardstick(settings.yardstick, model_path=settings.yardstick_model)
    if settings.yardstick == "embedded":
        network = str(files("talkvid") / "weights" / landmark_net.WEIGHTS)
    else:
        network = str(model_file(settings.yardstick_model))
    return Eye(yardstick, file_sha256(network)[:12], note=yardstick.judges_itself)


def evaluate(
    pairs: Sequence[Pair],
    names: Sequence[str],
    settings: MetricSettings,
    *,
    output: Path,
    views: ViewSettings | None = None,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = DEADLINE_S,
    told: Mapping[str, Any] | None = None,
    suite_builder: BuildSuite = build_suite,
    eye_builder: BuildEye = build_eye,
) -> Evaluation:
    """Return what the metrics `names` give for the pairs; the same is written to `output`/results.json.

    What an earlier run in the same folder found is taken over while files, metric and settings are the same.

    Args:
        pairs: each with its own row and clip; controls among them.
        names: metrics or groups of them, see `registry`.
        settings: weights, protocols and device of the metrics.
        output: folder of the results; looks at videos and features of sets are kept there, too.
        views: who looks at the pictures, and what is let through.
        workers: number of processes.
        executor: `local`, `inline` or `ray`.
        deadline_s: seconds that one pair may take.
        told: further settings to store, such as the command line.
        suite_builder: builds the metrics, called once in every worker and once here.
        eye_builder: builds the yardstick, called likewise.

    Raises:
        ValueError: two pairs of one row and clip, an unknown metric, weights that do not fit.
    """
    views, output = views or ViewSettings(), output.absolute()
    suite, eye = suite_builder(names, settings), eye_builder(views)
    conditions = f"{view.VERSION} {eye.signature} {views.allow_length_mismatch}"
    journal = output / JOURNAL
    with runner.Journal(journal) as memory:
        items = make_items(pairs, suite, conditions=conditions, latest=memory.latest, folder=output)
    summary = runner.run(
        sorted(items, key=_truth_first),
        measure_pair,
        setup=partial(
            _make_bench, names, settings, views, output, suite_builder, eye_builder, single=workers > 1
        ),
        journal=journal,
        workers=workers,
        executor=executor,
        deadline_s=None if executor == "inline" else deadline_s,
        description="evaluating",
        is_intact=partial(_is_intact, output),
        attempts=ATTEMPTS,
        keep_results=False,
    )
    evaluation = assemble(
        items,
        suite,
        stored=dict(stored_results(items, journal, output)),
        failures=summary.failures,
        folder=output,
        settings={
            **provenance(),
            **(told or {}),
            "yardstick": eye.signature,
            **({"yardstick_note": eye.note} if eye.note else {}),
            "allow_length_mismatch": views.allow_length_mismatch,
            "metric_settings": {name: _as_plain(value) for name, value in asdict(settings).items()},
        },
    )
    save_evaluation(evaluation, output / FILE_NAME)
    return evaluation


def _make_bench(
    names: Sequence[str],
    settings: MetricSettings,
    views: ViewSettings,
    output: Path,
    suite_builder: BuildSuite,
    eye_builder: BuildEye,
    *,
    single: bool,
) -> Bench:
    """Return what a worker holds; one of several keeps to one core."""
    if single:
        os.environ["OMP_NUM_THREADS"] = "1"  # for what is loaded from now on
        cv2.setNumThreads(1)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
    looks = Looks(eye_builder(views), output / LOOKS)
    return Bench(suite_builder(names, settings), looks, output, views.allow_length_mismatch)


def _truth_first(item: PairItem) -> bool:
    """Sort the untreated true videos to the front: what is seen in them serves all other rows."""
    return item.pair.control is None or item.pair.control.name != TRUTH


def _is_intact(output: Path, item: PairItem, result: Mapping[str, Any]) -> bool:
    metrics = result["metrics"]
    return all(name in metrics and is_kept(metrics[name], output) for name in item.keys)


def _as_plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
