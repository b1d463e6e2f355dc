"""What does a random training window cost, against decoding its whole clip? CPU seconds of one thread.

The rounds of the four rows alternate in one process. Without --list a clip is drawn first.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from drawn_clips import draw_clips

from talkvid.dataset.batch import SampleKey
from talkvid.dataset.index import Clip, find_clips
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings
from talkvid.media.container import open_media, video_stream
from talkvid.media.video import probe, read_at, read_window
from talkvid.media.video_stream import PictureReader

DRAWN_S, FPS = 10, 24
BASELINE = "whole clip, RGB"


def decode_all(clip: Clip, *, pictures: bool) -> int:
    """Decode every frame on one thread, and turn it into an RGB picture when `pictures`; return the count."""
    count = 0
    with open_media(clip.video, what="video") as container:
        stream = video_stream(container, clip.video)
        stream.codec_context.thread_count = 1
        to_picture = PictureReader(stream)
        for frame in container.decode(stream):
            if pictures:
                to_picture(frame)
            count += 1
    return count


def rows(clip: Clip, *, num_frames: int, rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name."""
    info = probe(clip.video)
    settings = WindowSettings(num_frames=num_frames, width=info.width, height=info.height)
    dataset = TalkingFaceDataset([clip], settings)
    highest = clip.num_frames - num_frames

    def window() -> object:
        return read_window(clip.video, int(rng.integers(0, highest + 1)), num_frames)

    def window_and_reference() -> object:
        first = int(rng.integers(0, highest + 1))
        return read_at(clip.video, [*range(first, first + num_frames), int(rng.integers(clip.num_frames))])

    return {
        BASELINE: lambda: decode_all(clip, pictures=True),
        "whole clip, decoded only": lambda: decode_all(clip, pictures=False),
        f"{num_frames} frames": window,
        f"{num_frames} frames and a reference": window_and_reference,
        "whole sample (dataset[i])": lambda: dataset[SampleKey(int(rng.integers(1 << 30)), 0)],
    }


def measure(actions: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each action over interleaved rounds; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            repeats = 1 if name.startswith("whole clip") else 5
            started = time.process_time()
            for _ in range(repeats):
                action()
            if number:
                seconds[name].append((time.process_time() - started) / repeats)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Print the table for each clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", type=Path, help="JSON list of `talkvid preprocess`; its clips are measured")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        listed = args.list or draw_clips(
            Path(folder), count=1, num_frames=DRAWN_S * FPS, size=512, speech_dim=768
        )
        settings = WindowSettings(num_frames=args.frames, width=512, height=512)
        for clip in find_clips([listed], at_least=settings.least_frames):
            actions = rows(clip, num_frames=args.frames, rng=np.random.default_rng(0))
            found = measure(actions, rounds=args.rounds)
            info = probe(clip.video)
            print(f"{clip.id}: {clip.num_frames} frames of {info.width} x {info.height}, {clip.fps:g} fps")
            print(f"{'':32}    CPU ms   times cheaper than the {BASELINE}")
            for name, value in found.items():
                print(f"{name:32} {1000 * value:9.1f} {found[BASELINE] / value:9.1f}")


if __name__ == "__main__":
    main()
