"""Do the mouth measures tell true talking from false? Fits the mel measure, and judges the judges.

    python benchmarks/mouth_measures.py fit   --media MEDIA --cache CACHE [--output FILE]
    python benchmarks/mouth_measures.py table --media MEDIA --cache CACHE [--output FOLDER]

MEDIA holds split.csv and the folders it names (see `talkvid.training.mini_clips`); CACHE keeps what MediaPipe
saw. `fit` writes the weights, learned from real clips of train persons whose sound is known to fit. `table`
prints every measure of held-out clips as they are and spoilt in known ways, then the mel measure over all
real clips: held-out persons with the package's weights, train persons with weights fitted without them (5
folds).
MediaPipe's model file: $TALKVID_FACE_LANDMARKER; identity (optional): $TALKVID_MOBILEFACENET.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from talkvid import log
from talkvid.evaluation.following import FaceFollower, cache_name
from talkvid.evaluation.identity import FaceEmbedder
from talkvid.evaluation.lags import lag_curve, ranking_share
from talkvid.evaluation.mel_fit import RIDGE, MelSums, fit, save_weights
from talkvid.evaluation.mel_measure import REACH_S, WEIGHTS_FILE, MelWeights, control, mel_agreement
from talkvid.evaluation.mobilefacenet import MODEL_VARIABLE, MobileFaceNetEmbedder
from talkvid.evaluation.mouth_report import Case, mouth_report
from talkvid.evaluation.mouth_signals import ROWS_PER_S, mouth_signals, resampled
from talkvid.evaluation.report_writer import as_markdown, write_report
from talkvid.evaluation.tracks import FaceTracks
from talkvid.evaluation.video_look import VideoLook, kept_look, look_at
from talkvid.evaluation.yardstick import FaceYardstick
from talkvid.media.audio import load_audio
from talkvid.media.video import probe, read_frames
from talkvid.records import Array
from talkvid.speech.activity import level_and_flatness
from talkvid.training.mini_clips import AUDIO_RATE_HZ, ClipSource, choose_box, find_clips

LATE_S, OUT_OF_STEP_S = 0.5, 1.2
SQUEEZED_SIDE = 256
FOLDS = 5
LOUDNESS_FLOOR_DB = -60.0
OTHERS = 5


@dataclass(frozen=True)
class HeardClip:
    """A clip with what was seen of it and the sound that fits its mouth."""

    source: ClipSource
    tracks: FaceTracks
    sound: Array


def hear(clip: ClipSource, count: int, fps: float) -> Array:
    """Return the sound (N,) at 16 kHz as long as `count` pictures, moved so that it fits the mouth."""
    sound = moved(load_audio(clip.path, rate=AUDIO_RATE_HZ), clip.mouth_late_s)
    length = round(count / fps * AUDIO_RATE_HZ)
    return np.pad(sound[:length], (0, max(0, length - len(sound))))


def moved(sound: Array, late_s: float) -> Array:
    """Return the sound `late_s` later (silence comes first) or, below 0, earlier."""
    shift = round(late_s * AUDIO_RATE_HZ)
    return np.concatenate([np.zeros(shift, sound.dtype), sound]) if shift >= 0 else sound[-shift:]


def is_real(clip: ClipSource) -> bool:
    """Return whether a person was filmed, as folder and file name say."""
    return "generated" not in f"{clip.path.parent.name}/{clip.path.name}"


def heard_clips(
    media: Path, yardstick: FaceFollower, cache: Path, *, synced_only: bool = True
) -> list[HeardClip]:
    """Return the real clips in which the face was found, those with unsure sound only if asked for."""
    heard = []
    chosen = [clip for clip in find_clips(media) if is_real(clip) and (clip.synced or not synced_only)]
    for clip in log.progress(chosen, total=len(chosen), description="clips"):
        tracks = yardstick.follow_file(clip.path, cache=cache, end_s=clip.end_s)
        if tracks.found.mean() >= 0.5:
            heard.append(HeardClip(clip, tracks, hear(clip, len(tracks), tracks.fps)))
    return heard


def run_fit(args: argparse.Namespace) -> None:
    """Fit the weights on train persons and write them."""
    clips = [
        clip for clip in heard_clips(args.media, args.yardstick, args.cache) if clip.source.split == "train"
    ]
    weights = fit((clip.tracks, clip.sound) for clip in clips)
    seconds = sum(len(clip.tracks) / clip.tracks.fps for clip in clips)
    metadata = {
        "clips": " ".join(clip.source.id for clip in clips),
        "seconds": f"{seconds:.0f}",
        "ridge": f"{RIDGE}",
        "landmarks": FaceYardstick.name,
        "license": "CC BY-NC 4.0: learned from research-only clips",
    }
    save_weights(weights, args.output or WEIGHTS_FILE, metadata=metadata)
    print(f"{len(clips)} clips, {seconds:.0f} s -> {args.output or WEIGHTS_FILE}")


def squeezed(frames: Iterator[Array], box: Array) -> Iterator[Array]:
    """Yield the pictures with the square `box` (4,) about the head shrunk to 256 px and brought back."""
    for frame in frames:
        height, width = frame.shape[:2]
        left, top = np.maximum(box[:2], 0).astype(int)
        right, bottom = np.minimum(box[2:], [width, height]).astype(int)
        part = frame[top:bottom, left:right]
        factor = SQUEEZED_SIDE / max(part.shape[:2])
        inner = max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor))
        down, up = (cv2.INTER_AREA, cv2.INTER_CUBIC) if factor < 1 else (cv2.INTER_CUBIC, cv2.INTER_AREA)
        small = cv2.resize(part, inner, interpolation=down)
        changed = frame.copy()
        changed[top:bottom, left:right] = cv2.resize(small, part.shape[1::-1], interpolation=up)
        yield changed


def looks(clip: ClipSource, args: argparse.Namespace) -> tuple[VideoLook, VideoLook, VideoLook]:
    """Return what is seen in the clip, in its first picture and in the squeezed clip."""
    fps = probe(clip.path).fps
    who = "" if args.embedder is None else args.embedder.name

    def pictures(count: int | None = None) -> Iterator[Array]:
        for number, frame in enumerate(read_frames(clip.path, end_s=clip.end_s)):
            if number == count:
                return
            yield frame

    def look(frames: Iterator[Array], name: str) -> VideoLook:
        target = args.cache / cache_name(clip.path, told=f"{name} {who} {clip.end_s}")
        return kept_look(target, lambda: look_at(frames, args.yardstick, fps=fps, embedder=args.embedder))

    truth = look(pictures(), "truth")
    width, height = truth.tracks.size
    box = choose_box(list(truth.tracks.box[truth.tracks.found]), width, height)
    return truth, look(pictures(1), "first"), look(squeezed(pictures(), box), "squeezed, cubic")


def cases(clips: list[HeardClip], args: argparse.Namespace) -> Iterator[Case]:
    """Yield every clip as it is and spoilt in known ways."""
    for number, clip in enumerate(log.progress(clips, total=len(clips), description="held-out clips")):
        truth, first, squeeze = looks(clip.source, args)
        count, fps = len(truth.tracks), truth.tracks.fps
        sound = hear(clip.source, count, fps)
        others = following_sounds(clips, number)
        late = moved(sound, LATE_S)[: len(sound)]
        step = round(OUT_OF_STEP_S * fps)
        shifted = truth.retimed((np.arange(count) + step) % count)
        rows = {
            "truth": (truth, sound),
            f"sound {LATE_S:g} s late": (truth, late),
            f"own talking {OUT_OF_STEP_S:g} s out of step": (shifted, sound),
            "wrong sound": (truth, np.resize(others[0], len(sound))),
            "still first frame": (still(first, count), sound),
            f"truth squeezed through {SQUEEZED_SIDE} px": (squeeze, sound),
        }  # fmt: skip
        for name, (made, heard) in rows.items():
            # Where only the sound is another one the pictures are the true ones.
            own = heard is sound
            yield Case(
                name,
                clip.source.id,
                made,
                heard,
                truth=truth if own else None,
                portrait=first if own else None,
                others=others,
            )


def following_sounds(clips: list[HeardClip], number: int) -> list[Array]:
    """Return the sounds of the next clips, at most OTHERS and never the clip's own."""
    steps = range(1, min(OTHERS, len(clips) - 1) + 1)
    return [clips[(number + step) % len(clips)].sound for step in steps]


