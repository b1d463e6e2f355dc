"""Does memory grow with the length of the speech? Peak resident size of `talkvid generate` by length.

    python benchmarks/long_speech.py [--seconds 10 60 600] [--speech FILE] [-- FLAGS of talkvid generate]

The speech is the sample's, repeated to the length asked for. Every length is a fresh process; memory is the
largest resident size of it and the encoder it starts, looked at every 50 ms, and beside it the largest of the
process alone as the system counted it. The bar: no length takes over 5 % more than the shortest.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
import wave
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
POLL_S = 0.05
MIB = 2**20
MOST_GROWTH = 0.05


def repeated(source: Path, seconds: float, target: Path) -> Path:
    """Write `seconds` of the WAV file `source`, over and over, and return the file's path."""
    with wave.open(str(source)) as file:
        parameters, sound = file.getparams(), file.readframes(file.getnframes())
    width = parameters.sampwidth * parameters.nchannels
    left = round(seconds * parameters.framerate) * width
    with wave.open(str(target), "wb") as file:
        file.setparams(parameters)
        for block in itertools.repeat(sound):
            file.writeframesraw(block[:left])
            left -= len(block)
            if left <= 0:
                return target
    raise AssertionError


def measure(speech: Path, folder: Path, flags: list[str]) -> dict[str, float]:
    """Return peak memory in MiB, of all processes and of the first alone, CPU and wall seconds of one run."""
    command = [sys.executable, "-m", "talkvid.cli.main", "generate", *flags]
    command += ["--portrait", str(SAMPLE / "ref.png"), "--audio", str(speech)]
    begin = time.monotonic()
    process = psutil.Popen([*command, "--output", str(folder / "out.mp4")], stdout=-3, stderr=-3)
    peak = alone = 0
    while process.poll() is None:
        try:
            # A child that has yet to become the encoder shows its parent's memory once more.
            encoders = [child for child in process.children() if child.name().startswith("ffmpeg")]
            peak = max(peak, sum(member.memory_info().rss for member in (process, *encoders)))
            alone = max(alone, _high_water(process.pid))
        except psutil.NoSuchProcess:
            continue
        time.sleep(POLL_S)
    if process.returncode:
        sys.exit(f"talkvid generate ended with exit code {process.returncode}")
    usage = os.times()
    cpu_s = usage.children_user + usage.children_system
    return {"peak": peak / MIB, "alone": alone / MIB, "cpu_s": cpu_s, "wall_s": time.monotonic() - begin}


def _high_water(pid: int) -> int:
    """Return the largest resident bytes of a process so far, as Linux counts them."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Print one row per length and whether the bar holds; exit code 1 when it does not."""
    own, _, flags = " ".join(sys.argv[1:]).partition("-- ")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 60, 600])
    parser.add_argument("--speech", type=Path, default=SAMPLE / "aud.wav", help="a WAV file")
    arguments = parser.parse_args(own.split())
    print("| speech s | peak MiB with encoder | MiB of the process | CPU s | wall s |", flush=True)
    print("|---|---|---|---|---|")
    peaks, spent = [], 0.0
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
        for seconds in arguments.seconds:
            speech = repeated(arguments.speech, seconds, Path(folder) / "speech.wav")
            told = measure(speech, Path(folder), flags.split())
            cpu_s, spent = told["cpu_s"] - spent, told["cpu_s"]
            sizes = f"{told['peak']:.0f} | {told['alone']:.0f}"
            print(f"| {seconds:g} | {sizes} | {cpu_s:.0f} | {told['wall_s']:.0f} |", flush=True)
            peaks.append((told["peak"], told["alone"]))
    growth = [max(column) / column[0] - 1 for column in zip(*peaks, strict=True)]
    print(f"largest over the first: {growth[0]:+.1%} with encoder, {growth[1]:+.1%} without")
    sys.exit(max(growth) > MOST_GROWTH)


if __name__ == "__main__":
    main()
