"""What a run says about itself: losses.csv, a plot, a page, trackers, and a line or a bar on the way."""

import csv
import logging
import math
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from talkvid.files import atomic_path
from talkvid.training.page import write_page
from talkvid.training.plot import plot_losses
from talkvid.training.trackers import Tracker

logger = logging.getLogger(__name__)

PLAIN_LINE_EVERY_S = 10.0
RATE_WINDOW = 50
"""Steps over which the rate is measured."""
CSV_NAME = "losses.csv"
PLOT_NAME = "losses.png"
MEMORY = "memory_gb"
BAR_FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"


class Logbook:
    """Rows of numbers per step, kept in losses.csv and handed to the trackers.

    Every row is on disk before the next step. After a resume, rows behind the checkpoint are dropped. Each
    row ends with the memory in GB: the most a GPU has held so far, without one what the process holds.
    """

    def __init__(
        self, folder: Path, *, first_step: int, columns: tuple[str, ...], trackers: Sequence[Tracker] = ()
    ) -> None:
        self.folder = folder
        self.path = folder / CSV_NAME
        self.columns = ("step", *columns, MEMORY)
        self.trackers = trackers
        rows = [row for row in read_losses(self.path) if row["step"] <= first_step]
        with atomic_path(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows([_text(row.get(name)) for name in self.columns] for row in rows)
        self.file = self.path.open("a", newline="")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add one row; values that are not a column go to the trackers alone."""
        values = {**values, MEMORY: memory_gb()}
        row = {"step": step, **values}
        csv.writer(self.file).writerow([_text(row.get(name)) for name in self.columns])
        self.file.flush()
        for tracker in self.trackers:
            tracker.log(step, values)

    def draw(self) -> None:
        """Draw losses.png, where matplotlib is installed, and the page index.html around it."""
        name = f"{self.folder.absolute().parent.name} / {self.folder.absolute().name}"
        plot_losses(read_losses(self.path), self.folder / PLOT_NAME, title=name)
        write_page(self.folder, title=name, plot=PLOT_NAME)

    def close(self) -> None:
        """Close the file and draw what it holds; the trackers belong to whoever opened them."""
        self.file.close()
        self.draw()


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the rows of a losses.csv; a row cut off by a crash is left out."""
    if not path.is_file():
        return []
    rows = []
    with path.open(newline="") as file:
        whole = (line for line in file if line.endswith("\n"))
        for row in csv.DictReader(whole):
            if None in row or None in row.values():
                continue
            try:
                rows.append({name: float(value) for name, value in row.items() if value})
            except ValueError:
                continue
    return [row for row in rows if "step" in row]


def memory_gb() -> float:
    """Return the most memory a GPU has held for this process so far; without a GPU what the process holds."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e9, 3)
    import psutil

    return round(psutil.Process().memory_info().rss / 1e9, 3)


class Progress:
    """A bar with it/s, time left, loss and memory on a terminal; plain lines every ten seconds elsewhere.

    The rate is that of the last steps, and the first one never counts: it loads, compiles and tunes.
    """

    def __init__(self, first_step: int, last_step: int) -> None:
        self.last_step = last_step
        self.shown = time.monotonic()
        self.recent: deque[tuple[float, int]] = deque([(self.shown, first_step)], maxlen=RATE_WINDOW + 1)
        self.waiting_for_first = True
        self.bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(initial=first_step, total=last_step, bar_format=BAR_FORMAT, dynamic_ncols=True)

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Show that `step` steps are done."""
        now = time.monotonic()
        self.recent.append((now, step))
        if self.bar is None and now - self.shown < PLAIN_LINE_EVERY_S and step != self.last_step:
            self._forget_first()
            return
        self.shown = now
        parts = [f"{name} {value:.4g}" for name, value in values.items()]
        line = ", ".join([*parts, self._pace(step), f"{memory_gb():.2f} GB"])
        if self.bar is not None:
            self.bar.set_postfix_str(line, refresh=False)
            self.bar.update(step - self.bar.n)
        else:
            logger.info("step %d of %d, %s", step, self.last_step, line)
        self._forget_first()

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()

    def rate(self) -> float:
        """Return the steps per second of late."""
        (start, first), (end, last) = self.recent[0], self.recent[-1]
        return (last - first) / max(end - start, 1e-9)

    def _pace(self, step: int) -> str:
        rate = self.rate()
        pace = f"{rate:.2f} it/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.2f} s/it"
        return f"{pace}, {duration((self.last_step - step) / max(rate, 1e-9))} left"

    def _forget_first(self) -> None:
        """Let the rate begin at the end of the first step."""
        if self.waiting_for_first:
            self.waiting_for_first = False
            self.recent.popleft()


def duration(seconds: float) -> str:
    """Return a length of time as h:mm:ss, with days in front where there are any."""
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    return f"{f'{days} d ' if days else ''}{hours}:{rest // 60:02}:{rest % 60:02}"


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and math.fabs(value) < 1e15 else repr(float(value))
