"""What a run says about itself: losses.csv, a plot, tensorboard, and a line or a bar on the way."""

import csv
import importlib.util
import logging
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

PLAIN_LINE_EVERY_S = 10.0
CSV_NAME = "losses.csv"
PLOT_NAME = "losses.png"


class Logbook:
    """Rows of numbers per step, kept in losses.csv and, where installed, in tensorboard.

    Every row is on disk before the next step. After a resume, rows behind the checkpoint are dropped.
    """

    def __init__(self, folder: Path, *, first_step: int, columns: tuple[str, ...]) -> None:
        self.path = folder / CSV_NAME
        self.columns = ("step", *columns)
        rows = [row for row in read_losses(self.path) if row["step"] <= first_step]
        with atomic_path(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows([_text(row.get(name)) for name in self.columns] for row in rows)
        self.file = self.path.open("a", newline="")
        self.board = _tensorboard(folder)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add one row; values that are not a column go to tensorboard alone."""
        row = {"step": step, **values}
        csv.writer(self.file).writerow([_text(row.get(name)) for name in self.columns])
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files and draw the curve, where matplotlib is installed."""
        self.file.close()
        if self.board is not None:
            self.board.close()
        plot_losses(self.path, self.path.with_name(PLOT_NAME))


def read_losses(path: Path) -> list[dict[str, float]]:
    """Return the rows of a losses.csv; a row cut off by a crash is left out."""
    if not path.is_file():
        return []
    rows = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if None in row.values():
                continue
            try:
                rows.append({name: float(value) for name, value in row.items() if value})
            except ValueError:
                continue
    return [row for row in rows if "step" in row]


def plot_losses(source: Path, target: Path) -> bool:
    """Draw loss and validation loss over steps; return whether matplotlib was there to do it."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_losses(source)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    for name, style in (("loss", "-"), ("validation_loss", "o-")):
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=name.replace("_", " "), linewidth=1)
    if axes.has_data():
        axes.legend()
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=120)
    return True


class Progress:
    """A bar with it/s, time left and loss on a terminal; plain lines every ten seconds elsewhere."""

    def __init__(self, first_step: int, last_step: int) -> None:
        self.first_step, self.last_step = first_step, last_step
        self.start = self.shown = time.monotonic()
        self.bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(initial=first_step, total=last_step, unit="step")

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Show that `step` steps are done."""
        if self.bar is not None:
            self.bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
            self.bar.update(step - self.bar.n)
            return
        now = time.monotonic()
        if now - self.shown < PLAIN_LINE_EVERY_S and step != self.last_step:
            return
        self.shown = now
        rate = (step - self.first_step) / max(now - self.start, 1e-9)
        left = time.strftime("%H:%M:%S", time.gmtime((self.last_step - step) / max(rate, 1e-9)))
        days = int((self.last_step - step) / max(rate, 1e-9) // 86400)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        logger.info(
            "step %d of %d, %s, %.2f it/s, %s%s left",
            step,
            self.last_step,
            shown,
            rate,
            f"{days} d " if days else "",
            left,
        )

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()


def _tensorboard(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(log_dir=str(folder / "tensorboard"))


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and math.fabs(value) < 1e15 else repr(float(value))
