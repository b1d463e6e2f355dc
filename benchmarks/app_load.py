"""Does the web page bear eight visitors at once? `python -m benchmarks.app_load [--minutes 5] [--users 8]`

Serves the embedded model on loopback. Each visitor uploads the sample portrait and one second of speech, asks
for a video of 256 px, fetches it, and begins again; every fifth time it stops the video instead.
One more visitor only tries what is forbidden. Prints figures; exit code 1 when one of the promises is broken.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from talkvid.app.limits import Limits
from talkvid.app.line import RUNNING, WAITING, FairLine, Job
from talkvid.app.server import AppServer, AppSettings
from talkvid.inference.settings import LoadOptions

SAMPLE = Path(__file__).resolve().parents[1] / "test_samples" / "short_case" / "astronaut"
STOP_EVERY = 5
MOST_GROWTH_MB = 150.0
"""Of the server's own memory between the first third and the last third of the time."""
SLOT_S = 3.0
"""In which a stopped video must have left the line."""
SIZE = 256
PATIENCE_S = 1800.0
"""Of a visitor: on a busy machine the wait is long, and who gives up measures nothing."""


@dataclass
class Tally:
    """What happened, added up by all visitors."""

    made: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    freed_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        """Write down what should not have been."""
        with self.lock:
            self.wrong.append(what)


def visit(number: int, server: AppServer, sound: Path, tally: Tally, end: float) -> None:
    """Be one visitor until the time is over."""
    import gradio_client as client_library

    client = client_library.Client(
        server.url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": PATIENCE_S}
    )
    given = [client_library.handle_file(str(path)) for path in (SAMPLE / "ref.png", sound)]
    for turn in range(1, 1_000_000):
        if time.monotonic() > end:
            return
        begin = time.monotonic()
        try:
            job = client.submit(
                *given, None, 1, 1, SIZE, 42, *["as the model does"] * 3, "auto", False, api_name="/generate"
            )
            if (turn + number) % STOP_EVERY == 0:
                stop(client, job, tally)
                continue
            status, video, *_ = job.result(timeout=PATIENCE_S)
            if "Finished" not in str(status) or not video:
                tally.note(f"visitor {number}: {status}")
                continue
            with tally.lock:
                tally.made[number] = tally.made.get(number, 0) + 1
                tally.seconds.append(time.monotonic() - begin)
        except Exception as error:  # whatever it is, it belongs in the table
            tally.note(f"visitor {number}: {type(error).__name__}: {error}")


def stop(client: Any, job: Any, tally: Tally) -> None:
    """Stop the visitor's own video while it is made."""
    while not job.done() and "%" not in str(job.outputs()[-1:]):
        time.sleep(0.05)
    client.predict(api_name="/stop")
    status = str(job.result(timeout=PATIENCE_S)[0])
    if "Stopped" not in status and "Finished" not in status:
        tally.note(f"a stopped video ended with {status}")


def watch_stops(line: FairLine, tally: Tally) -> None:
    """Note of every video that is stopped how long the server takes until its slot is free."""
    leave = line.leave

    def timed(job: Job) -> None:
        begin, was_under_way = time.monotonic(), job.state in (WAITING, RUNNING)
        leave(job)
        if was_under_way:
            threading.Thread(target=note_when_over, args=(job, begin), daemon=True).start()

    def note_when_over(job: Job, begin: float) -> None:
        while job.state in (WAITING, RUNNING):
            time.sleep(0.01)
        with tally.lock:
            tally.freed_s.append(time.monotonic() - begin)

    line.leave = timed  # type: ignore[method-assign]


def attack(server: AppServer, tally: Tally, end: float) -> None:
    """Ask again and again for what must be refused."""
    import httpx

    own, large = server.folder, b"x" * (server.settings.limits.upload_bytes + 200_000)
    paths = ("/etc/passwd", f"{own}/%2e%2e/%2e%2e/etc/passwd", f"{own}/samples/..%2f..%2f..%2fetc/passwd")
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client:
        while time.monotonic() < end:
            codes = [client.get(f"/gradio_api/file={path}").status_code for path in paths]
            codes.append(client.get("/gradio_api/proxy=http://127.0.0.1/").status_code)
            codes.append(post(client, "/gradio_api/upload", large))
            with tally.lock:
                tally.refused += sum(code in (403, 404, 413) for code in codes)
            if any(code not in (403, 404, 413) for code in codes):
                tally.note(f"not refused: {codes}")
            time.sleep(2)


