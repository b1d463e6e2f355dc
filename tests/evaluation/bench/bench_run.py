"""A bench run as a program of its own, so that a test can kill it.

    python -m tests.evaluation.bench.bench_run BENCH OUTPUT [--workers N] [--executor inline]
        [--outputs NAME=DIR ...] [--no_controls]

Draws the videos of one system, takes those of the others, and scores them with planted and cheap metrics.
"""

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from talkvid.evaluation.bench.layout import find_bench
from talkvid.evaluation.bench.run import BenchRun, Generator, run_bench
from talkvid.evaluation.bench.systems import read_outputs
from talkvid.evaluation.suite.run import evaluate
from talkvid.evaluation.suite.weights import MetricSettings
from tests.evaluation.bench.makers import Maker, maker
from tests.evaluation.bench.planted import REAL, build_blind, build_planted

OURS = "ours"


def bench_run(
    folder: Path,
    output: Path,
    *,
    workers: int = 1,
    executor: str = "local",
    outputs: Sequence[str] = (),
    controls: bool = True,
    common: bool = False,
    settings: Maker | None = None,
    signature: str = "drawn",
) -> BenchRun:
    output.mkdir(parents=True, exist_ok=True)
    score = partial(
        evaluate,
        names=REAL,
        settings=MetricSettings(),
        output=output,
        workers=workers,
        executor=executor,
        suite_builder=build_planted,
        eye_builder=build_blind,
    )
    generator = Generator(
        OURS, partial(maker, settings or Maker(output / "calls.txt")), signature, workers, executor
    )
    return run_bench(
        find_bench(folder),
        score,
        output=output,
        generator=generator,
        outputs=[read_outputs(text) for text in outputs],
        controls=controls,
        common=common,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--executor", default="local")
    parser.add_argument("--outputs", nargs="*", default=[])
    parser.add_argument("--no_controls", action="store_true")
    args = parser.parse_args()
    logging.getLogger("talkvid").setLevel(logging.WARNING)
    bench_run(
        args.bench,
        args.output,
        workers=args.workers,
        executor=args.executor,
        outputs=args.outputs,
        controls=not args.no_controls,
    )


if __name__ == "__main__":
    main()