def still(first: VideoLook, count: int) -> VideoLook:
    """Return the look at one picture repeated `count` times, which neither flickers nor drifts."""
    tracks = first.tracks.at(np.zeros(count, int))
    return VideoLook(tracks, first.sharpness, first.embeddings, flicker=0.0, drift=0.0)


def run_table(args: argparse.Namespace) -> None:
    """Print the table of held-out persons, and the mel measure over all real clips."""
    everything = heard_clips(args.media, args.yardstick, args.cache, synced_only=False)
    held_out = [clip for clip in heard_clips_of(everything, "val") if clip.source.synced]
    identity = "identity cosine" if args.embedder is None else args.embedder.measure
    report = mouth_report(cases(held_out, args), identity_name=identity)
    print(as_markdown(report))
    if args.output:
        write_report(report, args.output, title="Mouth measures of known videos")
    heads = (
        "real clips",
        "n",
        "true",
        "control",
        "AUC",
        "turned",
        "best lag s",
        "loudness: true",
        "other",
        "AUC",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    weighed = dict(fold_weights(everything))
    for name, chosen in (
        ("held-out persons", held_out),
        ("all, sound known to fit", [clip for clip in everything if clip.source.synced]),
        ("all, also unsure and foreign sound", everything),
    ):
        print(mel_line(name, chosen, weighed))


def heard_clips_of(clips: list[HeardClip], split: str) -> list[HeardClip]:
    """Return the clips of one split."""
    return [clip for clip in clips if clip.source.split == split]


def fold_weights(clips: list[HeardClip]) -> Iterator[tuple[str, MelWeights]]:
    """Yield for every train person the weights fitted on the train clips of the other folds."""
    train = [clip for clip in clips if clip.source.split == "train"]
    persons = sorted({clip.source.person for clip in train})
    for fold in range(FOLDS):
        left_out = set(persons[fold::FOLDS])
        sums = MelSums.empty()
        for clip in train:
            if clip.source.synced and clip.source.person not in left_out:
                sums.add(clip.tracks, clip.sound)
        weights = sums.solve()
        for person in left_out:
            yield person, weights


def mel_line(name: str, clips: list[HeardClip], weighed: dict[str, MelWeights]) -> str:
    """Return one line: mean measure, control by other clips' sound, AUC, control by turning, lag.

    The last three values are what the correlation of the opening with the loudness would say instead.
    """
    true, foreign, turned, lags, loud, loud_foreign = [], [], [], [], [], []
    for number, clip in enumerate(clips):
        weights = weighed.get(clip.source.person)
        others = following_sounds(clips, number)
        found = mel_agreement(clip.tracks, clip.sound, weights=weights)
        true.append(found.score)
        lags.append(found.lag_s)
        foreign.append(control(clip.tracks, clip.sound, others=others, weights=weights))
        turned.append(control(clip.tracks, clip.sound, weights=weights).mean())
        loud.append(loudness_agreement(clip.tracks, clip.sound))
        fitting = [np.resize(other, len(clip.sound)) for other in others]
        loud_foreign.append([loudness_agreement(clip.tracks, other) for other in fitting])
    values = (
        np.mean(true),
        np.mean(foreign),
        ranking_share(np.array(true), np.array(foreign)),
        np.nanmean(turned),
    )
    return (
        f"| {name} | {len(clips)} | "
        + " | ".join(f"{value:.3f}" for value in values)
        + f" | {np.nanmedian(lags):+.3f} | {np.mean(loud):.3f} | {np.mean(loud_foreign):.3f} | "
        + f"{ranking_share(np.array(loud), np.array(loud_foreign)):.3f} |"
    )


def loudness_agreement(tracks: FaceTracks, sound: Array) -> float:
    """Return the correlation of the mouth's opening with the level of 100 to 5000 Hz at the best lag."""
    level_db, _ = level_and_flatness(sound)
    loudness = level_db[: len(level_db) // 2 * 2].reshape(-1, 2).mean(axis=1).clip(min=LOUDNESS_FLOOR_DB)
    values, known = resampled(mouth_signals(tracks))
    return lag_curve(values[:, :1], loudness[:, None], known, rate_hz=ROWS_PER_S, reach_s=REACH_S).best


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("fit", "table"))
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for what MediaPipe saw")
    parser.add_argument("--output", type=Path, help="fit: weights; table: folder for report.md, .json, .html")
    args = parser.parse_args()
    log.configure()
    args.yardstick = FaceYardstick()
    embedder: FaceEmbedder | None = MobileFaceNetEmbedder() if os.environ.get(MODEL_VARIABLE) else None
    args.embedder = embedder
    started = time.process_time()
    (run_fit if args.what == "fit" else run_table)(args)
    print(f"\n{time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