def post(client: Any, path: str, content: bytes) -> int:
    """Return the status of the answer; 413 as well when the server closes while it is still being sent to."""
    import httpx

    try:
        return int(client.post(path, content=content).status_code)
    except httpx.TransportError:
        return 413


def memory_mb(server: AppServer) -> tuple[float, float]:
    """Return the resident memory of the server and of its workers."""
    pids = [worker.pid for worker in server.workers if worker.pid is not None]
    workers = sum(psutil.Process(pid).memory_info().rss for pid in pids if psutil.pid_exists(pid))
    return psutil.Process().memory_info().rss / 1e6, workers / 1e6


def main() -> int:
    """Return 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--users", type=int, default=8)
    args = parser.parse_args()
    tally, memory = Tally(), []
    server = AppServer(AppSettings(LoadOptions(device="cpu"), Limits(upload_mb=5, sound_s=10), port=0))
    try:
        with tempfile.TemporaryDirectory() as folder:
            sound = first_second(Path(folder) / "one.wav")
            watch_stops(server.line, tally)
            end = time.monotonic() + 60 * args.minutes
            threads = [
                threading.Thread(target=visit, args=(number, server, sound, tally, end))
                for number in range(args.users)
            ]
            threads.append(threading.Thread(target=attack, args=(server, tally, end)))
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                memory.append(memory_mb(server))
                time.sleep(1)
        left = server.line.counts()
    finally:
        server.close()
    return report(tally, memory, left, users=args.users, minutes=args.minutes)


def report(tally: Tally, memory: list[Any], left: tuple[int, int], *, users: int, minutes: float) -> int:
    """Print the figures and return the exit code."""
    third = max(1, len(memory) // 3)
    # The middle third is compared with the last: in the first the model and every visitor's page are loaded.
    parts = (memory[:third], memory[third : 2 * third] or memory, memory[-third:])
    first, before, after = (
        [statistics.median(part[kind] for part in one) for kind in (0, 1)] for one in parts
    )
    made = [tally.made.get(number, 0) for number in range(users)]
    print(f"{users} visitors, {minutes:g} min: {sum(made)} videos, each visitor {made}")
    if tally.seconds:
        print(
            f"seconds from click to video: median {statistics.median(tally.seconds):.1f}, "
            f"longest {max(tally.seconds):.1f}"
        )
    if tally.freed_s:
        print(f"stopped {len(tally.freed_s)}, slot free after at most {max(tally.freed_s):.2f} s")
    print(
        f"memory MB, first, middle, last third: server {first[0]:.0f}, {before[0]:.0f}, {after[0]:.0f}; "
        f"workers {first[1]:.0f}, {before[1]:.0f}, {after[1]:.0f}"
    )
    print(f"forbidden requests refused: {tally.refused}; left in the line: {left}")
    broken = list(tally.wrong)
    if after[0] - before[0] > MOST_GROWTH_MB:
        broken.append("the server's memory grows")
    if max(made) - min(made) > 2:
        broken.append("the line is not fair")
    if tally.freed_s and max(tally.freed_s) > SLOT_S:
        broken.append(f"a stopped video kept its slot for {max(tally.freed_s):.1f} s")
    if left != (0, 0) or not tally.refused:
        broken.append("something was left in the line, or nothing was refused")
    for one in broken:
        print(f"BROKEN: {one}", file=sys.stderr)
    return 1 if broken else 0


def first_second(path: Path) -> Path:
    """Write the first second of the sample's speech."""
    with wave.open(str(SAMPLE / "aud.wav")) as source, wave.open(str(path), "wb") as sink:
        sink.setparams(source.getparams())
        sink.writeframes(source.readframes(source.getframerate()))
    return path


if __name__ == "__main__":
    sys.exit(main())
