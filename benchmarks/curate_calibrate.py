"""Do the embedded scores of quality and motion keep good clips and turn down their degraded copies?

    python benchmarks/curate_calibrate.py quality --media MEDIA --copies COPIES --plot quality.png
    python benchmarks/curate_calibrate.py quality --media MEDIA --copies COPIES --fit
    python benchmarks/curate_calibrate.py motion  --media MEDIA --copies COPIES --plot motion.png

Good clips are the videos of the `--good` folders below MEDIA/train that have at least 1080 lines or at least
0.2 bits per pixel; what has less may be bad itself. Copies are made once by ffmpeg and stay in COPIES, with
the numbers of all files. Persons come from MEDIA/split.csv (file, person): every second one belongs to the
half that constants are fitted on, and the table is about the other half unless `--half` says otherwise.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from curate_degradations import DEGRADATIONS, degraded

from talkvid.curation.classical_scale import CURVES, PARTS, fitted_curve
from talkvid.curation.config import load_curate_config
from talkvid.curation.profiles import Rule, rules_of
from talkvid.curation.records import Span
from talkvid.curation.scorer import Scorer, Unscorable
from talkvid.curation.shared_pass import file_pictures, view
from talkvid.extras import require
from talkvid.files import atomic_path
from talkvid.media.video import probe, read_at
from talkvid.media.video_window import FrameTables

ENOUGH_LINES, ENOUGH_BITS_PER_PIXEL = 1080, 0.2


SCORE_OF = {
    "edge_width_px": "classical_edge_width_px",
    "block_marks": "classical_block_marks",
    "noise": "classical_noise_levels",
}
"""Measure -> the name under which the scorer tells it."""


@dataclass(frozen=True)
class Row:
    """One clip or copy that was scored."""

    kind: str
    person: str
    fitted: bool
    """Whether its person belongs to the half that constants are fitted on."""
    scores: dict[str, float]
    """The scores that rules judge, by name; empty for a clip that cannot be scored."""
    measures: dict[str, float]


def good_clips(media: Path, folders: Sequence[str]) -> dict[Path, str]:
    """Return path -> person of the good clips, in the order of their names."""
    with (media / "split.csv").open(newline="") as lines:
        persons = {media / row["file"]: row["person"] for row in csv.DictReader(lines)}
    found = {}
    for path in sorted(path for folder in folders for path in (media / "train" / folder).glob("*.mp4")):
        info = probe(path)
        pixels = info.width * info.height * info.fps * (info.duration_s or 0)
        if info.height >= ENOUGH_LINES or path.stat().st_size * 8 >= ENOUGH_BITS_PER_PIXEL * pixels:
            found[path] = persons[path]
    if not found:
        raise ValueError(
            f"{media / 'train'}: no good clip below {', '.join(folders)}; name others with --good"
        )
    return found


def whole_span(path: Path) -> Span:
    """Return all of a file as one clip; exact where the frame rate is constant, as in all of these."""
    info = probe(path)
    frames = info.num_frames or round((info.duration_s or 0) * info.fps)
    rate = round(info.fps * 1000)
    return Span(
        path.stem, str(path), 1, 0, frames * 1000, (1, rate), 0, frames, info.width, info.height, info.fps
    )


class Scores:
    """The numbers of every file scored so far, kept beside the copies: new curves cost no decoding."""

    def __init__(self, scorer: Scorer, stage: str, folder: Path) -> None:
        self.scorer, self.stage = scorer, stage
        self._store = folder / f"{stage}.json"
        self._signature = {key: value for key, value in scorer.signature().items() if key != "curves"}
        known = json.loads(self._store.read_text()) if self._store.exists() else {}
        self._numbers = known.get("files", {}) if known.get("signature") == self._signature else {}

    def of(self, path: Path) -> dict[str, float]:
        """Return the numbers of a file; none for one that cannot be scored."""
        if path.stem not in self._numbers:
            viewing = view(whole_span(path), {self.stage: self.scorer}, pictures=file_pictures(FrameTables()))
            if viewing.damage or viewing.faults:
                raise ValueError(f"{path}: {viewing.damage or viewing.faults}")
            try:
                self._numbers[path.stem] = dict(viewing.looks[self.stage].finish())
            except Unscorable:
                self._numbers[path.stem] = {}
            with atomic_path(self._store) as temporary:
                temporary.write_text(json.dumps({"signature": self._signature, "files": self._numbers}))
        return dict(self._numbers[path.stem])


def scores_of(stage: str, numbers: dict[str, float]) -> dict[str, float]:
    """Return the judged scores from a file's numbers, that of quality by the present curves."""
    if not numbers or stage == "motion":
        return numbers
    parts = [CURVES[measure](numbers[SCORE_OF[measure]]) for measure in PARTS.values()]
    return {"classical_quality": min(*parts, numbers["classical_exposure"])}


