"""The loss curve as a picture that is readable after ten steps and after a hundred thousand."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.files import atomic_path
from talkvid.records import Array

FEW_POINTS = 50
"""Up to here every point is marked and nothing is smoothed."""
MOST_RAW_POINTS = 3000
"""Above, single steps would be one dense block: a band shows where most of them lie."""
BINS = 400
BAND = (5, 95)
SMOOTHED_SHARE = 0.03
"""Width of the running mean as a share of the curve."""
DECADE = 10.0
COLOURS = {"loss": "tab:blue", "validation_loss": "tab:orange"}


def plot_losses(rows: Sequence[Mapping[str, float]], target: Path, *, title: str = "") -> bool:
    """Draw loss and validation loss over steps; return whether matplotlib was there to do it.

    `rows` are those of `read_losses`. Single steps are faint and their running mean is strong; the axis is
    logarithmic where the curves span a decade or more.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    steps, losses = _curve(rows, "loss")
    looks, validated = _curve(rows, "validation_loss")
    smooth = running_mean(losses)
    if len(losses):
        _draw_losses(axes, steps, losses, smooth)
    if len(validated):
        size = 5 if len(validated) <= FEW_POINTS else 2
        axes.plot(
            looks, validated, "o-", color=COLOURS["validation_loss"], markersize=size, label="validation"
        )
    if spans_decades(np.concatenate([smooth, validated])):
        axes.set_yscale("log")
    if axes.has_data():
        axes.legend(loc="upper right")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25, which="both")
    axes.set_title(_title(title, steps, smooth, validated), fontsize=11)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=120)
    return True


def running_mean(values: Array) -> Array:
    """Return the mean over a window around each value, cut off at the ends; few values stay as they are."""
    if len(values) <= FEW_POINTS:
        return values
    half = max(1, round(len(values) * SMOOTHED_SHARE / 2))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, stop = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.asarray((sums[stop] - sums[first]) / (stop - first))


def spans_decades(values: Array) -> bool:
    """Return whether the values are all above zero and the largest is ten times the smallest or more."""
    return bool(len(values) and values.min() > 0 and values.max() / values.min() >= DECADE)


def _curve(rows: Sequence[Mapping[str, float]], name: str) -> tuple[Array, Array]:
    points = np.array([(row["step"], row[name]) for row in rows if name in row], np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    return points[:, 0], points[:, 1]


def _draw_losses(axes: Any, steps: Array, losses: Array, smooth: Array) -> None:
    colour = COLOURS["loss"]
    if len(losses) <= FEW_POINTS:
        axes.plot(steps, losses, "o-", color=colour, markersize=3, linewidth=1.2, label="loss")
        return
    if len(losses) <= MOST_RAW_POINTS:
        axes.plot(steps, losses, color=colour, alpha=0.25, linewidth=0.7, label="loss of each step")
    else:
        parts = np.array_split(np.arange(len(losses)), BINS)
        middles = [steps[part].mean() for part in parts]
        low, high = zip(*(np.percentile(losses[part], BAND) for part in parts), strict=True)
        label = f"loss of {BAND[1] - BAND[0]} % of the steps"
        axes.fill_between(middles, low, high, color=colour, alpha=0.2, linewidth=0, label=label)
    axes.plot(steps, smooth, color=colour, linewidth=1.6, label="loss, running mean")


def _title(name: str, steps: Array, smooth: Array, validated: Array) -> str:
    parts = [name] if name else []
    if len(steps):
        parts += [f"step {int(steps[-1]):,}", f"loss {smooth[-1]:.4g}"]
    if len(validated):
        parts.append(f"validation {validated[-1]:.4g}")
    return "  ·  ".join(parts)
