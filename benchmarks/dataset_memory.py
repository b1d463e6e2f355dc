"""Does reading samples leak? Resident memory over many samples, in this process and in two data workers.

The mean over the first 200 samples (after 50 that warm up) is compared with that over the last 200.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from drawn_clips import draw_clips

from talkvid.dataset.batch import StepBatches
from talkvid.dataset.index import find_clips
from talkvid.dataset.loading import load_batches
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings

WARM_UP, COMPARED = 50, 200
BYTES_PER_MIB = 2**20


def resident_mib(process: int | str) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MIB


def readings(dataset: TalkingFaceDataset, *, count: int, workers: int) -> Iterator[list[float]]:
    """Yield the resident MiB of this process, and of each worker, after every sample."""
    places = StepBatches(len(dataset), 1, seed=0, last_step=count)
    for _ in load_batches(dataset, places, num_workers=workers):
        workers_now = sorted(map(worker_id, active_children()))
        yield [resident_mib("self"), *map(resident_mib, workers_now)]


def worker_id(process: BaseProcess) -> int:
    """Return the number of a running process."""
    assert process.pid is not None
    return process.pid


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", type=Path, help="JSON list of prepared clips; without it clips are drawn")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = WindowSettings(num_frames=8, width=args.size, height=args.size)
    with tempfile.TemporaryDirectory() as folder:
        listed = args.list or draw_clips(Path(folder), count=6, num_frames=96, size=args.size, speech_dim=768)
        dataset = TalkingFaceDataset(find_clips([listed], at_least=settings.least_frames), settings)
        print("workers  process    first 200    last 200    growth MiB      %")
        for workers in args.workers:
            table = list(readings(dataset, count=args.samples, workers=workers))
            for name, values in zip(
                ["this one", *["worker"] * workers], zip(*table, strict=True), strict=True
            ):
                first = statistics.mean(values[WARM_UP : WARM_UP + COMPARED])
                last = statistics.mean(values[-COMPARED:])
                grown = last - first
                print(f"{workers:7d}  {name:8} {first:11.1f} {last:11.1f} {grown:12.1f} {grown / first:9.1%}")


if __name__ == "__main__":
    main()
