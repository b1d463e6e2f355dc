"""What the pages tell of columns, scores, codes, rooms and names is what the code has."""

import ast
import dataclasses
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import ROOT, Document
from tests.test_readme import resolve

DATA_FORMAT = Document(ROOT / "docs" / "data_format.md")
CURATION = Document(ROOT / "docs" / "curation.md")
ARCHITECTURE = Document(ROOT / "docs" / "architecture.md")
API = Document(ROOT / "docs" / "api.md")


def table(page: Document, head: str) -> list[list[str]]:
    """Return the rows of the table whose first line begins with `head`, cell by cell."""
    lines = page.text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {head}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def names_in(text: str) -> list[str]:
    return [name for span in re.findall(r"`([^`]+)`", text) for name in re.split(r"[\s,]+", span)]


def test_the_table_of_scores_has_the_rules_of_the_default_profile() -> None:
    profile = ROOT / "src" / "talkvid" / "curation" / "profiles" / "default.yaml"
    rules = {
        f"{stage}.{score}": text
        for stage, scores in yaml.safe_load(profile.read_text())["rules"].items()
        for score, text in scores.items()
    }
    told: dict[str, str] = {}
    for score, _, _, rule in table(CURATION, "Score"):
        thresholds = re.findall(r"`([^`]+)`", rule)
        for place, name in enumerate(names_in(score)):
            told[name] = thresholds[min(place, len(thresholds) - 1)]
    assert told == rules


def test_the_table_of_codes_is_that_of_the_program() -> None:
    from talkvid.curation.records import CODES

    assert {names_in(code)[0]: meaning for code, meaning in table(CURATION, "Code ")} == CODES


def test_the_columns_of_the_clip_table_are_those_that_are_written() -> None:
    from talkvid.curation.clip_row import CHECK_FIELDS, COLUMNS, LAST_COLUMNS, PREFIXES

    told = {name for row in table(DATA_FORMAT, "Column") for name in names_in(row[0])}
    assert {name for name in told if "." not in name} == {*COLUMNS, *LAST_COLUMNS}
    assert {name.partition(".")[0] for name in told if "." in name} == PREFIXES.keys()
    (checks,) = [row for row in table(DATA_FORMAT, "Column") if row[0] == "`checks`"]
    assert names_in(checks[2]) == list(CHECK_FIELDS)


def test_the_columns_of_the_table_of_videos_are_those_that_are_written() -> None:
    from talkvid.curation.videos import COLUMNS

    (told,) = re.findall(r"row per source file: `([^`]+)`", " ".join(DATA_FORMAT.text.split()))
    assert told.split() == list(COLUMNS)


def test_the_examples_of_lists_have_the_keys_that_are_written() -> None:
    from talkvid.curation.talkvid_entry import paths_entry, published_entry
    from talkvid.records import SampleEntry

    published, paths, prepared = (json.loads(text) for text in DATA_FORMAT.blocks("json"))
    row = clip_row()
    written = published_entry(row)
    assert published.keys() == written.keys() - {"score_backends", "annotated_by"} - own_scores(written)
    assert published["info"].keys() == written["info"].keys()
    assert published["head_detail"]["scores"].keys() <= written["head_detail"]["scores"].keys()
    entry = paths_entry(row, video_path="../clips/x.mp4", cut=True, side_files={})
    assert paths.keys() == entry.keys() and paths["metadata"].keys() == entry["metadata"].keys()
    assert prepared[0].keys() == {field.name for field in dataclasses.fields(SampleEntry)}


def own_scores(entry: dict[str, Any]) -> set[str]:
    return {name for name in entry if name.startswith(("classical_", "point_track_"))}


def clip_row() -> Any:
    from talkvid.curation.clip_row import COLUMNS, ClipRow

    zero = {"string": "", "int64": 1, "float64": 1.0, "bool_": True}
    return ClipRow(**{name: zero[kind] for name, kind in COLUMNS.items()})  # type: ignore[arg-type]


def test_the_keys_of_the_side_car_are_those_that_are_written() -> None:
    told = {name for row in table(DATA_FORMAT, "Key") for name in names_in(row[0])}
    source = (ROOT / "src" / "talkvid" / "inference" / "report.py").read_text(encoding="utf-8")
    (written,) = [
        node for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "sidecar_content"
    ]  # fmt: skip
    (returned,) = [node for node in ast.walk(written) if isinstance(node, ast.Return)]
    assert isinstance(returned.value, ast.Dict)
    keys = {key.value for key in returned.value.keys if isinstance(key, ast.Constant)}
    assert told == keys | {"synthetic", "mark"}


def test_the_rooms_are_in_the_order_of_the_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    layers = [set(line.split(" | ")) for line in contract["layers"]]
    assert [set(names_in(row[0])) for row in table(ARCHITECTURE, "Rooms")] == layers


def test_the_diagram_names_modules_that_exist() -> None:
    (diagram,) = ARCHITECTURE.blocks("mermaid")
    rooms = r"(?:face|media|model|speech|diffusion)"
    named = set(re.findall(rf"\b{rooms}\.\w+", diagram))
    assert len(named) > 10
    missing = [name for name in named if resolve(f"talkvid.{name}") is None]
    assert not missing


def test_what_is_called_stable_exists_and_says_what_it_is() -> None:
    import talkvid

    names = [name for row in table(API, "Name") for name in names_in(row[0])]
    assert all(f"`{name}`" in API.text for name in talkvid.__all__)
    for name in names:
        found = resolve(name)
        assert found is not None, name
        assert isinstance(found, dict) or (getattr(found, "__doc__", "") or "").strip(), name


def test_every_public_docstring_begins_with_a_sentence() -> None:
    faults = [
        fault for path in sorted((ROOT / "src" / "talkvid").rglob("*.py")) for fault in unfinished(path)
    ]
    assert not faults, faults[:10]


def unfinished(path: Path) -> list[str]:
    """Return the public definitions whose docstring's first paragraph does not end like a sentence."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            if text is not None and not re.search(r"[.:;!?)]$", text.split("\n\n")[0].strip()):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    return found


@pytest.mark.slow
def test_the_pages_of_the_api_are_made(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="pdoc is not installed (extra docs)")
    import subprocess

    script = ROOT / "scripts" / "make_api_pages.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "index.html")
    assert "generate_stream" in (tmp_path / "talkvid.html").read_text(encoding="utf-8")
    assert (tmp_path / "talkvid" / "plugins.html").is_file()
