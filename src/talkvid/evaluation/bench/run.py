"""A whole bench: videos made here and elsewhere become rows, every row scored over the same clips."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.evaluation.bench.clips import Bench
from talkvid.evaluation.bench.generate import Generate, Generated, generate_videos
from talkvid.evaluation.bench.systems import SystemVideos, bench_pairs, common_clips, find_videos, made_here
from talkvid.evaluation.suite.controls import with_controls
from talkvid.evaluation.suite.pair import TRUTH, Pair
from talkvid.evaluation.suite.result import Evaluation
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

BENCH_FILE = "bench.json"
Evaluate = Callable[[Sequence[Pair]], Evaluation]
"""`suite.run.evaluate` with everything but the pairs given."""


@dataclass(frozen=True)
class Generator:
    """A system whose videos are made here."""

    system: str
    """Its row of the table."""
    setup: Callable[[], Generate]
    """Called once per worker process, so it must pickle."""
    signature: str
    """What the videos depend on besides the clips: model and settings."""
    workers: int = 1
    executor: str = "local"
    deadline_s: float | None = None
    attempts: int = 1


@dataclass(frozen=True)
class BenchRun:
    """What a bench gave."""

    bench: Bench
    systems: tuple[SystemVideos, ...]
    """In the order of the table."""
    evaluation: Evaluation
    generated: Generated | None = None

    def describe(self) -> dict[str, Any]:
        """Return clips, what was made and what each system covers as plain values, the same every time."""
        return {
            "bench": self.bench.describe(),
            "generated": None if self.generated is None else self.generated.describe(),
            "systems": {system.system: system.describe() for system in self.systems},
            "failed_videos": {
                result.pair.id: result.failure for result in self.evaluation.pairs if result.failure
            },
        }


def run_bench(
    bench: Bench,
    evaluate: Evaluate,
    *,
    output: Path,
    generator: Generator | None = None,
    outputs: Sequence[tuple[str, Path]] = (),
    controls: bool = True,
    common: bool = False,
) -> BenchRun:
    """Return what the bench gave; videos, journal and `bench.json` are below `output`.

    Args:
        bench: the clips.
        evaluate: scores pairs.
        output: folder of the run; the same call again goes on where it was stopped.
        generator: the system whose videos are made here, the first row.
        outputs: name and folder of every other system, one row each.
        controls: whether truth, shifted sound, wrong sound and still frame are scored beside them.
        common: whether only clips that every system has are scored.

    Raises:
        ValueError: no clip is ready, no system is named, two have one name, or no video is there.
    """
    if not bench.clips:
        first = next(iter(bench.broken), None)
        why = "" if first is None else f", the first because of: {first.problem}"
        raise ValueError(f"{bench.root}: none of its {bench.num_clips} clips can be used{why}")
    _check_names([generator.system] if generator else [], outputs)
    systems = [find_videos(bench.clips, folder, system=name) for name, folder in outputs]
    generated = None
    if generator is not None:
        generated = _generate(bench, generator, output)
        systems.insert(0, made_here(generated, system=generator.system))
    clips = common_clips(bench.clips, systems) if common else bench.clips
    pairs = bench_pairs(clips, systems)
    if not pairs:
        first_reason = next(iter(systems[0].missing.values()), "")
        raise ValueError(f"no system has a video of any clip; the first failure was: {first_reason}")
    _warn_of_gaps(systems, common=common)
    evaluation = evaluate(with_controls(pairs) if controls else pairs)
    done = BenchRun(bench, tuple(systems), evaluation, generated)
    with atomic_path(output / BENCH_FILE) as temporary:
        text = json.dumps(done.describe(), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return done


def _generate(bench: Bench, generator: Generator, output: Path) -> Generated:
    generated = generate_videos(
        bench.clips,
        generator.setup,
        output=output,
        signature=generator.signature,
        workers=generator.workers,
        executor=generator.executor,
        deadline_s=generator.deadline_s,
        attempts=generator.attempts,
    )
    logger.info(
        "%s: %d videos made (%d of them earlier), %d failed",
        generator.system, len(generated.made), generated.num_earlier, len(generated.failures),
    )  # fmt: skip
    return generated


def _check_names(own: Sequence[str], outputs: Sequence[tuple[str, Path]]) -> None:
    names = [*own, *(name for name, _ in outputs)]
    if not names:
        raise ValueError("there is nothing to score: generate videos, or give --outputs NAME=DIR")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two systems are called '{twice}'; give each --outputs NAME=DIR a name of its own")
    if TRUTH in names:
        raise ValueError(f"no system can be called '{TRUTH}': that is the row of the true videos")


def _warn_of_gaps(systems: Sequence[SystemVideos], *, common: bool) -> None:
    covered = {frozenset(system.videos) for system in systems}
    if len(covered) > 1 and not common:
        coverages = ", ".join(f"{system.system} {system.coverage}" for system in systems)
        logger.warning(
            "systems cover different clips (%s); --common_clips scores only those of all", coverages
        )
