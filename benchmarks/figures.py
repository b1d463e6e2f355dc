"""The figures of the README, each by one word; assets/README.md says what each is made of.

    python -m benchmarks.figures teaser diversity              frames of the walk-through's videos
    python -m benchmarks.figures data_distribution data_filter compare_table
    python -m benchmarks.figures                               all of them

The first two want `bash scripts/walkthrough.sh` to have made its first step.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from PIL import Image

from benchmarks import figures_drawn
from talkvid.face.detect import build_detector, choose_face
from talkvid.files import atomic_path
from talkvid.media.audio import load_audio
from talkvid.media.image import load_image, resize
from talkvid.media.video import probe, read_at
from talkvid.records import Array

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
SAMPLES = ROOT / "test_samples" / "short_case"
WALK = ROOT / "output" / "walkthrough"
RATE = 16000
INK, SOFT, ACCENT = "#1b2026", "#5a646e", "#1c5fb8"
NUM_FRAMES = 7
CROP = 2.4
"""Width of a mouth crop over the width of the mouth."""
SPEAKERS = (
    ("train/astronaut_english.mp4", "English"),
    ("held_out/astronaut_french.mp4", "French"),
    ("train/hopper_french.mp4", "French"),
    ("held_out/hopper_english.mp4", "English"),
)


def source(walk: Path, name: str) -> Path:
    """Return a video of the walk-through's first step; FileNotFoundError names the command that makes it."""
    path = walk / "1_sources" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run: bash scripts/walkthrough.sh -o {walk}")
    return path


def frames_of(video: Path) -> int:
    """Return how many frames a video of ours has."""
    count = probe(video).num_frames
    assert count is not None
    return count


def telling_frames(loudness: Array, *, count: int) -> list[int]:
    """Return frame numbers, one of each stretch of the sound: its loudest and its quietest in turn."""
    stretches = np.array_split(np.arange(len(loudness)), count)
    picks = (np.argmax, np.argmin)
    return [int(part[picks[turn % 2](loudness[part])]) for turn, part in enumerate(stretches)]


def loudness_of(speech: Array, num_frames: int) -> Array:
    """Return the root mean square of the sound of each frame, over three frames."""
    parts = np.array_split(speech.astype(np.float64), num_frames)
    levels = np.sqrt([float(np.mean(part**2)) for part in parts])
    return np.convolve(levels, np.ones(3) / 3, mode="same")


def mouth_of(frame: Array, *, width: int, height: int) -> Array:
    """Return the mouth of a frame (H W 3) uint8, cut out and brought to this size."""
    face = choose_face(build_detector("embedded").detect(frame), source="a frame of the video")
    corners = face.points[3:5]
    centre, wide = corners.mean(axis=0), CROP * float(np.linalg.norm(corners[1] - corners[0]))
    tall = wide * height / width
    left, top = (int(value) for value in (centre[0] - wide / 2, centre[1] - tall / 2))
    return resize(frame[max(0, top) : round(top + tall), max(0, left) : round(left + wide)], width, height)


def teaser(target: Path, walk: Path) -> None:
    """Draw portrait and speech on the left, frames and their mouths on the right."""
    video, sample = source(walk, SPEAKERS[0][0]), SAMPLES / "astronaut"
    speech, portrait = load_audio(sample / "aud.wav", rate=RATE), load_image(sample / "ref.png")
    count = frames_of(video)
    numbers = telling_frames(loudness_of(speech, count), count=NUM_FRAMES)
    frames = read_at(video, numbers)
    figure = new_figure(12, 3.75)
    grid = figure.add_gridspec(
        3, NUM_FRAMES + 2, height_ratios=(0.62, 1.0, 0.615), width_ratios=(1.66, 0.16, *(1,) * NUM_FRAMES),
        left=0.008, right=0.992, top=0.93, bottom=0.02, wspace=0.05, hspace=0.09,
    )  # fmt: skip
    show(figure.add_subplot(grid[1:, 0]), portrait, "one portrait")
    heard = figure.add_subplot(grid[0, 2:])
    places = [number / count for number in numbers]
    wave(heard, speech, places)
    for column, (frame, place) in enumerate(zip(frames, places, strict=True)):
        shown = figure.add_subplot(grid[1, column + 2])
        show(shown, frame)
        figure.add_artist(ConnectionPatch(
            (place, 0.16), (0.5, 1.0), heard.get_xaxis_transform(), shown.transAxes,
            color=SOFT, linewidth=0.9,
        ))  # fmt: skip
        show(figure.add_subplot(grid[2, column + 2]), mouth_of(frame, width=260, height=160))
    arrow = figure.add_subplot(grid[1:, 1])
    arrow.set_axis_off()
    arrow.text(0.5, 0.5, "\N{RIGHTWARDS ARROW}", ha="center", va="center", fontsize=26, color=ACCENT)
    save(figure, target)


