"""Does a bench of 500 clips keep its memory flat, survive kills to the byte, and average subgroups rightly?

    python -m benchmarks.bench_scale [--clips 500] [--kills 10] [--workers 2] [--seed 0] [--folder DIR]

Draws a bench in TalkVid-Bench's layout and sizes (64 px, 0.6 to 1 s per clip, true videos, a table of
subgroups) and another system's videos of 96 % of the clips.  A bench run then draws one system's videos and
scores both, the truth and all controls with L1, PSNR, SSIM, duration and a planted number: once undisturbed
while the memory of the run and its workers is sampled, and once more ended with SIGKILL, the whole process
group, at random moments, each time going on with the same command.  At the end results.json and bench.json
of both are compared byte by byte, the journals are searched for work done twice, and every subgroup's mean of
the planted number is computed by hand.  Exit code 1: anything differs.
"""

import argparse
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from talkvid.evaluation.bench.run import BENCH_FILE
from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.store import FILE_NAME, load_evaluation
from talkvid.runner.journal import DONE, read_journal
from tests.evaluation.bench.bench_made_up import clip_groups, clip_name, write_bench, write_outputs
from tests.evaluation.bench.planted import planted_value

VIDEOS, SCORES = "videos.journal.jsonl", "journal.jsonl"
OTHER = "other"
MIB = 1 << 20
IDLE_MIB = 50
"""A process below this is no worker at work."""


@dataclass(frozen=True)
class Sample:
    """Resident memory at one moment."""

    made: int
    """Videos that are finished."""
    scored: int
    """Pairs that are."""
    run_mib: float
    workers_mib: float
    """Of the largest worker."""


