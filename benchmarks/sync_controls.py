"""Do the yardsticks see speech? Real clips against what must score below them, and shifts planted and found.

    python benchmarks/sync_controls.py --media MEDIA --cache CACHE [--yardsticks embedded mediapipe]
                                       [--plot FILE]

MEDIA holds split.csv and the folders it names (see `talkvid.training.mini_clips`); CACHE keeps what the
yardsticks saw. Judged are filmed clips only: held-out persons with the package's weights of the mel measure,
train persons with weights fitted without them (5 folds), on what the yardstick `--fit_on` saw. Known offsets
of sound and mouth are taken out of the clips first. mediapipe needs its model file: $TALKVID_FACE_LANDMARKER.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mouth_measures import (
    OUT_OF_STEP_S,
    HeardClip,
    fold_weights,
    following_sounds,
    heard_clips,
    moved,
)

from talkvid import log
from talkvid.evaluation.lags import correlations, ranking_share
from talkvid.evaluation.lip_distance import lip_distance, lip_movement_distance, still_mouth
from talkvid.evaluation.mel_measure import MelAgreement, MelWeights, mel_agreement
from talkvid.evaluation.mouth_signals import SIGNALS, mouth_signals
from talkvid.evaluation.opening_agreement import opening_agreement
from talkvid.evaluation.suite.yardsticks import YARDSTICKS, build_yardstick
from talkvid.evaluation.tracks import FaceTracks
from talkvid.extras import require
from talkvid.files import atomic_path
from talkvid.media.video import read_frames
from talkvid.records import Array

PICTURE_S = 1 / 25
FAR_PICTURES = 15
PLANTED = (-7, -5, -2, 2, 5, 7)
"""Pictures by which the sound is made late; the mel measure looks at 7.5 to either side."""
COST_PICTURES = 50
TRUTH, WRONG, FAR, STEP, STILL = (
    "truth",
    "wrong sound",
    f"sound {FAR_PICTURES} pictures off",
    f"own talking {OUT_OF_STEP_S:g} s out of step",
    "still mouth",
)
MEL = "mel measure"
AGAINST_TRUTH: dict[str, tuple[Callable[[FaceTracks, FaceTracks], float], float]] = {
    "opening vs truth (r)": (opening_agreement, 1.0),
    "lip distance (%)": (lip_distance, 0.0),
    "lip movement distance (%)": (lip_movement_distance, 0.0),
}
"""Measures of a made against a true mouth, and what the truth itself gets."""


@dataclass
class ClipScores:
    """What one clip gave: values by measure and kind of video, and the lags."""

    clip: HeardClip
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    own: MelAgreement | None = None
    planted: dict[int, MelAgreement] = field(default_factory=dict)
    """By how many pictures late the sound was made."""
    wrong: list[MelAgreement] = field(default_factory=list)


def late_by(sound: Array, pictures: int) -> Array:
    """Return a sound (N,) of the same length that begins `pictures` of 40 ms later."""
    late = moved(sound, pictures * PICTURE_S)[: len(sound)]
    return np.pad(late, (0, len(sound) - len(late)))


def scores_of(clip: HeardClip, others: Sequence[Array], weights: MelWeights | None) -> ClipScores:
    """Return every measure of the clip as it is and spoilt in known ways."""
    tracks, sound = clip.tracks, clip.sound
    out_of_step = tracks.at((np.arange(len(tracks)) + round(OUT_OF_STEP_S * tracks.fps)) % len(tracks))
    still = still_mouth(tracks)

    def mel(made: FaceTracks, heard: Array) -> MelAgreement:
        return mel_agreement(made, heard, weights=weights)

    found = ClipScores(clip, own=mel(tracks, sound))
    assert found.own is not None
    found.wrong = [mel(tracks, np.resize(other, len(sound))) for other in others]
    found.planted = {late: mel(tracks, late_by(sound, late)) for late in PLANTED}
    far = [mel(tracks, late_by(sound, late)) for late in (-FAR_PICTURES, FAR_PICTURES)]
    found.values = {
        (MEL, TRUTH): [found.own.score],
        (MEL, WRONG): [one.score for one in found.wrong],
        (MEL, FAR): [one.score for one in far],
        (MEL, STEP): [mel(out_of_step, sound).score],
        (MEL, STILL): [mel(still, sound).score],
    }
    for name, (measure, perfect) in AGAINST_TRUTH.items():
        found.values[name, TRUTH] = [perfect]
        found.values[name, STEP] = [measure(out_of_step, tracks)]
        found.values[name, STILL] = [measure(still, tracks)]
    return found


def groups_of(clips: list[ClipScores]) -> Iterator[tuple[str, list[ClipScores]]]:
    """Yield the groups of clips that stand in the table."""
    fitting = [clip for clip in clips if clip.clip.source.synced]
    yield "held-out persons", [clip for clip in fitting if clip.clip.source.split == "val"]
    yield "sound known to fit", fitting
    yield "all, also unsure and foreign sound", clips


def scored(clips: list[HeardClip], weighed: dict[str, MelWeights]) -> list[ClipScores]:
    """Return the scores of all clips; wrong sounds are those of the next clips."""
    return [
        scores_of(clip, following_sounds(clips, number), weighed.get(clip.source.person))
        for number, clip in enumerate(log.progress(clips, total=len(clips), description="scores"))
    ]


def gathered(clips: list[ClipScores], measure: str, kind: str) -> Array:
    """Return the values (N,) of all clips."""
    return np.array([value for clip in clips for value in clip.values.get((measure, kind), [])])


def print_controls(rows: Sequence[tuple[str, str, list[ClipScores]]]) -> None:
    """Print how far the truth lies above every control, by measure."""
    print("| yardstick | clips | measure | control | truth | control | AUC (values) |\n|" + "---|" * 7)
    for eye, group, clips in rows:
        for kind in (WRONG, FAR, STEP, STILL):
            true, false = gathered(clips, MEL, TRUTH), gathered(clips, MEL, kind)
            told = f"{true.mean():.2f} | {false.mean():.2f} | {ranking_share(true, false):.3f}"
            print(f"| {eye} | {group}, {len(clips)} | {MEL} | {kind} | {told} ({len(true)}, {len(false)}) |")


def print_order(rows: Sequence[tuple[str, str, list[ClipScores]]]) -> None:
    """Print how often talking out of step is told from a still mouth, by the measures against the truth."""
    print("\n| yardstick | clips | measure | out of step | still | out of step is worse |\n|" + "---|" * 6)
    for eye, group, clips in rows:
        for name, (_, perfect) in AGAINST_TRUTH.items():
            step, still = (gathered(clips, name, kind) for kind in (STEP, STILL))
            worse = np.abs(step - perfect) > np.abs(still - perfect)
            told = f"{np.nanmean(step):.2f} | {np.nanmean(still):.2f} | {worse.sum()} of {len(worse)}"
            print(f"| {eye} | {group}, {len(clips)} | {name} | {told} |")


def print_lags(rows: Sequence[tuple[str, str, list[ClipScores]]]) -> None:
    """Print how often a planted shift is found within one picture of 40 ms, of all clips and of sure lags."""
    heads = ("yardstick", "clips", "planted", "found, all", "sure", "found, sure", "wrong sound sure")
    print(f"\n| {' | '.join(heads)} |\n|" + "---|" * len(heads))
    for eye, group, clips in rows:
        wrong = [one.lag_is_sure for clip in clips for one in clip.wrong]
        for size in sorted({abs(late) for late in PLANTED}):
            hits = [hit for clip in clips for hit in planted_hits(clip) if abs(hit[0]) == size]
            right = np.array([abs(missed) <= PICTURE_S + 1e-6 for _, _, missed, _ in hits])
            sure = np.array([is_sure for *_, is_sure in hits])
            told = f"{share(right)} | {share(sure)} | {share(right[sure])} | {share(np.array(wrong))}"
            print(f"| {eye} | {group}, {len(clips)} | ±{size} pictures | {told} |")


def print_own_lags(rows: Sequence[tuple[str, str, list[ClipScores]]]) -> None:
    """Print the lags of the clips as they are."""
    print("\n| yardstick | clips | sure | median lag s | within 40 ms | within 80 ms |\n|" + "---|" * 6)
    for eye, group, clips in rows:
        own = [clip.own for clip in clips if clip.own is not None]
        lags = np.array([one.lag_s for one in own if one.lag_is_sure])
        near = [share(np.abs(lags) <= count * PICTURE_S + 1e-6) for count in (1, 2)]
        sure = share(np.array([one.lag_is_sure for one in own]))
        median = np.median(lags) if len(lags) else np.nan
        print(f"| {eye} | {group}, {len(clips)} | {sure} | {median:+.2f} | {near[0]} | {near[1]} |")


def print_agreement(heard: dict[str, list[HeardClip]]) -> None:
    """Print how the signals of the same clips, seen by two yardsticks, correlate: median and lowest tenth."""
    print("\n| two yardsticks | clips | signal | median r | a tenth is below |\n|" + "---|" * 5)
    for first, second in itertools.combinations(heard, 2):
        theirs = {clip.source.id: mouth_signals(clip.tracks) for clip in heard[second]}
        both = [(mouth_signals(clip.tracks), theirs.get(clip.source.id)) for clip in heard[first]]
        for name in SIGNALS:
            found = [signal_agreement(getattr(a, name), getattr(b, name)) for a, b in both if b is not None]
            told = f"{np.median(found):.2f} | {np.quantile(found, 0.1):.2f}"
            print(f"| {first}, {second} | {len(found)} | {name} | {told} |")


def signal_agreement(ours: Array, theirs: Array) -> float:
    """Return Pearson's r of two signals (T,) of one clip over the pictures in which both are known."""
    known = np.isfinite(ours) & np.isfinite(theirs)
    return float(correlations(ours[known, None], theirs[known, None])[0])


