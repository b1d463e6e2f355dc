"""What the embedded model costs: a fresh process makes a video of each size, H.264 and start included.

    python benchmarks/generate_embedded.py [--threads 2] [--sizes 256 512] [--speech FILE]

Frames per second and the first frame count from the start of the process; CPU seconds are those of the
process and the encoder it starts; memory is the largest resident size of both together.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
POLL_S = 0.05
BYTES_PER_MIB = 2**20


def child(size: int, speech: str, output: str, threads: int) -> None:
    """Make one video and print what it took as JSON."""
    import torch

    from talkvid import TalkVidInference
    from talkvid.records import Array

    torch.set_num_threads(threads)
    born = psutil.Process().create_time()

    class Watched(TalkVidInference):
        first_s = 0.0

        def _frames(self, *arguments: Any) -> Generator[Array, None, None]:
            for number, frame in enumerate(super()._frames(*arguments)):
                if number == 0:
                    self.first_s = time.time() - born
                yield frame

    model = Watched()
    made = model.generate(SAMPLE / "ref.png", speech, output, image_width=size, image_height=size)
    usage = os.times()
    cpu_s = usage.user + usage.system + usage.children_user + usage.children_system
    told = {"frames": made.num_frames, "first_s": model.first_s, "cpu_s": cpu_s, "wall_s": time.time() - born}
    print(json.dumps(told))


def measure(size: int, speech: Path, threads: int) -> dict[str, float]:
    """Return what a child process told, with the peak memory of it and its encoder in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--child", str(size), str(speech), str(Path(folder) / "video.mp4"), str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        process = subprocess.Popen(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(POLL_S)
        assert process.stdout is not None
        if process.returncode != 0:
            sys.exit(process.returncode)
        told: dict[str, float] = json.loads(process.stdout.read().splitlines()[-1])
    return {**told, "peak_mib": peak / BYTES_PER_MIB}


def resident(pid: int) -> int:
    """Return the resident bytes of a process and all it started."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    """Print one row per size."""
    if sys.argv[1:2] == ["--child"]:
        size, speech, output, threads = sys.argv[2:]
        child(int(size), speech, output, int(threads))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--speech", type=Path, default=SAMPLE / "aud.wav")
    arguments = parser.parse_args()
    print("| size | frames | first frame s | frames/s | CPU s | CPU ms per frame | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        told = measure(size, arguments.speech, arguments.threads)
        rate, each = told["frames"] / told["wall_s"], 1000 * told["cpu_s"] / told["frames"]
        print(
            f"| {size} | {told['frames']:.0f} | {told['first_s']:.1f} | {rate:.1f} "
            f"| {told['cpu_s']:.1f} | {each:.0f} | {told['peak_mib']:.0f} |"
        )


if __name__ == "__main__":
    main()