def main() -> int:
    """Return 0 when nothing differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="work here and keep everything (a temporary folder)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with tempfile.TemporaryDirectory() as temporary:
        work = args.folder or Path(temporary)
        bench = write_bench(work / "bench", clips=args.clips)
        other = write_outputs(work / "other", range(args.clips * 24 // 25), error=0.3)
        command = [
            *(sys.executable, "-m", "tests.evaluation.bench.bench_run", str(bench), str(work / "run")),
            *("--workers", str(args.workers), "--outputs", f"{OTHER}={other}"),
        ]
        begin = time.monotonic()
        report_memory(watched(command, work / "run"))
        length_s = time.monotonic() - begin
        print(f"undisturbed: {length_s:.0f} s, {count(work / 'run' / SCORES)} pairs", flush=True)
        shutil.rmtree(work / "whole", ignore_errors=True)
        (work / "run").rename(work / "whole")
        kills = kill_again_and_again(command, work / "run", args, length_s)
        subprocess.run(command, check=True, capture_output=True)
        print(f"{kills.total()} kills, when the run was at: {dict(kills)}")
        faults = compare(work / "whole", work / "run", kills.total() * args.workers)
        return int(faults + subgroup_faults(work / "run", args.clips) > 0)


def watched(command: list[str], output: Path) -> list[Sample]:
    """Run the command and return its memory, sampled twice a second."""
    samples = []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes = [one.memory_info().rss / MIB for one in whole.children(recursive=True)]
            own = whole.memory_info().rss / MIB
        except psutil.NoSuchProcess:
            continue
        done = count(output / VIDEOS), count(output / SCORES)
        samples.append(Sample(*done, own, max(sizes, default=0.0)))
        time.sleep(0.5)
    if process.returncode:
        raise RuntimeError(f"the undisturbed run ended with {process.returncode}")
    return samples


def report_memory(samples: list[Sample]) -> None:
    """Print the memory at ten moments, and how much it grew while pairs were scored."""
    busy = [sample for sample in samples if sample.made]
    tenth = max(1, len(busy) // 10)
    print(f"{'videos':>8} {'pairs':>8} {'run MiB':>8} {'largest worker MiB':>19}")
    for sample in busy[::tenth]:
        print(f"{sample.made:8} {sample.scored:8} {sample.run_mib:8.0f} {sample.workers_mib:19.0f}")
    scoring = [sample for sample in busy if sample.scored and sample.workers_mib > IDLE_MIB]
    part = max(1, len(scoring) // 5)
    for name, sizes in (
        ("run", [one.run_mib for one in scoring]),
        ("largest worker", [one.workers_mib for one in scoring]),
    ):
        first, last = sum(sizes[:part]) / part, sum(sizes[-part:]) / part
        print(f"{name}, mean of the first and last fifth of scoring: {first:.1f} -> {last:.1f} MiB")
    most = max(sample.run_mib for sample in busy)
    print(f"run, at most, when the results are put together: {most:.0f} MiB", flush=True)


def kill_again_and_again(
    command: list[str], output: Path, args: argparse.Namespace, length_s: float
) -> Counter[str]:
    """Start the run and kill its process group at random moments; return what it was at."""
    draw = random.Random(args.seed)
    kills: Counter[str] = Counter()
    while kills.total() < args.kills:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            # The first kills come early, while videos are made, the later ones while they are scored.
            process.wait(draw.uniform(0.01, 0.04 + 0.02 * kills.total()) * length_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            kills[moment(output)] += 1
            print(f"kill {kills.total()}: {moment(output)}", flush=True)
        else:  # it was through: begin anew, so that every kill hits work
            print("finished between kills; begun anew", flush=True)
            shutil.rmtree(output)
    return kills


def moment(output: Path) -> str:
    """Return how far the run had come."""
    if (output / FILE_NAME).exists():
        return "after the results"
    if count(output / SCORES):
        return "scores"
    return "videos" if count(output / VIDEOS) else "start"


def count(path: Path) -> int:
    """Return the number of lines of a file, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def compare(whole: Path, killed: Path, most_extra: int) -> int:
    """Print and return what differs or was done twice; a kill may cost each worker the item it held."""
    faults = 0
    for name in (FILE_NAME, BENCH_FILE):
        same = (whole / name).read_bytes() == (killed / name).read_bytes()
        faults += not same
        print(f"{name}: {'the same bytes' if same else 'DIFFERENT'} ({os.path.getsize(whole / name)} bytes)")
    for name in (VIDEOS, SCORES):
        counts = Counter(record.id for record in read_journal(killed / name) if record.state == DONE)
        twice = [item for item, number in counts.items() if number > 1]
        faults += len(twice)
        print(f"{name}: {len(counts)} items, {len(twice)} journalled more than once")
    lines = (killed / "calls.txt").read_text().splitlines()
    made = Counter(line.split()[0] for line in lines if not line.startswith("loaded"))
    extra = made.total() - len(made)
    faults += extra > most_extra
    print(f"videos begun: {made.total()} for {len(made)} clips; {extra} were hit by a kill and begun again")
    return faults


def subgroup_faults(folder: Path, clips: int) -> int:
    """Print and return how many subgroup cells differ from what is computed by hand."""
    evaluation = load_evaluation(folder)
    faults = cells = 0
    largest = 0.0
    shown = Counter((result.pair.row, result.pair.clip) for result in evaluation.pairs)
    rows = sorted({row for row, _ in shown if "sound" not in row})
    for table in group_tables(evaluation, resamples=10):
        for group in table.groups:
            names = [
                clip_name(number)
                for number in range(clips)
                if clip_groups(number, of=clips) == {table.dimension: group.value}
            ]
            for row in rows:
                values = [planted_value(row, name) for name in names if (row, name) in shown]
                known = [value for value in values if value is not None]
                cell = group.cell(row, "planted", "planted")
                mean = sum(known) / len(known) if known else None
                off = abs((cell.mean or 0.0) - (mean or 0.0))
                largest, cells = max(largest, off), cells + 1
                wrong = cell.num_clips != len(known) or cell.num_missing != len(values) - len(known)
                faults += wrong or off > 1e-12 or group.num_clips != len(names)
    print(
        f"subgroups: {cells} means of {len(rows)} rows, {faults} differ; largest difference {largest:.1e}; "
        f"clips by dimension {dict(sorted(sizes(clips).items()))}"
    )
    return faults


def sizes(clips: int) -> Counter[str]:
    """Return the number of clips of each dimension."""
    return Counter(next(iter(clip_groups(number, of=clips))) for number in range(clips))


if __name__ == "__main__":
    sys.exit(main())