def print_costs(heard: dict[str, list[HeardClip]]) -> None:
    """Print what the yardsticks cost, in the clips with the smallest and with the largest pictures."""
    print("\n| yardstick | pictures | following, CPU ms per picture | counting faces |\n|" + "---|" * 4)
    for eye, clips in heard.items():
        yardstick = build_yardstick(eye)
        ordered = sorted(clips, key=lambda clip: clip.tracks.size[0] * clip.tracks.size[1])
        for clip in (ordered[0], ordered[-1]):
            frames = list(itertools.islice(read_frames(clip.source.path), COST_PICTURES))
            started = time.process_time()
            yardstick.follow(frames, fps=clip.tracks.fps)
            followed = time.process_time()
            for frame in frames:
                yardstick.count(frame)
            spent = (followed - started, time.process_time() - followed)
            told = " | ".join(f"{1000 * seconds / len(frames):.0f}" for seconds in spent)
            print(f"| {eye} | {frames[0].shape[1]}x{frames[0].shape[0]} | {told} |")


def planted_hits(clip: ClipScores) -> Iterator[tuple[int, float, float, bool]]:
    """Yield pictures planted, lag found less the clip's own, how far that is off (s), and if both are sure.

    A sound that is late makes the mouth early: the lag falls by what was planted.
    """
    assert clip.own is not None
    for late, found in clip.planted.items():
        change = found.lag_s - clip.own.lag_s
        yield late, change, change + late * PICTURE_S, found.lag_is_sure and clip.own.lag_is_sure