def diversity(target: Path, walk: Path) -> None:
    """Draw a row of frames for each person and each language."""
    figure = new_figure(12, 6.9)
    columns = NUM_FRAMES + 1
    grid = figure.add_gridspec(
        len(SPEAKERS), columns, width_ratios=(0.62, *(1,) * NUM_FRAMES),
        left=0.002, right=0.996, top=0.996, bottom=0.004, wspace=0.04, hspace=0.05,
    )  # fmt: skip
    for row, (name, language) in enumerate(SPEAKERS):
        video = source(walk, name)
        person, spoken = Path(name).stem.split("_")
        speech = load_audio(
            SAMPLES / {"english": "astronaut", "french": "hopper"}[spoken] / "aud.wav", rate=RATE
        )
        count = frames_of(video)
        label = figure.add_subplot(grid[row, 0])
        label.set_axis_off()
        label.text(0.96, 0.5, f"{person}\n{language}", ha="right", va="center", fontsize=11, color=INK)
        for column, frame in enumerate(
            read_at(video, telling_frames(loudness_of(speech, count), count=NUM_FRAMES)), start=1
        ):
            show(figure.add_subplot(grid[row, column]), resize(frame, 256, 256))
    save(figure, target)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def show(axes: Any, picture: Array, title: str = "") -> None:
    """Put a picture into a part of the figure."""
    axes.imshow(picture, aspect="equal", interpolation="lanczos")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, fontsize=11, color=INK)


def wave(axes: Any, speech: Array, places: Sequence[float]) -> None:
    """Draw the speech with a mark at each place from 0 to 1."""
    peaks = np.array([np.abs(part).max() for part in np.array_split(speech, 900)])
    axes.fill_between(np.linspace(0, 1, len(peaks)), -peaks, peaks, color=ACCENT, linewidth=0)
    axes.set_ylim(-1.45 * peaks.max(), peaks.max())
    for place in places:
        axes.axvline(place, color=SOFT, linewidth=0.9, ymin=0.16, ymax=1)
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    axes.set_title("one spoken sentence, and frames at the marks", fontsize=11, color=INK)


def save(figure: Figure, target: Path) -> None:
    """Write a figure as WebP or as PNG of few colours."""
    with atomic_path(target) as temporary:
        if target.suffix == ".webp":
            figure.canvas.draw()  # type: ignore[attr-defined]
            pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
            Image.fromarray(pixels).save(temporary, quality=86, method=6)
        else:
            figure.savefig(temporary, dpi=figure.dpi)
            with Image.open(temporary) as drawn:
                few = drawn.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
                few.save(temporary, optimize=True)


FIGURES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "teaser": ("teaser.png", teaser),
    "diversity": ("diversity.webp", diversity),
    "data_distribution": ("data_distribution.png", figures_drawn.data_distribution),
    "data_filter": ("data_filter.png", figures_drawn.data_filter),
    "compare_table": ("compare_table.png", figures_drawn.compare_table),
}


def main() -> None:
    """Draw what was asked for and print the paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--walkthrough", type=Path, default=WALK, help="folder of the walk-through")
    parser.add_argument("-o", "--output", type=Path, default=ASSETS, help="folder of the figures (assets)")
    arguments = parser.parse_args()
    for name in arguments.names or FIGURES:
        if name not in FIGURES:
            parser.error(f"{name!r} is no figure; choose from {', '.join(FIGURES)}")
        file, draw = FIGURES[name]
        draw(arguments.output / file, arguments.walkthrough)
        print(arguments.output / file)


if __name__ == "__main__":
    main()
