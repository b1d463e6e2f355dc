"""What does writing a video cost? CPU time per 512 x 512 frame and peak memory, short and long video."""

import argparse
import resource
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter

FPS = 25
BYTES_PER_MIB = 2**20


def write(folder: Path, count: int) -> str:
    """Write `count` frames of a sliding pattern with sound and return the row of the table."""
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2 * 16000 * max(1, count // FPS)))
    tiles = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = tiles.repeat(32, 0).repeat(32, 1)
    own, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with VideoWriter(folder / "out.mp4", 512, 512, FPS, audio=AudioSource(folder / "sound.wav")) as writer:
        for number in range(count):
            writer.write(np.roll(picture, 3 * number, axis=1))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    encoder = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + after.ru_maxrss) * 1024 / BYTES_PER_MIB
    here = time.process_time() - own
    return f"{count:7d} {1000 * here / count:12.2f} {1000 * encoder / count:14.2f} {peak:14.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[250, 1000])
    print(" frames  ms here/frame  ms ffmpeg/frame  peak MiB both")
    with tempfile.TemporaryDirectory() as folder:
        for count in parser.parse_args().frames:
            print(write(Path(folder), count))


if __name__ == "__main__":
    main()
