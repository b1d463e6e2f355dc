"""Pairs from a JSON list; nothing is decoded, so any bytes will do."""

import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.evaluation.suite.pair_list import read_pair_list


def write_list(folder: Path, *entries: Any) -> Path:
    path = folder / "videos.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_a_list_says_what_belongs_together(tmp_path: Path) -> None:
    for name in ("made.mp4", "true.mp4", "me.png", "speech.wav"):
        (tmp_path / name).write_bytes(b"x")
    first: dict[str, Any] = {
        "row": "ours",
        "clip": "1",
        "made": "made.mp4",
        "truth": "true.mp4",
        "portrait": "me.png",
    }
    first |= {"sound": "speech.wav", "groups": {"gender": "female"}}
    second = {"row": "ours", "clip": "2", "made": str(tmp_path / "made.mp4"), "truth": None}
    pairs = read_pair_list(write_list(tmp_path, first, second))
    assert pairs[0].reference == tmp_path / "true.mp4" and pairs[0].portrait == tmp_path / "me.png"
    assert pairs[0].audio == tmp_path / "speech.wav" and pairs[0].groups == {"gender": "female"}
    assert pairs[1].made == tmp_path / "made.mp4" and pairs[1].reference is None and not pairs[1].groups


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no list of videos"),
        ('{"row": "a"}', "no list of videos"),
        ('[{"row": "a", "clip": "b"}]', "entry 1: must have row, clip and made"),
        (
            '[{"row": "a", "clip": "b", "made": "x.mp4", "colour": 1}]',
            "may have truth, portrait, sound, groups",
        ),
        ('[{"row": "a", "clip": 7, "made": "x.mp4"}]', "row, clip and made must be texts"),
        ('[{"row": "a", "clip": "b", "made": "there.mp4", "truth": 3}]', "entry 1: 3 is no path"),
        (
            '[{"row": "a", "clip": "b", "made": "there.mp4", "groups": ["x"]}]',
            "groups must be texts by dimension",
        ),
        (
            '[{"row": "a", "clip": "b", "made": "there.mp4"},'
            ' {"row": "a", "clip": "b", "made": "there.mp4"}]',
            "entry 2: row 'a' has clip 'b' in entry 1 already",
        ),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "there.mp4").write_bytes(b"x")
    path = tmp_path / "videos.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_pair_list(path)


def test_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a JSON list"):
        read_pair_list(tmp_path / "videos.json")
    with pytest.raises(FileNotFoundError, match=r"entry 1: .*x\.mp4 does not exist"):
        read_pair_list(write_list(tmp_path, {"row": "a", "clip": "b", "made": "x.mp4"}))
