"""What a bench covers, in words: its clips, who made how many of them, and the table of methods."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from talkvid.evaluation.bench.clips import group_sizes
from talkvid.evaluation.bench.run import BenchRun
from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.markdown import plain, table
from talkvid.evaluation.suite.method_table import method_table
from talkvid.evaluation.suite.summary import Summary
from talkvid.files import atomic_path

FILE_NAME = "bench.md"


def bench_markdown(
    run: BenchRun, summary: Summary, *, user_scores: Mapping[str, UserScore] | None = None
) -> str:
    """Return coverage, broken clips, sizes of subgroups and the table of methods as Markdown."""
    methods = method_table(summary, user_scores=user_scores)
    return "\n".join([*_clips(run), *_systems(run), *_groups(run), "## Methods", "", methods])


def write_bench_report(
    run: BenchRun, summary: Summary, output: Path, *, user_scores: Mapping[str, UserScore] | None = None
) -> Path:
    """Write `bench.md` and return its path."""
    with atomic_path(output / FILE_NAME) as temporary:
        temporary.write_text(bench_markdown(run, summary, user_scores=user_scores), encoding="utf-8")
    return output / FILE_NAME


def coverage_lines(run: BenchRun) -> Iterator[str]:
    """Yield a line on the bench and one on every system, for the terminal."""
    bench = run.bench
    yield f"bench: {bench.num_clips} clips = {len(bench.clips)} ready + {len(bench.broken)} broken"
    for system in run.systems:
        why = "; ".join(f"{count} {reason}" for reason, count in system.missing_by_reason().items())
        yield f"{system.system}: {system.coverage} clips{f' ({why})' if why else ''}"


def _clips(run: BenchRun) -> Iterator[str]:
    bench = run.bench
    yield from ("# Bench", "")
    yield f"{bench.num_clips} clips came in: {len(bench.clips)} are ready, {len(bench.broken)} are broken."
    yield ""
    for clip in bench.broken:
        yield f"- {plain(clip.id)}: {plain(clip.problem)}"
    for note in bench.notes:
        yield f"- {plain(note)}"
    if bench.broken or bench.notes:
        yield ""


def _systems(run: BenchRun) -> Iterator[str]:
    yield from ("## Systems", "")
    rows = []
    for system in run.systems:
        reasons = [f"{count}: {reason}" for reason, count in system.missing_by_reason().items()]
        failed = sum(
            result.pair.system == system.system and result.pair.control is None and bool(result.failure)
            for result in run.evaluation.pairs
        )
        rows.append(
            [plain(system.system), system.coverage, str(failed), plain("; ".join(reasons)) if reasons else ""]
        )
    yield table(["System", "Videos of ready clips", "Could not be opened", "Without a video"], rows)


def _groups(run: BenchRun) -> Iterator[str]:
    sizes = group_sizes(run.bench.clips)
    if not sizes:
        return
    yield from ("## Subgroups", "")
    rows = [
        [
            plain(dimension),
            str(sum(values.values())),
            plain(", ".join(f"{value} {count}" for value, count in values.items())),
        ]
        for dimension, values in sizes.items()
    ]
    yield table(["Dimension", "Clips", "Values"], rows)
    yield "A dimension counts the clips that have a value of it; the others are in no subgroup of it.\n"
