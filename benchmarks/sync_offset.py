"""How well the sound offset is measured: known shifts found again, false alarms, sound of other clips.

    talkvid preprocess --input_dir CLIPS --output_dir OUT --name clips --fps 25 --speech_encoder log-mel
    python benchmarks/sync_offset.py shifts --list OUT/clips.json --verdicts SYNC.csv --split split.csv
    python benchmarks/sync_offset.py fit    --list OUT/clips.json --verdicts SYNC.csv --split split.csv

`shifts` takes the clips whose verdict is `ok` as synchronised, moves their sound by -0.3 … +0.3 s and says
how often the shift is found again, how often a clip that was not moved is called `offset`, and what is said
of clips that got the sound of another one. `fit` prints BAND_WEIGHTS: ridge regression of the lips' opening
on 16 groups of mel bands over the clips of the split `train`.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from talkvid.dataset import sync_offset
from talkvid.dataset.face_info import load_face_info
from talkvid.dataset.sources import id_of
from talkvid.dataset.sync_offset import SoundOffset, lip_opening, measure_offset
from talkvid.media.audio import load_audio
from talkvid.records import Array
from talkvid.speech.log_mel import HOP, LogMelEncoder

SHIFTS_S = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)
RATE = 16000
FRAME_S = 1 / 25
RIDGE = 0.1
OTHERS = 3


@dataclass(frozen=True)
class Clip:
    """One prepared clip with what a table says about it."""

    id: str
    split: str
    verdict: str
    mouth_late_s: float
    opening: Array
    found: Array
    sound: Array
    fps: float

    def measure(self, sound: Array | None = None) -> SoundOffset:
        """Return the offset against its own sound or another one's."""
        wave = self.sound if sound is None else sound
        log_mel = LogMelEncoder().encode(wave).numpy()
        return measure_offset(self.opening, log_mel, fps=self.fps, found=self.found)


def read_clips(path: Path, verdicts: Path, split: Path) -> list[Clip]:
    """Return the clips of a prepared list; the tables' files are matched by the ids made of their paths."""
    told = {id_of(Path(row["file"])): row for row in csv.DictReader(verdicts.open(encoding="utf-8"))}
    splits = {id_of(Path(row["file"])): row["split"] for row in csv.DictReader(split.open(encoding="utf-8"))}
    clips = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        info, _ = load_face_info(path.parent / entry["face_info"])
        opening = lip_opening(info.values)
        row = next((row for key, row in told.items() if entry["id"].endswith(key)), None)
        part = next((part for key, part in splits.items() if key.endswith(entry["id"])), "")
        if opening is None or row is None:
            print(f"{entry['id']}: not in the table or without lips, left out")
            continue
        sound = load_audio(path.parent / entry["video"])
        late_s = float(row["mel_lag"])
        clips.append(
            Clip(entry["id"], part, row["verdict"], late_s, opening, info.found, sound, entry["fps"])
        )
    return clips


def moved(sound: Array, late_s: float) -> Array:
    """Return the sound moved so that the mouth is `late_s` later than before; silence fills the end."""
    count = round(abs(late_s) * RATE)
    silence = np.zeros(count, sound.dtype)
    if late_s >= 0:
        return np.concatenate([sound[count:], silence])
    return np.concatenate([silence, sound[: len(sound) - count]])


