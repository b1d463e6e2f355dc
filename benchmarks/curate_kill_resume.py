"""Does a curation that is killed again and again end in the same table, to the byte, scoring nothing twice?

    python -m benchmarks.curate_kill_resume [--kills 20] [--videos 12 | --input DIR] [--workers 2] [--seed 0]

Runs `talkvid curate run` on drawn videos (or on DIR) once undisturbed, then a second time into another
folder, ended with SIGKILL at random moments: at the start, or a random while after none, one or two more
results have come, so in the scan, the scores or the writing of the tables, however fast the machine is.
Each time the same command goes on.  Then the tables of both are compared byte by byte, and the
journals are searched for files scanned and clips scored more than once.  Exit code 1: they differ.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from talkvid.runner.journal import read_journal
from tests.curation.curation_jobs import draw_video

LENIENT = [f"rules.scan.{name}=off" for name in ("duration_s", "has_audio", "speech_ratio")]
TABLES = ("clips.parquet", "videos.parquet")
JOURNALS = ("scan.jsonl", "score.jsonl")


def main() -> int:
    """Return 0 when the killed and the undisturbed run end in the same bytes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--input", type=Path, help="folder of videos instead of drawn ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for number in range(0 if args.input else args.videos):
            draw_video(work / "videos" / f"v{number:03d}.mp4", seconds=2, shade=15 * number % 200, size=256)
        videos = args.input or work / "videos"
        begin = time.monotonic()
        subprocess.run(command(videos, work / "whole", args.workers), check=True, capture_output=True)
        length = time.monotonic() - begin
        print(f"undisturbed: {length:.1f} s", flush=True)
        kills = kill_again_and_again(
            command(videos, work / "killed", args.workers), work / "killed", args, length
        )
        subprocess.run(command(videos, work / "killed", args.workers), check=True, capture_output=True)
        print(f"{kills.total()} kills, when the run was at: {dict(kills)}")
        return compare(work / "whole", work / "killed")


def command(videos: Path, out: Path, workers: int) -> list[str]:
    """Return the command of a run that scores everything and goes on with what is there."""
    settings = ["score_all=true", f"run.workers={workers}", "finish=[]", *LENIENT]
    return [sys.executable, "-m", "talkvid.cli.curate", "run", str(videos), "-o", str(out), *settings]


def kill_again_and_again(
    words: list[str], out: Path, args: argparse.Namespace, length_s: float
) -> Counter[str]:
    """Start the run and kill it at random moments, counted in results; return what it was at."""
    draw = random.Random(args.seed)
    kills: Counter[str] = Counter()
    while kills.total() < args.kills:
        goal = num_results(out) + draw.choice((0, 1, 1, 2, 2))
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and num_results(out) < goal:
            time.sleep(0.02)
        try:
            process.wait(draw.uniform(0.0, 0.2) * length_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            kills[moment(out)] += 1
            print(f"kill {kills.total()}: {moment(out)}", flush=True)
        else:  # it was through: begin anew, so that every kill hits work
            print("finished: begun anew", flush=True)
            for name in (*TABLES, *(f"journal/{name}" for name in JOURNALS)):
                (out / name).unlink(missing_ok=True)
    return kills


def moment(out: Path) -> str:
    """Return how far the run had come."""
    lines = {name: count_lines(out / "journal" / name) for name in JOURNALS}
    if not lines["scan.jsonl"]:
        return "start"
    if (out / "clips.parquet").exists():
        return "after the tables"
    return "scores" if lines["score.jsonl"] else "scan"


def num_results(out: Path) -> int:
    """Return how many files are scanned and clips scored so far."""
    return sum(count_lines(out / "journal" / name) for name in JOURNALS)


def count_lines(path: Path) -> int:
    """Return the number of lines of a file, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def compare(whole: Path, killed: Path) -> int:
    """Print and return whether anything differs or was done twice."""
    faults = 0
    for name in TABLES:
        same = (whole / name).read_bytes() == (killed / name).read_bytes()
        faults += not same
        print(f"{name}: {'the same bytes' if same else 'DIFFERENT'} ({os.path.getsize(whole / name)} bytes)")
    for name in JOURNALS:
        counts = Counter(record.id for record in read_journal(killed / "journal" / name))
        twice = [item for item, count in counts.items() if count > 1]
        faults += len(twice)
        print(f"{name}: {len(counts)} items, {len(twice)} done more than once")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