def passes(row: Row, rules: Sequence[Rule]) -> bool:
    """Return whether every rule lets the clip pass; one that cannot be scored is rejected."""
    return bool(row.scores) and all(rule.check(row.scores[rule.score]).passed for rule in rules)


def scorer_of(stage: str) -> Scorer:
    """Return the embedded scorer of a stage with its default settings."""
    if stage == "quality":
        from talkvid.curation.quality import QualityConfig, build_quality_scorer

        return build_quality_scorer(QualityConfig())
    from talkvid.curation.motion import MotionConfig, build_motion_scorer

    return build_motion_scorer(MotionConfig())


def rows_of(stage: str, clips: dict[Path, str], scores: Scores, *, copies: Path, mild: bool) -> Iterator[Row]:
    """Yield one row per good clip and per copy."""
    order = sorted(set(clips.values()))
    paths = list(clips)
    for number, (path, person) in enumerate(clips.items()):
        fitted = order.index(person) % 2 == 0
        other = next(p for p in paths[number + 1 :] + paths[:number] if clips[p] != person)
        files = {"good": path}
        for kind, change in DEGRADATIONS[stage].items():
            if mild or not change.mild:
                files[kind] = degraded(path, other, kind, change, folder=copies)
        for kind, file in files.items():
            numbers = scores.of(file)
            yield Row(kind, person, fitted, scores_of(stage, numbers), numbers)
        print(f"{number + 1} of {len(clips)} clips", file=sys.stderr, flush=True)


def kinds_of(stage: str, rows: Sequence[Row]) -> list[str]:
    """Return the kinds that were scored, the good ones first."""
    present = {row.kind for row in rows}
    return [kind for kind in ("good", *DEGRADATIONS[stage]) if kind in present]


def judged(rules: Sequence[Rule]) -> list[str]:
    """Return the scores that the rules look at, each once."""
    return list(dict.fromkeys(rule.score for rule in rules))


def table(stage: str, rows: Sequence[Row], rules: Sequence[Rule]) -> str:
    """Return the Markdown table of how many clips of each kind pass, with the scores' 5, 50 and 95 %."""
    names = judged(rules)
    lines = [" | ".join(["| clips | n | pass", *names]) + " |", "|---|---|---|" + "---|" * len(names)]
    for kind in kinds_of(stage, rows):
        own = [row for row in rows if row.kind == kind]
        passed = sum(passes(row, rules) for row in own)
        values = [[row.scores.get(name, 0.0) for row in own] for name in names]
        spreads = [" / ".join(f"{v:.3g}" for v in np.percentile(each, (5, 50, 95))) for each in values]
        strong = kind in DEGRADATIONS[stage] and DEGRADATIONS[stage][kind].strong
        name = f"**{kind}**" if strong or kind == "good" else kind
        share = f"{passed} ({passed / len(own):.0%})"
        lines.append(f"| {name} | {len(own)} | {share} | " + " | ".join(spreads) + " |")
    return "\n".join(lines)


def fitted_curves(rows: Sequence[Row]) -> str:
    """Return the lines of CURVES as fitted on the first half of the persons."""
    lines = []
    for part, measure in PARTS.items():
        bad = [kind for kind, change in DEGRADATIONS["quality"].items() if change.part == part]
        values = [
            [row.measures[SCORE_OF[measure]] for row in rows if row.fitted and row.kind in kinds]
            for kinds in (["good"], bad)
        ]
        curve = fitted_curve(*values)
        lines.append(f'    "{measure}": Curve(half={curve.half:.3g}, steepness={curve.steepness:.3g}),')
        assert measure in CURVES
    return "\n".join(lines)