def show_shifts(clips: Sequence[Clip]) -> None:
    """Print, for each split, what is found of the shifts and how often a verdict is wrong."""
    for split in ("val", "train"):
        chosen = [clip for clip in clips if clip.split == split and clip.verdict == "ok"]
        if not chosen:
            continue
        still = {clip.id: clip.measure() for clip in chosen}
        shifted = [
            (shift, still[clip.id], clip.measure(moved(clip.sound, shift)))
            for clip in chosen
            for shift in SHIFTS_S
        ]
        print(f"\n{split}: {len(chosen)} clips said to be synchronised")
        print("  not moved:", _verdicts(list(still.values())))
        print("  moved by ±0.1 s:", _verdicts([o for s, _, o in shifted if abs(s) < 0.15]))
        print("  moved by ±0.2, ±0.3 s:", _verdicts([o for s, _, o in shifted if abs(s) > 0.15]))
        for name, rows in (
            ("all", shifted),
            ("verdict ok or offset", [row for row in shifted if row[2].verdict in ("ok", "offset")]),
            ("verdict offset", [row for row in shifted if row[2].verdict == "offset"]),
        ):
            print(f"  found again, {name} ({len(rows)} of {len(shifted)}):", _found(rows))
    foreign = []
    for number, clip in enumerate(clips):
        for step in range(1, OTHERS + 1):
            other = clips[(number + 7 * step) % len(clips)]
            foreign.append(clip.measure(np.resize(other.sound, len(clip.sound))))
    print(f"\nsound of another clip, {len(foreign)} pairs:", _verdicts(foreign))
    table = Counter((clip.verdict, clip.measure().verdict) for clip in clips)
    print("\nverdict of the table -> ours, all clips:")
    for (theirs, ours), count in sorted(table.items()):
        print(f"  {theirs:16s} {ours:10s} {count}")


def _verdicts(offsets: Sequence[SoundOffset]) -> str:
    counts = Counter(offset.verdict for offset in offsets)
    return ", ".join(f"{name} {count / len(offsets):.0%}" for name, count in counts.most_common())


def _found(rows: Sequence[tuple[float, SoundOffset, SoundOffset]]) -> str:
    """Return how near the measured offset is to the shift, and its change to the shift, in frames of 25."""
    if not rows:
        return "none"
    whole = np.array([after.mouth_late_s - shift for shift, _, after in rows])
    change = np.array([after.mouth_late_s - before.mouth_late_s - shift for shift, before, after in rows])
    shares = [f"{n} frames {np.mean(abs(whole) <= n * FRAME_S + 1e-9):.0%}" for n in (1, 2, 3)]
    return (
        f"offset within {', '.join(shares)}; its change within 1 frame {np.mean(abs(change) <= FRAME_S):.0%}"
    )


def show_fit(clips: Sequence[Clip]) -> None:
    """Print the band weights that fit the openings of the train clips best."""
    groups = len(sync_offset.BAND_WEIGHTS)
    square, product, count = np.zeros((groups, groups)), np.zeros(groups), 0
    for clip in clips:
        if clip.split != "train" or clip.verdict not in ("ok", "offset"):
            continue
        late_s = clip.mouth_late_s if clip.verdict == "offset" else 0.0
        rows = LogMelEncoder().encode(moved(clip.sound, -late_s)).numpy()
        length = min(len(rows), round(len(clip.opening) / clip.fps * RATE / HOP))
        mouth, known = sync_offset.mouth_signal(clip.opening, clip.found, fps=clip.fps, num_rows=length)
        bands = np.stack([_group(rows[:length], k, groups) for k in range(groups)], axis=1)[known]
        mouth = mouth[known] / mouth[known].std()
        square, product, count = square + bands.T @ bands, product + bands.T @ mouth, count + len(mouth)
    weights = np.linalg.solve(square + RIDGE * count * np.eye(groups), product)
    print(f"{count / 100:.0f} s of speech")
    print("BAND_WEIGHTS =", tuple(float(np.round(weight, 3)) for weight in weights))


def _group(rows: Array, number: int, groups: int) -> Array:
    """Return the band-passed mean of one group of mel bands (T,)."""
    alone = tuple(float(k == number) for k in range(groups))
    with mock.patch.object(sync_offset, "BAND_WEIGHTS", alone):
        return sync_offset.sound_signal(rows)


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("shifts", "fit"))
    parser.add_argument("--list", type=Path, required=True, help="prepared clips, OUT/NAME.json")
    parser.add_argument("--verdicts", type=Path, required=True, help="CSV: file, verdict, mel_lag")
    parser.add_argument("--split", type=Path, required=True, help="CSV: file, split (train or val)")
    args = parser.parse_args()
    clips = read_clips(args.list, args.verdicts, args.split)
    (show_shifts if args.what == "shifts" else show_fit)(clips)


if __name__ == "__main__":
    main()
