"""Every figure says by which command it was made and of what, is small, and shows what it should."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.figures import FIGURES, loudness_of, source, telling_frames
from talkvid.curation.comparison import PUBLISHED

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
TABLE = (ASSETS / "README.md").read_text(encoding="utf-8")
PICTURES = sorted(path for path in ASSETS.iterdir() if path.suffix in (".png", ".webp", ".jpg"))
MOST_BYTES = 300_000


def row_of(name: str) -> list[str]:
    """Return the cells of a figure's row in assets/README.md."""
    rows = [line for line in TABLE.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"{name} has {len(rows)} rows in assets/README.md"
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_figure_is_small_and_told_with_its_command_its_origin_and_its_licence(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    with Image.open(path) as picture:
        assert picture.width >= 700
    _, command, made_of, licence = row_of(path.name)
    found = re.fullmatch(r"`python (?:-m (?P<module>[\w.]+)|(?P<file>[\w/.]+)) .+`", command)
    assert found, command
    place = found["file"] or found["module"].replace(".", "/") + ".py"
    assert (ROOT / place).is_file() and made_of and licence


def test_every_figure_that_can_be_made_is_there() -> None:
    assert {file for file, _ in FIGURES.values()} <= {path.name for path in PICTURES}
    for name, (file, _) in FIGURES.items():
        assert row_of(file)[1] == f"`python -m benchmarks.figures {name}`"


def test_every_asset_that_a_document_names_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "data_pipeline").rglob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"assets/([\w./-]+\.(?:png|webp|jpg))", page.read_text())
    }
    assert named <= {path.name for path in PICTURES}, named


def test_the_numbers_of_the_filter_add_up_and_name_no_file() -> None:
    text = (ASSETS / "numbers" / "research_clips.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert ".mp4" not in text and "/work" not in text and found["about"] in TABLE
    entered = found["totals"]["in"][0]
    assert entered == sum(found["totals"][state][0] for state in ("kept", "rejected", "failed", "unscored"))
    for step in found["funnel"]:
        assert step["in"][0] == entered
        assert step["passed"][0] == entered - sum(step["codes"].values())
        entered = step["passed"][0]
    assert entered == found["totals"]["kept"][0]
    for spread in found["spreads"]:
        assert sum(group[1] for group in spread["groups"]) == found["totals"]["in"][0]
        assert sum(group[2] for group in spread["groups"]) == found["totals"]["kept"][0]


def test_moments_are_loud_and_quiet_in_turn() -> None:
    sound = np.concatenate([np.full(160, level) for level in (0.1, 0.9, 0.1, 0.8, 0.0, 0.8, 0.2, 0.2, 0.7)])
    loudness = loudness_of(sound, 9)
    assert len(loudness) == 9 and loudness[1] == pytest.approx(np.mean([0.1, 0.9, 0.1]))
    assert telling_frames(np.array([0, 3, 1, 5, 0, 5, 2, 1, 7.0]), count=3) == [1, 4, 8]


def test_a_missing_walk_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"scripts/walkthrough\.sh -o"):
        source(tmp_path, "train/astronaut_english.mp4")


def test_facts_on_data_sets_bear_their_source() -> None:
    assert all(one.source.startswith("as published: ") for one in PUBLISHED)


def test_figures_of_numbers_are_drawn_anew(tmp_path: Path) -> None:
    for name in ("data_filter", "compare_table", "data_distribution"):
        file, draw = FIGURES[name]
        draw(tmp_path / file, tmp_path)
        with Image.open(tmp_path / file) as made, Image.open(ASSETS / file) as shipped:
            assert made.size == shipped.size
            assert np.asarray(made.convert("L")).std() > 10, "an empty figure"