def share(flags: Array) -> str:
    """Return how many of how many, in words and percent."""
    return f"{flags.sum()} of {len(flags)} ({flags.mean():.0%})" if len(flags) else "none"


def plot(rows: Sequence[tuple[str, str, list[ClipScores]]], target: Path) -> None:
    """Write a picture: above the mel measure of truth and controls, below the planted and the found lags."""
    require("matplotlib", extra="eval").use("Agg")
    pyplot = require("matplotlib.pyplot", extra="eval")
    figure, panels = pyplot.subplots(
        2, len(rows), figsize=(4.6 * len(rows), 6.4), layout="constrained", squeeze=False
    )
    for (above, below), (eye, group, clips) in zip(panels.T, rows, strict=True):
        for place, kind in enumerate((TRUTH, WRONG, FAR, STEP, STILL)):
            values = np.sort(gathered(clips, MEL, kind))
            spread = place + np.linspace(-0.3, 0.3, len(values))
            above.scatter(spread, values, s=7, color="#2a7f3f" if kind == TRUTH else "#8a8a8a")
            above.hlines(np.median(values), place - 0.36, place + 0.36, color="black", linewidth=1.2)
        above.set_xticks(range(5), (TRUTH, WRONG, FAR, STEP, STILL), rotation=20, ha="right", size=8)
        above.set_ylabel(MEL)
        above.set_ylim(-0.25, 0.85)
        above.set_title(f"{eye}: {group}, {len(clips)} clips", size=9)
        hits = np.array([hit for clip in clips for hit in planted_hits(clip)])
        shaken = hits[:, 0] * PICTURE_S + np.linspace(-0.012, 0.012, len(hits))
        for is_sure, colour in ((False, "#c9a227"), (True, "#2a7f3f")):
            chosen = hits[:, 3] == is_sure
            below.scatter(shaken[chosen], hits[chosen, 1], s=7, color=colour)
        reach = np.array([-8, 8]) * PICTURE_S
        below.plot(reach, -reach, color="black", linewidth=0.8, linestyle="--")
        below.set_xlabel("sound made late by (s); green: sure lags, yellow: others", size=8)
        below.set_ylabel("change of the mouth's lag (s)")
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=80)
    pyplot.close(figure)


def main() -> None:
    """Print the tables and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for what the yardsticks saw")
    parser.add_argument("--yardsticks", nargs="+", choices=tuple(YARDSTICKS), default=["embedded"])
    parser.add_argument(
        "--fit_on",
        choices=tuple(YARDSTICKS),
        default="mediapipe",
        help="whose signals the folds' weights are fitted on (%(default)s, as the package's are)",
    )
    parser.add_argument("--plot", type=Path, help="PNG or SVG of the clips whose sound is known to fit")
    parser.add_argument("--cost", action="store_true", help="also print what the yardsticks cost")
    args = parser.parse_args()
    log.configure()
    started = time.process_time()
    heard = {
        eye: heard_clips(args.media, build_yardstick(eye), args.cache, synced_only=False)
        for eye in dict.fromkeys([args.fit_on, *args.yardsticks])
    }
    weighed = dict(fold_weights(heard[args.fit_on]))
    scores = {eye: scored(heard[eye], weighed) for eye in args.yardsticks}
    rows = [(eye, name, chosen) for eye, clips in scores.items() for name, chosen in groups_of(clips)]
    for show in (print_controls, print_order, print_lags, print_own_lags):
        show(rows)
    if len(heard) > 1:
        print_agreement(heard)
    if args.cost:
        print_costs(heard)
    if args.plot is not None:
        plot([row for row in rows if row[1] == "sound known to fit"], args.plot)
    print(f"\n{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
