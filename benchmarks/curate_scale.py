"""How long a run of very many clips takes beside decoding, and whether its memory stays flat.

    python -m benchmarks.curate_scale manifest [--clips 100000]   start-up after resume, decide, report
    python -m benchmarks.curate_scale memory [--clips 1000]       memory while clips are scanned and scored

`manifest` writes the journals of a run with that many clips in videos of 20 clips each, with seeded scores
and the settings of the default profile.  Then it times the start of a run in which everything is done (until
it knows that no clip waits), `decide` with another threshold, and the report without pictures.
`memory` draws
that many little videos (64 px, 1 s), scans them, scores them with scorers that look at two pictures each, and
prints the resident memory of the run and of its worker as it goes.
"""

import argparse
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from talkvid.curation import curate
from talkvid.curation.config import CurateConfig, load_curate_config
from talkvid.curation.decide import StageResult
from talkvid.curation.profiles import rules_of
from talkvid.curation.records import Span
from talkvid.curation.report import build_report
from talkvid.curation.report_settings import ReportConfig
from talkvid.curation.scanning import scan_settings, source_item
from talkvid.curation.scoring import stored_key
from talkvid.curation.sources import VideoSource
from talkvid.runner.journal import Record, encode_line
from tests.curation import curation_jobs

CLIPS_PER_VIDEO = 20
SIGNATURE = "0" * 16
OFF = ("rules.scan.has_audio=off", "rules.scan.speech_ratio=off")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("manifest", "memory"))
    parser.add_argument("--clips", type=int)
    parser.add_argument("--folder", type=Path, help="keep the run folder here (a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if arguments.what == "manifest":
            measure_manifest(folder, arguments.clips or 100_000)
        else:
            measure_memory(folder, arguments.clips or 1_000)


def measure_manifest(folder: Path, clips: int) -> None:
    """Print seconds and peak memory of each step on a finished run of that many clips."""
    config = replace(load_curate_config(), output=str(folder / "run"))
    plan = curate.make_plan(config)
    sources = [
        VideoSource(f"video{n:06d}", f"/nowhere/video{n:06d}.mp4") for n in range(clips // CLIPS_PER_VIDEO)
    ]
    timed("journals written", lambda: write_journals(plan, sources))
    timed("start-up after resume: sources compared", lambda: curate.prepare(plan, sources))
    timed("start-up after resume: scans known", lambda: unscanned(plan, sources))
    timed("start-up after resume: clips that wait", lambda: len(curate.waiting_clips(plan)))
    timed("decide and tables", lambda: sum(curate.write_tables(plan).by_status.values()))
    stricter = load_curate_config(overrides=["rules.head.avg_movement=>=95"])
    other = replace(plan, config=replace(stricter, output=config.output))
    timed("decide with another threshold", lambda: dict(curate.write_tables(other).by_status))
    timed("report", lambda: build_report(plan.folder.path, config=ReportConfig(thumbnails=0)).stat().st_size)


def timed(name: str, step: Callable[[], object]) -> None:
    """Run a step and print what it returned, its seconds and the most memory used so far."""
    wall, cpu = time.monotonic(), time.process_time()
    result = step()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:42} {wall:7.1f} s wall {cpu:7.1f} s CPU {peak:7.0f} MiB peak  {result}", flush=True)


def unscanned(plan: curate.Plan, sources: list[VideoSource]) -> int:
    """Return how many files a run would scan."""
    return sum(line.startswith("scan ") for line in curate.outlook(replace(plan, scores=()), sources))


def write_journals(plan: curate.Plan, sources: list[VideoSource]) -> int:
    """Write the journals as a run with these sources would have left them; return the number of clips."""
    curate.prepare(plan, sources)
    plan.folder.write_signatures(
        {stage: {"backend": "embedded", "digest": SIGNATURE} for stage in plan.config.active}
    )
    settings = scan_settings(plan.config)
    count = 0
    plan.folder.scan_journal.parent.mkdir(parents=True, exist_ok=True)
    with plan.folder.scan_journal.open("wb") as scans, plan.folder.score_journal.open("wb") as scores:
        for source in sources:
            signature = source_item(source, settings).signature
            spans = list(spans_of(source))
            result = {"spans": [span.to_json() for span in spans], "facts": {"duration_s": 6.0 * len(spans)}}
            scans.write(encode_line(Record(source.id, "done", signature, result)))
            for span in spans:
                scores.write(
                    encode_line(Record(span.clip_id, "done", signature, scores_of(span, plan.config)))
                )
                count += 1
    return count


def spans_of(source: VideoSource) -> Iterator[Span]:
    """Yield the clips of a made-up video: 6 s each, speaking half of the time."""
    for number in range(1, CLIPS_PER_VIDEO + 1):
        start = 150 * (number - 1)
        facts = {"speech_s": 3.0, "speech_ratio": 0.5, "language": "en"}
        yield Span(
            source.id, source.path, number, start, start + 150, (1, 25), start, 150, 1920, 1080, 25.0,
            has_audio=True, facts=facts,
        )  # fmt: skip


def scores_of(span: Span, config: CurateConfig) -> dict[str, object]:
    """Return made-up scores of all stages around their thresholds, as the score journal keeps them."""
    draw = random.Random(span.clip_id)
    stages = {}
    for stage, rules in rules_of(config).items():
        if stage == "scan":
            continue
        scores = {rule.score: rule.threshold * draw.uniform(0.995, 1.2) for rule in rules}
        if stage == "motion":
            scores = {rule.score: draw.uniform(0.8, 1.0) for rule in rules}
        stages[stored_key(stage, SIGNATURE)] = StageResult("embedded", SIGNATURE, scores).to_json()
    return {"stages": stages, "seconds": {"decode": 0.1}, "host": "here"}


def measure_memory(folder: Path, clips: int) -> None:
    """Print the resident memory of a run and its worker at ten moments, while it scores drawn videos."""
    sources = []
    for number in range(clips):
        path = curation_jobs.draw_video(folder / "videos" / f"v{number:05d}.mp4", shade=number % 200, fps=25)
        sources.append(VideoSource(path.stem, str(path)))
    overrides = ["run.workers=1", "rules.scan.duration_s=>=0.5", *OFF]
    config = replace(load_curate_config(overrides=overrides), output=str(folder / "run"))
    plan = curate.make_plan(config)
    curate.prepare(plan, sources)
    for step, work in (("scan", lambda: curate.scan(plan, sources)), ("score", lambda: score(plan))):
        watch_memory(step, plan, work, clips)
    print(dict(curate.write_tables(plan).by_status))


def score(plan: curate.Plan) -> None:
    """Score with the scorers of the tests."""
    curate.score(plan, build=curation_jobs.builder())


def watch_memory(step: str, plan: curate.Plan, work: Callable[[], None], clips: int) -> None:
    """Run a step and print memory whenever a tenth of its clips is through."""
    import talkvid.curation.progress as progress

    done, original = [0], progress.Progress.__call__

    def counted(self: progress.Progress, record: Record) -> None:
        original(self, record)
        done[0] += 1
        if done[0] % max(clips // 10, 1) == 0:
            own = psutil.Process(os.getpid())
            workers = [child.memory_info().rss for child in own.children(recursive=True)]
            print(
                f"{step:6} {done[0]:6} clips: run {own.memory_info().rss / 2**20:6.0f} MiB, "
                f"largest worker {max(workers, default=0) / 2**20:6.0f} MiB",
                flush=True,
            )

    progress.Progress.__call__ = counted  # type: ignore[method-assign]
    try:
        work()
    finally:
        progress.Progress.__call__ = original  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
