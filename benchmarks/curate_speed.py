"""What curation costs beside the usual way of one decode, transcode or seek per step; CPU seconds.

    python -m benchmarks.curate_speed [VIDEO ...] [--repeats 2] [--seconds 10]

Both ways find cuts with the same kind of detector and score with the same embedded backends, in turns.  The
usual way is `benchmarks/curate_usual_way.py`, ours is `talkvid curate run` in one process, with every stage
for every clip.  Without VIDEO two takes of a portrait of `test_samples` that sways before a textured ground
are encoded as 1080p at 30 pictures per second.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.curate_usual_way import cpu_now, see, usual_way
from talkvid.curation import curate, shared_pass
from talkvid.curation.config import CurateConfig, load_curate_config
from talkvid.curation.manifest import read_clips
from talkvid.curation.records import Span
from talkvid.curation.scorer import Scorer
from talkvid.curation.scoring import build_scorers
from talkvid.curation.sources import VideoSource
from talkvid.media.audio import AudioSource
from talkvid.media.container import open_media, video_stream
from talkvid.media.image import load_image
from talkvid.media.video_window import FrameTables
from talkvid.media.writer import VideoWriter

SAMPLE = Path(__file__).resolve().parents[1] / "test_samples" / "short_case" / "astronaut"
SETTINGS = ("run.executor=inline", "score_all=true", "rules.scan.speech_ratio=off")
WIDTH, HEIGHT, FPS = 1920, 1080, 30


def main() -> None:
    """Measure both ways in turn and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each drawn take (10)")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    shared_pass.perf_counter = time.process_time  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        videos = args.videos or [draw(work / "drawn.mp4", args.seconds)]
        config = load_curate_config(overrides=SETTINGS)
        scorers = build_scorers(config, config.active)
        warm_up(scorers)
        times: dict[str, list[float]] = {"usual": [], "ours": []}
        decodes: dict[str, Counter[str]] = {}
        parts: Counter[str] = Counter()
        num_clips = 0
        for repeat in range(args.repeats):
            for video in videos:
                usual, ours = work / f"usual{repeat}{video.stem}", work / f"ours{repeat}{video.stem}"
                seen = decodes.setdefault(f"usual {video}", Counter())
                times["usual"].append(cpu_seconds(partial(usual_way, video, usual, scorers, seen, parts)))
                times["ours"].append(cpu_seconds(partial(our_way, video, ours, config, scorers)))
                rows = [row for row in read_clips(ours) if row.num_frames]
                decodes[f"ours {video}"] = our_decodes([row.span for row in rows], scorers)
                num_clips += len(rows) if not repeat else 0
        report(times, decodes, parts, num_clips=num_clips, videos=videos, repeats=args.repeats)


def cpu_seconds(work: Callable[[], None]) -> float:
    """Return the CPU seconds of this process and its finished children while `work` runs."""
    before = cpu_now()
    work()
    return cpu_now() - before


def draw(path: Path, seconds: float) -> Path:
    """Write two takes of a portrait that sways, with speech, as 1080p."""
    portrait = cv2.resize(load_image(SAMPLE / "ref.png"), (900, 900), interpolation=cv2.INTER_CUBIC)
    draw_from = np.random.default_rng(0)
    grounds = [
        cv2.resize(draw_from.integers(40, 200, (27, 48, 3), dtype=np.uint8), (WIDTH, HEIGHT))
        for _ in range(2)
    ]
    grain = draw_from.normal(0, 3, (8, HEIGHT, WIDTH, 1))
    with VideoWriter(path, WIDTH, HEIGHT, FPS, audio=AudioSource(SAMPLE / "aud.wav")) as writer:
        for take, ground in enumerate(grounds):
            for number in range(round(seconds * FPS)):
                picture = ground.copy()
                x = 300 + 500 * take + round(20 * np.sin(number / 20))
                y = 90 + round(8 * np.sin(number / 13))
                picture[y : y + 900, x : x + 900] = portrait
                noisy = picture + grain[number % len(grain)]
                writer.write(np.clip(noisy, 0, 255).astype(np.uint8))
    return path