def plot(stage: str, rows: Sequence[Row], rules: Sequence[Rule], target: Path) -> None:
    """Write a picture of all values by kind, one panel per score, with the limits of what passes."""
    matplotlib = require("matplotlib", extra="curation")
    matplotlib.use("Agg")
    pyplot = require("matplotlib.pyplot", extra="curation")
    kinds, names = kinds_of(stage, rows), judged(rules)
    size = (9, 4.2) if len(names) == 1 else (11, 7)
    rows_of_panels = -(-len(names) // 2)
    columns = min(2, len(names))
    figure, panels = pyplot.subplots(
        rows_of_panels, columns, figsize=size, layout="constrained", squeeze=False
    )
    for axes, score in zip(panels.flat, names, strict=False):
        for place, kind in enumerate(kinds):
            values = sorted(row.scores.get(score, 0.0) for row in rows if row.kind == kind)
            strong = kind in DEGRADATIONS[stage] and DEGRADATIONS[stage][kind].strong
            colour = "#2a7f3f" if kind == "good" else "#b3261e" if strong else "#8a8a8a"
            axes.scatter(place + np.linspace(-0.28, 0.28, len(values)), values, s=14, color=colour)
        for rule in rules:
            if rule.score == score:
                axes.axhline(rule.threshold, color="black", linewidth=1, linestyle="--")
        axes.set_xticks(range(len(kinds)), kinds, rotation=25, ha="right")
        axes.set_ylabel(score)
    figure.suptitle(
        "green: good clips; red: to be turned down; grey: mild, for comparison; dashed: threshold", size=9
    )
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def cost_ms(scorer: Scorer, clip: Path, *, rounds: int = 30) -> float:
    """Return the median CPU milliseconds, on one thread, that a look at one picture of a clip takes."""
    (picture,) = read_at(clip, [whole_span(clip).num_frames // 2])
    look, times = scorer.begin(whole_span(clip)), []
    for _ in range(rounds):
        begin = time.thread_time()
        look.see(0, picture)
        times.append(time.thread_time() - begin)
    return float(np.median(times)) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when at least 90 % of the good clips pass and 90 % of each strong copy do not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=tuple(DEGRADATIONS))
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--copies", type=Path, required=True, help="folder of the copies; made where missing")
    parser.add_argument("--good", nargs="+", default=["talk_vid", "hdtf_sadtalker"], help="(%(default)s)")
    parser.add_argument("--half", choices=("other", "fitted", "both"), default="other", help="(%(default)s)")
    parser.add_argument("--fit", action="store_true", help="print the curves that the first half gives")
    parser.add_argument("--mild", action="store_true", help="show how mildly spoilt copies do, too")
    parser.add_argument("--cost", action="store_true", help="print what one picture of a good clip costs")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args(argv)
    stage = arguments.stage
    scores = Scores(scorer_of(stage), stage, arguments.copies)
    begin = time.process_time()
    clips = good_clips(arguments.media, arguments.good)
    rows = list(rows_of(stage, clips, scores, copies=arguments.copies, mild=arguments.mild))
    print(f"{len(rows)} clips, {time.process_time() - begin:.0f} CPU s with decoding\n")
    if arguments.cost:
        last = list(clips)[-1]
        size = "x".join(str(side) for side in (probe(last).width, probe(last).height))
        print(f"{cost_ms(scores.scorer, last):.1f} CPU ms per picture of {size}\n")
    if arguments.fit:
        print(fitted_curves(rows) + "\n")
    shown = [row for row in rows if arguments.half == "both" or row.fitted == (arguments.half == "fitted")]
    rules = rules_of(load_curate_config())[stage]
    print(table(stage, shown, rules))
    if arguments.plot:
        plot(stage, shown, rules, arguments.plot)
    for kind in ["good", *(kind for kind, change in DEGRADATIONS[stage].items() if change.strong)]:
        passed = [passes(row, rules) for row in shown if row.kind == kind]
        share = sum(passed) / len(passed)
        if (share if kind == "good" else 1 - share) < 0.9:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
