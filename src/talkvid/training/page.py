"""A page of a run that any browser opens from the folder: its curve, its samples, its settings."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

from talkvid.files import atomic_path
from talkvid.training.run_folder import SETTINGS_FILE
from talkvid.training.sheet import SHEET_NAME

PAGE_NAME = "index.html"
SAMPLES_FOLDER = "samples"
_STEP = re.compile(r"step-(\d+)")
_STYLE = """
body { font-family: sans-serif; margin: 2em auto; max-width: 1100px; color: #222; padding: 0 1em }
img { max-width: 100% } pre { background: #f4f4f4; padding: 1em; overflow: auto }
video { max-width: 100%; margin: 0 1em 1em 0 } figure { display: inline-block; margin: 0 }
""".strip()


def write_page(folder: Path, *, title: str, plot: str) -> Path:
    """Write `index.html` into a run folder and return its path; it refers to nothing outside the folder."""
    page = folder / PAGE_NAME
    with atomic_path(page) as temporary:
        temporary.write_text("\n".join(_lines(folder, title, plot)) + "\n", encoding="utf-8")
    return page


def _lines(folder: Path, title: str, plot: str) -> Iterator[str]:
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    if (folder / plot).is_file():
        yield f'<p><img src="{_address(plot)}" alt="loss over steps"></p>'
    steps = sample_steps(folder)
    if steps:
        yield "<h2>Samples</h2>"
        yield "<p>Held-out clips, the latest step first. Videos: real left, generated right.</p>"
    for number, (step, samples) in enumerate(steps.items()):
        yield from _step_lines(step, samples, folder, opened=number == 0)
    settings = folder / SETTINGS_FILE
    if settings.is_file():
        yield f"<h2>Settings</h2><pre>{escape(settings.read_text(encoding='utf-8'))}</pre>"
    yield "</body></html>"


def sample_steps(folder: Path) -> dict[int, Path]:
    """Return the folders of samples by step, the latest first."""
    found = {}
    for entry in (folder / SAMPLES_FOLDER).glob("step-*"):
        match = _STEP.fullmatch(entry.name)
        if match:
            found[int(match[1])] = entry
    return dict(sorted(found.items(), reverse=True))


def _step_lines(step: int, samples: Path, folder: Path, *, opened: bool) -> Iterator[str]:
    """Yield a step's part; only the opened one loads its media before somebody opens it."""
    yield f"<details{' open' if opened else ''}><summary>Step {step}</summary>"
    sheet = samples / SHEET_NAME
    if sheet.is_file():
        where = _address(sheet.relative_to(folder).as_posix())
        yield f'<p><img src="{where}" alt="stills of step {step}" loading="lazy"></p>'
    for video in sorted(samples.glob("*.mp4")):
        where = _address(video.relative_to(folder).as_posix())
        yield f'<figure><video src="{where}" controls preload="none"></video>'
        yield f'<figcaption><a href="{where}">{escape(video.name)}</a></figcaption></figure>'
    yield "</details>"


def _address(path: str) -> str:
    return escape(quote(path))