def warm_up(scorers: Mapping[str, Scorer]) -> None:
    """Let every model run once, which is no cost of a clip."""
    span = Span("w", "w", 1, 0, 60, (1, 30), 0, 60, 640, 480, 30.0)
    picture = cv2.resize(load_image(SAMPLE / "ref.png"), (640, 480))
    for scorer in scorers.values():
        see(scorer, span, {index: picture for index in scorer.wanted(span)})


def our_way(video: Path, out: Path, config: CurateConfig, scorers: Mapping[str, Scorer]) -> None:
    """Curate one file into a run folder."""
    plan = curate.make_plan(replace(config, output=str(out)))
    sources = [VideoSource(video.stem, str(video))]
    curate.prepare(plan, sources)
    curate.scan(plan, sources)
    curate.score(plan, build=lambda _config, stages: {stage: scorers[stage] for stage in stages})
    curate.write_tables(plan)


def our_decodes(spans: list[Span], scorers: Mapping[str, Scorer]) -> Counter[str]:
    """Return how many pictures our way decodes: all in the scan, and those of the shared pass."""
    seen: Counter[str] = Counter()
    for span in spans:
        seen["scan"] += span.num_frames
        wanted = sorted(set().union(*(scorer.wanted(span) for scorer in scorers.values())))
        seen["shared pass"] += count_decoded(span, [span.first_frame + index for index in wanted])
    return seen


def count_decoded(span: Span, indices: list[int]) -> int:
    """Return how many pictures the decoder gives out when these are picked as the shared pass does."""
    count = 0
    with open_media(span.path, what="video") as container:
        stream = video_stream(container, span.path)
        context = stream.codec_context
        table = FrameTables().of(container, stream)
        assert table is not None
        for key, run in table.runs(indices):
            left = {int(table.stamps[index]) for index in run}
            container.seek(int(table.key_starts[key]), stream=stream)
            for packet in container.demux(stream):
                context.skip_frame = "DEFAULT" if packet.pts in left or context.name != "h264" else "NONREF"
                count += len(context.decode(packet))
                left.discard(packet.pts)
                if not left:
                    break
            context.flush_buffers()
    return count


def report(
    times: Mapping[str, list[float]],
    decodes: Mapping[str, Counter[str]],
    parts: Counter[str],
    *,
    num_clips: int,
    videos: list[Path],
    repeats: int,
) -> None:
    """Print both ways side by side."""
    print(f"{len(videos)} files, {num_clips} clips, {repeats} turns each; CPU seconds")
    for name, seconds in times.items():
        each = ", ".join(f"{value:.1f}" for value in seconds)
        print(f"  {name:6} {statistics.median(seconds):8.1f} median   ({each})")
    print(f"  ratio  {statistics.median(times['usual']) / statistics.median(times['ours']):8.2f}")
    for name, seconds in sorted(parts.items()):
        print(f"  {name:20} {seconds / repeats / len(videos):8.2f} s per file")
    frames = sum(count_frames(video) for video in videos)
    for way in ("usual", "ours"):
        total: Counter[str] = Counter()
        for name, seen in decodes.items():
            total += seen if name.startswith(f"{way} ") else Counter()
        told = ", ".join(f"{step} {count / frames:.2f}" for step, count in total.items())
        print(f"full decodes per clip, {way}: {total.total() / frames:.2f}   ({told})")
    floor = statistics.median([decode_only(video) for video in videos])
    print(f"one decode of a file and nothing else: {floor:.2f} CPU s (median)")


def count_frames(video: Path) -> int:
    """Return the number of pictures of a file."""
    with av.open(str(video)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def decode_only(video: Path) -> float:
    """Return the CPU seconds of a decode on one thread."""

    def decode() -> None:
        with av.open(str(video)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for _ in container.decode(video=0):
                pass

    return cpu_seconds(decode)


if __name__ == "__main__":
    main()
