"""The embedded model on held-out persons, by the project's own bench: the table of the README's evaluation.

    python benchmarks/evaluate_embedded.py --media MEDIA --data PACKED --output FOLDER [-- FLAGS]

PACKED holds the clips of MEDIA as `python -m talkvid.training.mini_data` packs them. Of every held-out clip
with known sound up to 5 s are written as a true video below FOLDER/bench/videos; then `talkvid evaluate
--bench` makes the model's videos from their first pictures and sounds, and scores both with all controls.
FLAGS go to that command, such as `-- --yardstick mediapipe --yardstick_model FILE`. The seconds at the end
are those of scoring alone, nothing kept from before: the same bench with `--no_generate`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from talkvid.files import atomic_path
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from talkvid.training.mini_clips import AUDIO_RATE_HZ, FPS
from talkvid.training.mini_data import PackedClip, load_clips

MOST_FRAMES = 125
CRF = 10
"""Near to lossless: the true pictures are JPEG already."""


def write_truth(clip: PackedClip, folder: Path) -> None:
    """Write up to MOST_FRAMES pictures of the clip and their sound to `folder`/<id>.mp4."""
    first = int(clip.usable[0])
    last = min(len(clip), first + MOST_FRAMES)
    start, stop = (round(frame / FPS * AUDIO_RATE_HZ) for frame in (first, last))
    with tempfile.TemporaryDirectory() as scratch:
        sound = Path(scratch) / "sound.wav"
        write_wav(clip.audio[start:stop], sound)
        target = folder / f"{clip.source.id}.mp4"
        with VideoWriter(target, clip.size, clip.size, FPS, audio=AudioSource(sound), crf=CRF) as writer:
            for frame in range(first, last):
                writer.write(clip.picture(frame))


def write_wav(samples: Array, path: Path) -> None:
    """Write mono samples (N,) float32 at 16 kHz as 16 bit PCM."""
    with atomic_path(path) as temporary, wave.open(os.fspath(temporary), "wb") as file:
        file.setparams((1, 2, AUDIO_RATE_HZ, 0, "NONE", ""))
        file.writeframes(np.clip(samples * 32767, -32768, 32767).astype("<i2").tobytes())


def evaluate(*arguments: str) -> float:
    """Run `talkvid evaluate` and return its seconds."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "talkvid.cli.main", "evaluate", *arguments], check=True)
    return time.monotonic() - start


def main() -> None:
    """Write the bench, make and score the videos, then time the scoring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--timed_clips", type=int, default=10)
    arguments, flags = parser.parse_known_args()
    flags = [flag for flag in flags if flag != "--"]
    bench, out = arguments.output / "bench", arguments.output / "results"
    for clip in load_clips(arguments.media, arguments.data, "val", synced_only=True):
        if not (bench / "videos" / f"{clip.source.id}.mp4").is_file():
            write_truth(clip, bench / "videos")
    side = f"--image_width {clip.size} --image_height {clip.size}"
    generate = f"--generate_flags=--framing full {side}"
    evaluate("--bench", f"{bench}", generate, "--output", f"{out}", *flags)
    with tempfile.TemporaryDirectory() as again:
        ours = f"--outputs=talkvid-mini={out / 'videos'}"
        limit = ["--limit", f"{arguments.timed_clips}"]
        wall_s = evaluate("--bench", f"{bench}", "--no_generate", ours, *limit, "--output", again, *flags)
    print(f"scoring {arguments.timed_clips} clips with all controls: {wall_s:.0f} s")


if __name__ == "__main__":
    main()
