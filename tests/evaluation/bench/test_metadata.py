"""What tables say about clips: any of the usual forms, their columns turned into dimensions."""

import json
from pathlib import Path

import pytest

from talkvid.evaluation.bench.clips import BenchClip
from talkvid.evaluation.bench.metadata import Metadata, find_metadata, read_metadata
from talkvid.evaluation.bench.subgroups import with_groups


def groups_by_name(table: Metadata) -> dict[str, dict[str, str]]:
    return {name: dict(row.groups) for row in table.rows for name in row.names}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "id,Age Group,Sex\na,60+,F\nb,0-19,M\n"),
        ("metadata.csv", "\ufeffname;age;gender\na;60+;F\nb;0-19;M\n"),
        ("metadata.tsv", "file\tage\tgender\na.png\t60+\tF\nsub/b.png\t0-19\tM\n"),
        (
            "metadata.jsonl",
            '{"clip": "a", "age": "60+", "gender": "F"}\n{"clip": "b", "age": "0-19", "gender": "M"}\n',
        ),
        ("metadata.json", '{"a": {"age": "60+", "gender": "F"}, "b": {"age": "0-19", "gender": "M"}}'),
        ("metadata.json", json.dumps([
            {"id": "a", "info": {"Age Group": "60+", "Gender": "F"}},
            {"video-path": "x/b.mp4", "metadata": {"age_group": "0-19", "gender": "M"}},
        ])),
    ],
)  # fmt: skip
def test_every_form_of_a_table_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    path = find_metadata(tmp_path)
    assert path is not None
    found = groups_by_name(read_metadata(path))
    assert found["a"] == {"age": "60+", "gender": "F"}
    assert found["b"] == {"age": "0-19", "gender": "M"}


def test_other_columns_are_dimensions_when_their_values_group_clips(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    rows = [f"c{n},{('indoor', 'outdoor')[n % 2]},{n * 1.5},same,{n}" for n in range(6)]
    path.write_text("\n".join(["id,scene,seconds,camera,age", *rows]))
    table = read_metadata(path)
    assert table.rows[1].groups == {"scene": "outdoor", "age": "1"}
    assert table.notes == ("metadata.csv: columns that make no subgroups: camera, seconds",)
    assert read_metadata(path, groups=["camera"]).rows[0].groups == {"camera": "same"}
    with pytest.raises(ValueError, match="no column 'mood' to group by; it has age, camera, scene, seconds"):
        read_metadata(path, groups=["mood"])


def test_empty_cells_leave_a_clip_out_of_that_dimension_only(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("id,age,gender\na,60+,\nb,,M\n")
    assert [dict(row.groups) for row in read_metadata(path).rows] == [{"age": "60+"}, {"gender": "M"}]


def test_ids_with_dots_keep_them(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("id,age\nv__614.881_634.467,60+\nv__614.881_700.1,0-19\n")
    clips, remarks = with_groups(
        [BenchClip("v__614.881_634.467"), BenchClip("v__614.881_700.1")], read_metadata(path)
    )
    assert [clip.groups["age"] for clip in clips] == ["60+", "0-19"]
    assert not remarks


def test_rows_that_disagree_give_no_subgroup_and_rows_that_agree_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("id,age,gender\na,60+,\na,,F\nb,60+,M\nb,0-19,M\n")
    clips, remarks = with_groups([BenchClip("a"), BenchClip("b"), BenchClip("c")], read_metadata(path))
    assert [dict(clip.groups) for clip in clips] == [{"age": "60+", "gender": "F"}, {"gender": "M"}, {}]
    assert remarks == [
        "1 clips are not in metadata.csv: c",
        "1 clips have rows that disagree, so no such subgroup: b (age)",
    ]


def test_tables_that_name_no_clip_and_several_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "first.csv"
    path.write_text("age\n60+\n")
    with pytest.raises(ValueError, match="no column names the clips"):
        read_metadata(path)
    (tmp_path / "second.json").write_text("[]")
    with pytest.raises(ValueError, match=r"first\.csv, second\.json could all be its metadata"):
        find_metadata(tmp_path)
    with pytest.raises(ValueError, match="the table is empty"):
        read_metadata(tmp_path / "second.json")
    with pytest.raises(FileNotFoundError, match="no such metadata"):
        read_metadata(tmp_path / "absent.csv")
