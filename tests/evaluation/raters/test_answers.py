"""Answer files are of strangers: each fault is one line with the file's name; no file stops the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.evaluation.raters.answers import MOST_BYTES, read_answers
from talkvid.evaluation.raters.key import Key, read_key, write_key
from talkvid.evaluation.raters.questions import FIRST
from tests.evaluation.raters.planted import answer_content, planted_key, write_answers


@pytest.fixture
def key() -> Key:
    return planted_key(raters=3, trials=6, catch=1)


def content(key: Key) -> dict[str, Any]:
    return answer_content(key, "r0", lambda trial, key: FIRST)


def refused(folder: Path, key: Key, text: str | bytes) -> str:
    """Return why a file beside a good one is refused; the good one must be read."""
    write_answers(folder, key, lambda trial, key: FIRST, raters=["r1"])
    path = folder / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    collected = read_answers([folder], key)
    assert [found.rater for found in collected.raters] == ["r1"]
    (one,) = collected.refused
    assert one.name == "bad.json" and "\n" not in one.reason
    return one.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"format": NaN}', "NaN is no number"),
        ("[1, 2]", "no answer file"),
        ('{"format": "other/1"}', "no answer file"),
        ("9" * 5000, "it is not JSON"),
        ("__import__('os').system('true')", "it is not JSON"),
    ],
)
def test_what_is_no_answer_file_is_refused(tmp_path: Path, key: Key, text: str | bytes, reason: str) -> None:
    assert reason in refused(tmp_path, key, text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"study": "other"}, "another study"),
        ({"rater": "r9"}, "the rater 'r9' is not known"),
        ({"rater": ["r0"]}, "is not known"),
        ({"answers": {"a": 1}}, "no list of answers"),
    ],
)
def test_files_of_others_are_refused(tmp_path: Path, key: Key, change: dict[str, Any], reason: str) -> None:
    assert reason in refused(tmp_path, key, json.dumps({**content(key), **change}))


def test_a_huge_file_is_not_even_read(tmp_path: Path, key: Key) -> None:
    text = json.dumps(content(key)) + " " * MOST_BYTES
    assert f"answer files have {MOST_BYTES} at most" in refused(tmp_path, key, text)


def test_single_answers_that_cannot_be_used_are_dropped_and_counted(tmp_path: Path, key: Key) -> None:
    given = content(key)
    answers = given["answers"]
    others = next(name for name, trial in key.trials.items() if trial.rater == "r1")
    first, second, third, fourth, *rest = answers
    second["values"] = {"overall": "alpha"}
    third["seconds"] = True
    fourth["unplayable"] = True
    given["answers"] = [
        first, {**first, "values": {"overall": "b"}}, second, third, fourth, *rest, "text", None,
        {"trial": 5},
        {**first, "trial": others}, {**first, "trial": "nobody's"}, {**first, "trial": "__proto__"},
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(given))
    (found,) = read_answers([tmp_path / "a.json"], key).raters
    assert len(found.answers) == 1 + len(rest)
    assert found.answers[0].values == {"overall": "a"}, "the first of two counts"
    assert found.dropped == {
        "answered twice": 1, "damaged answer": 5, "video not playable": 1, "unknown trial": 3,
    }  # fmt: skip


@pytest.mark.parametrize("value", [0, 6, 3.0, "3", True, None, [3], float("inf")])
def test_a_grade_is_a_whole_number_from_1_to_5(tmp_path: Path, value: Any) -> None:
    key = planted_key("mos", raters=1, trials=6, catch=0)
    given = answer_content(key, "r0", lambda trial, key: 3)
    given["answers"][0]["values"] = {"overall": value}
    text = json.dumps(given).replace("Infinity", "1e999")
    (tmp_path / "a.json").write_text(text)
    (found,) = read_answers([tmp_path], key).raters
    assert found.dropped == {"damaged answer": 1} and len(found.answers) == 5


def test_of_two_files_of_one_rater_the_fuller_counts_whatever_their_names(tmp_path: Path, key: Key) -> None:
    full, part = content(key), content(key)
    part["answers"] = part["answers"][:2]
    for names in (("a", "b"), ("b", "a")):
        folder = tmp_path / names[0]
        folder.mkdir()
        (folder / f"{names[0]}.json").write_text(json.dumps(full))
        (folder / f"{names[1]}.json").write_text(json.dumps(part))
        collected = read_answers([folder], key)
        assert collected.raters[0].file == f"{names[0]}.json"
        assert collected.refused[0].name == f"{names[1]}.json"
        assert "handed in" in collected.refused[0].reason


def test_the_same_path_twice_is_one_file_and_nothing_usable_is_an_error(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content(key)))
    assert not read_answers([path, path, tmp_path], key).refused
    with pytest.raises(FileNotFoundError, match=r"nowhere: these answers do not exist"):
        read_answers([tmp_path / "nowhere"], key)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"none of 1 answer files can be used; a.json: it is not JSON"):
        read_answers([path], key)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no answer file"):
        read_answers([tmp_path / "empty"], key)


def test_a_key_comes_back_as_it_was_written_and_a_damaged_one_is_named(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "key.json"
    write_key(key, path)
    assert read_key(path) == key
    written = json.loads(path.read_text())
    for change, said in (
        ({"format": "x"}, "this is no key"),
        ({"files": {}}, "shows files or names a rater"),
        ({"kind": "abc"}, "not known here"),
        ({"trials": 3}, "damaged"),
    ):
        path.write_text(json.dumps({**written, **change}))
        with pytest.raises(ValueError, match=f"key.json: .*{said}"):
            read_key(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"key.json: this key is not JSON"):
        read_key(path)
    with pytest.raises(FileNotFoundError, match="study make"):
        read_key(tmp_path / "none.json")
