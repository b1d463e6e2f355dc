"""Do picture and sound of prepared clips still lie together as in their sources?

    python benchmarks/preprocess_offset.py OUT/NAME.json

For each clip of the list whose source is still there: by how much the crop's sound is later than that of the
source, both counted from their first pictures by the time stamps alone (PyAV, none of our own decoding),
found by cross-correlation; and by how much its pictures are later than the source's, found by looking up the
source picture that resembles each tenth crop picture most. The difference of the two is the change of the
sound offset; `moved` is what the preparation was told or took out on purpose and is not part of it. Spans
and crops that follow the head are left out. Exit code 1 when a change exceeds one frame.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.signal import correlate, resample_poly

from talkvid.dataset.face_info import stored_metadata
from talkvid.face.crop import Square, square_crop
from talkvid.media.video_stream import quarter_turns
from talkvid.records import Array

RATE = 16000
LOOK_PX = 96
EVERY = 10
NEAR_S = 0.25


def sound_from_first_picture(path: Path) -> Array:
    """Return mono sound at 16 kHz whose sample 0 is the time stamp of the first picture."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        first = next(container.decode(video))
        origin = first.pts * first.time_base
        container.seek(0)
        pieces: list[tuple[int, Array]] = []
        rate = audio.rate
        for frame in container.decode(audio):
            samples = frame.to_ndarray().astype(np.float64)
            channels = frame.layout.nb_channels
            mono = (
                samples.reshape(-1, channels).mean(axis=1)
                if not frame.format.is_planar
                else samples.mean(axis=0)
            )
            pieces.append((round((frame.pts * frame.time_base - origin) * rate), mono))
    whole = np.zeros(max(start + len(mono) for start, mono in pieces))
    for start, mono in pieces:
        if start + len(mono) > 0:
            whole[max(start, 0) : start + len(mono)] = mono[max(-start, 0) :]
    ratio = Fraction(RATE, rate)
    return resample_poly(whole, ratio.numerator, ratio.denominator)


def lag_s(ours: Array, theirs: Array) -> float:
    """Return by how much `ours` is later than `theirs`, from the highest correlation."""
    length = min(len(ours), len(theirs))
    ours, theirs = ours[:length] - ours[:length].mean(), theirs[:length] - theirs[:length].mean()
    curve = correlate(ours, theirs, mode="full", method="fft")
    peak = int(curve.argmax())
    bend = 0.0
    if 0 < peak < len(curve) - 1:
        before, top, after = curve[peak - 1 : peak + 2]
        bend = 0.5 * (before - after) / (before - 2 * top + after)
    return (peak + bend - (length - 1)) / RATE


def pictures(path: Path) -> Iterator[tuple[float, Array]]:
    """Yield (seconds after the first picture, upright RGB picture)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        origin = None
        for frame in container.decode(stream):
            time = frame.pts * frame.time_base
            origin = time if origin is None else origin
            yield float(time - origin), np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns(frame))


def picture_lags_s(crop: Path, source: Path, square: Square) -> Array:
    """Return, for each tenth crop picture, its time less that of the most similar source picture nearby.

    Of several equally similar ones the nearest in time counts: a still picture shows no lag.
    """
    times: list[float] = []
    looks: list[Array] = []
    for time_s, picture in pictures(source):
        times.append(time_s)
        looks.append(_look(square_crop(np.ascontiguousarray(picture), square, LOOK_PX)))
    known, lags = np.array(times), []
    for number, (time_s, picture) in enumerate(pictures(crop)):
        if number % EVERY:
            continue
        near = np.flatnonzero(abs(known - time_s) <= NEAR_S)
        look = _look(cv2.resize(picture, (LOOK_PX, LOOK_PX), interpolation=cv2.INTER_AREA))
        unlike = np.array([np.abs(look - looks[k]).mean() for k in near])
        alike = near[unlike <= unlike.min() * 1.05 + 0.02]
        lags.append(time_s - known[alike[np.abs(known[alike] - time_s).argmin()]])
    return np.array(lags)


def _look(picture: Array) -> Array:
    """Return a small grey picture whose level and contrast do not matter."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey - grey.mean()


def main() -> int:
    """Print a row per clip and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("list", type=Path, help="OUT/NAME.json")
    path: Path = parser.parse_args().list
    worst = 0.0
    print(
        f"{'id':52s} {'sound ms':>9s} {'picture ms':>10s} {'largest':>8s} {'moved ms':>9s} {'change ms':>9s}"
    )
    for entry in json.loads(path.read_text(encoding="utf-8")):
        told = stored_metadata(path.parent / entry["face_info"])
        source, crop = Path(told["source"]), path.parent / entry["video"]
        if not source.is_file() or float(told["start_s"]) or told["crop"] != "fixed":
            print(f"{entry['id'][-52:]:52s} left out")
            continue
        moved_s = float(told["mouth_late_s"]) + float(told.get("sync_moved_s", 0))
        sound_s = lag_s(sound_from_first_picture(crop), sound_from_first_picture(source))
        square = Square(*(float(value) for value in told["crop_left_top_side"].split()))
        picture = picture_lags_s(crop, source, square)
        change_s = sound_s - moved_s - float(np.median(picture))
        worst = max(worst, abs(change_s) * entry["fps"])
        print(
            f"{entry['id'][-52:]:52s} {sound_s * 1e3:9.1f} {np.median(picture) * 1e3:10.1f} "
            f"{np.abs(picture).max() * 1e3:8.1f} {moved_s * 1e3:9.1f} {change_s * 1e3:9.1f}"
        )
    print(f"largest change of the sound offset: {worst:.2f} frames")
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
