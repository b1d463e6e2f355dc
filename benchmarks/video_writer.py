"""What does writing a video cost? CPU time per 512 x 512 frame and peak memory, short and long video.

    python benchmarks/video_writer.py
    python benchmarks/video_writer.py --frames 24 --rounds 3 --reference CHECKOUT/src

`--reference` takes turns with the original's `save_video`, which smooths the whole video with a median over
3 x 3 x 3 pixels and encodes it twice; a child process runs it on the same frames.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array

FPS = 25
BYTES_PER_MIB = 2**20


def picture_of(number: int) -> Array:
    """Return frame `number` (512 512 3) uint8 of a sliding pattern."""
    tiles = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return np.roll(tiles.repeat(32, 0).repeat(32, 1), 3 * number, axis=1)


def write_sound(path: Path, count: int) -> None:
    """Write silence as long as `count` frames."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2 * 16000 * max(1, count // FPS)))


def write(folder: Path, count: int) -> tuple[float, float, float]:
    """Write `count` frames with sound; return CPU seconds here and of the encoder, and peak MiB of both."""
    write_sound(folder / "sound.wav", count)
    frames = [picture_of(number) for number in range(min(count, 50))]
    own, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with VideoWriter(folder / "out.mp4", 512, 512, FPS, audio=AudioSource(folder / "sound.wav")) as writer:
        for number in range(count):
            writer.write(frames[number % len(frames)])
    here = time.process_time() - own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    encoder = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + after.ru_maxrss) * 1024 / BYTES_PER_MIB
    return here, encoder, peak


def compare(folder: Path, count: int, rounds: int, source: Path) -> None:
    """Print the CPU seconds of both, encoders included, median over alternating rounds after a warm-up."""
    np.save(folder / "frames.npy", np.stack([picture_of(number) for number in range(count)]))
    write_sound(folder / "silence.wav", count)
    script = Path(__file__).with_name("video_writer_reference.py")
    files = [str(folder / "frames.npy"), str(folder / "silence.wav")]
    command = [sys.executable, str(script), str(source), *files, str(FPS)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    ours, theirs = [], []
    for number in range(rounds + 1):
        here, encoder, _ = write(folder, count)
        child.stdin.write("video\n")
        child.stdin.flush()
        answer = next(line for line in child.stdout if line.startswith("seconds "))
        if number:
            ours.append(here + encoder)
            theirs.append(float(answer.split()[1]))
    child.communicate()
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{count} frames of 512 px, {rounds} rounds: ours {statistics.median(ours):.3f} CPU s, reference")
    print(f"{statistics.median(theirs):.3f} CPU s, ours / reference = {ratio:.4f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[250, 1000])
    parser.add_argument("--rounds", type=int, default=3, help="rounds with --reference, after the warm-up")
    parser.add_argument("--reference", type=Path, help="source folder of a checkout of the original")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.reference is not None:
            for count in args.frames:
                compare(Path(folder), count, args.rounds, args.reference)
            return
        print(" frames  ms here/frame  ms ffmpeg/frame  peak MiB both")
        for count in args.frames:
            here, encoder, peak = write(Path(folder), count)
            print(f"{count:7d} {1000 * here / count:12.2f} {1000 * encoder / count:14.2f} {peak:14.0f}")


if __name__ == "__main__":
    main()
