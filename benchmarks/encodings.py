"""How should a generated video be encoded? CPU time, size and likeness to the frames, by what x264 is told.

    python benchmarks/encodings.py [--size 256 512]

The 141 frames the embedded model makes of `test_samples/short_case/astronaut`, written by `VideoWriter`
without sound; CPU ms per frame of the encoder alone, conversion of the colours included, least of `--rounds`.
SSIM and PSNR are those of the project's evaluation, in RGB.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np

from talkvid import TalkVidInference
from talkvid.evaluation.pixel_metrics import psnr
from talkvid.evaluation.ssim import ssim
from talkvid.media.video import read_frames
from talkvid.media.writer import QUICK, Encoding, VideoWriter
from talkvid.records import Array

SAMPLE = Path(__file__).parents[1] / "test_samples" / "short_case" / "astronaut"
FPS = 25
ENCODINGS: tuple[Encoding, ...] = (
    {"preset": "medium", "crf": 18, "chroma_offset": 0},
    {"preset": "fast", "crf": 18, "chroma_offset": 0},
    {"preset": "veryfast", "crf": 18, "chroma_offset": 0},
    {"preset": "veryfast", "crf": 16, "chroma_offset": 0},
    QUICK,
)


def children_s() -> float:
    """Return the CPU seconds of the processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write(path: Path, frames: list[Array], encoding: Encoding) -> float:
    """Write the frames and return the encoder's CPU seconds."""
    before = children_s()
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, FPS, **encoding) as writer:
        for frame in frames:
            writer.write(frame)
    return children_s() - before


def row(size: int, frames: list[Array], encoding: Encoding, *, rounds: int) -> str:
    """Return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        seconds = min(write(path, frames, encoding) for _ in range(rounds))
        back = list(read_frames(path))
        kilobytes = path.stat().st_size / 1000
    assert len(back) == len(frames)
    likeness = ssim(zip(back, frames, strict=True)).mean
    errors = [np.square(made.astype(float) - frame).mean() for made, frame in zip(back, frames, strict=True)]
    what = f"{encoding['preset']}, CRF {encoding['crf']}, chroma {encoding['chroma_offset']:+d}"
    each = 1000 * seconds / len(frames)
    return (
        f"| {size} | {what} | {each:.1f} | {kilobytes:.0f} | {likeness:.4f} | {psnr(np.mean(errors)):.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| px | x264 | CPU ms per frame | kB | SSIM | PSNR |\n|---|---|---|---|---|---|")
    model = TalkVidInference()
    for size in arguments.size:
        sides = {"image_width": size, "image_height": size}
        with model.generate_stream(SAMPLE / "ref.png", SAMPLE / "aud.wav", **sides) as stream:
            frames = list(stream)
        for encoding in ENCODINGS:
            print(row(size, frames, encoding, rounds=arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
