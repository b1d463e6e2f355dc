"""How many clips the default profile's rules on head and motion let pass, and what the two scores cost.

    python benchmarks/curate_head_motion.py MEDIA/train/talk_vid MEDIA/train/hdtf_sadtalker …

Every video of a folder is one clip, scored by the embedded backends. Cost is CPU seconds of this process,
measured clip by clip in turn: that of decoding the clip once on one thread, that of
the conversions a scorer asked for, and that of the scorer itself. Prints a table of folders and what failed.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import av
import cv2
import torch

from talkvid.curation.config import load_curate_config
from talkvid.curation.head import HeadConfig, build_head_scorer
from talkvid.curation.motion import MotionConfig, build_motion_scorer
from talkvid.curation.profiles import Rule, rules_of
from talkvid.curation.records import Span
from talkvid.curation.scorer import LumaLook, Scorer, Unscorable
from talkvid.media.video_pick import pick_pictures
from talkvid.media.video_window import FrameTables

SUFFIXES = (".mp4", ".mkv", ".mov", ".mpg", ".webm")


@dataclass
class Cost:
    """CPU seconds of one or many clips."""

    decode: float = 0.0
    convert: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    score: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def whole_span(path: Path) -> tuple[Span, float]:
    """Return the span of a whole file and the CPU seconds of decoding it on one thread."""
    begin, count = process_time(), 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            count, last = count + 1, frame
        base, rate = stream.time_base, float(stream.average_rate or 25)
    spent = process_time() - begin
    assert base is not None and count, path
    span = Span(
        video_id=path.stem,
        path=str(path),
        number=1,
        start_pts=0,
        end_pts=round(count / rate / base),
        time_base=(base.numerator, base.denominator),
        first_frame=0,
        num_frames=count,
        width=last.width,
        height=last.height,
        fps=rate,
    )
    return span, spent


def scores_of(scorer: Scorer, span: Span, cost: Cost) -> Mapping[str, float]:
    """Return the scores of a clip, adding what conversions and scoring took."""
    look, wanted = scorer.begin(span), scorer.wanted(span)
    for index, picture in pick_pictures(span.path, wanted, tables=FrameTables()):
        begin = process_time()
        shown = picture.luma(look.luma_side) if isinstance(look, LumaLook) else picture.rgb()
        cost.convert[scorer.stage] += process_time() - begin
        begin = process_time()
        if isinstance(look, LumaLook):
            look.see_luma(index, shown)
        else:
            look.see(index, shown)
        cost.score[scorer.stage] += process_time() - begin
    begin = process_time()
    scores = look.finish()
    cost.score[scorer.stage] += process_time() - begin
    return scores


def failures(scorer: Scorer, span: Span, rules: Sequence[Rule], cost: Cost) -> list[str]:
    """Return what a clip fails by, as text."""
    try:
        scores = scores_of(scorer, span, cost)
    except Unscorable as error:
        return [error.code]
    checks = [rule.check(scores[rule.score]) for rule in rules]
    return [f"{check.score} {check.value:.4g}" for check in checks if not check.passed]


def line(name: str, passed: Counter[str], clips: int, cost: Cost) -> str:
    """Return a row of the table."""
    cells = [name, str(clips)]
    for stage in ("head", "motion"):
        parts = cost.convert[stage] / cost.decode, cost.score[stage] / cost.decode
        cells += [f"{passed[stage]}", f"{parts[0]:.1%} + {parts[1]:.1%}"]
    return "| " + " | ".join([*cells, f"{cost.decode / clips:.2f}"]) + " |"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rules = rules_of(load_curate_config())
    scorers = [build_head_scorer(HeadConfig()), build_motion_scorer(MotionConfig())]
    print("| clips | n | head passes | cost / decode | motion passes | cost / decode | decode CPU s |")
    print("|---|---|---|---|---|---|---|")
    notes = []
    for folder in arguments.folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
        passed, cost = Counter[str](), Cost()
        for path in paths:
            span, spent = whole_span(path)
            cost.decode += spent
            for scorer in scorers:
                failed = failures(scorer, span, rules[scorer.stage], cost)
                passed[scorer.stage] += not failed
                notes += [f"{folder.name}/{path.name}: {text}" for text in failed]
        print(line(folder.name, passed, len(paths), cost), flush=True)
    print("\n" + "\n".join(notes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
