import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from export_material import by, row_of, span_of, write_manifest

from talkvid.curation.cut_files import LONGEST_NAME, file_name
from talkvid.curation.export import export, write_json
from talkvid.curation.manifest import ClipRow
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED, Check
from talkvid.curation.talkvid_entry import line_of, paths_entry, published_entry
from talkvid.curation.talkvid_json import HEAD_SCORES, INFO, entry_of, read_entries
from talkvid.dataset.source_lists import read_list

HEAD = {name: 90.0 + place for place, name in enumerate(HEAD_SCORES)}
EMBEDDED = {"quality": {"classical_quality": 71.5}, "motion": {"point_track_ratio": 0.93}, "head": HEAD}
FULL = {
    "quality": {"dover_scores": 8.9, "dover_fused": 0.61},
    "motion": {"cotracker_ratio": 0.927},
    "head": HEAD,
}


def row(folder: Path, number: int = 1, status: str = KEPT, **changes: Any) -> ClipRow:
    span = span_of(folder / "v.mp4", 25 * number, 50, number=number, facts={"language": "de"})
    values = {
        "scores": EMBEDDED,
        "backends": {"quality": "embedded", "motion": "embedded", "head": "embedded"},
        "reason": "" if status == KEPT else "the reason",
    }
    return row_of(span, status, **{**values, **changes})


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_in_is_kept_and_rejected_and_failed_and_unscored(tmp_path: Path) -> None:
    # Once: rejects were not written anywhere.
    statuses = [KEPT, REJECTED, FAILED, KEPT, REJECTED, UNSCORED]
    rows = [row(tmp_path, number + 1, status) for number, status in enumerate(statuses)]
    exported = export(write_manifest(tmp_path, rows))
    assert exported.total == len(rows)
    names = {
        status: [one["id"] for one in lines_of(exported.folder / f"{status}.jsonl")] for status in statuses
    }
    assert names == {
        KEPT: ["v-scene1", "v-scene4"],
        REJECTED: ["v-scene2", "v-scene5"],
        FAILED: ["v-scene3"],
        UNSCORED: ["v-scene6"],
    }
    export(write_manifest(tmp_path, rows[:5]))
    assert not (exported.folder / "unscored.jsonl").exists()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_list_is_whole_for_no_one_and_many_clips(tmp_path: Path, count: int) -> None:
    # Once: a data set of one clip was written so that it was read as another kind of file.
    rows = [row(tmp_path, number + 1) for number in range(count)]
    folder = export(write_manifest(tmp_path, rows)).folder
    for name in ("talkvid.json", "talkvid_paths.json", "kept.jsonl"):
        assert [entry.id for entry in read_entries(folder / name)] == [one.name for one in rows]
    assert isinstance(json.loads((folder / "talkvid.json").read_text()), list)


def test_a_line_holds_the_checks_with_value_threshold_and_margin(tmp_path: Path) -> None:
    check = Check("quality", "classical_quality", 40.0, ">=", 50.0, "QUALITY_LOW", False)
    one = row(tmp_path, status=REJECTED, code="QUALITY_LOW", checks=(check,))
    (line,) = lines_of(export(write_manifest(tmp_path, [one])).folder / "rejected.jsonl")
    assert line["checks"] == [
        {"stage": "quality", "score": "classical_quality", "value": 40.0, "op": ">=", "threshold": 50.0,
         "margin": -10.0, "passed": False}
    ]  # fmt: skip
    assert (line["code"], line["reason"], line["scores"]["quality"]) == (
        "QUALITY_LOW", "the reason", {"classical_quality": 71.5},
    )  # fmt: skip


def test_the_published_form_has_every_key_and_reads_back(tmp_path: Path) -> None:
    one = row(
        tmp_path, scores=FULL, backends={"quality": "dover", "motion": "cotracker", "head": "insightface"}
    )
    entry = published_entry(one)
    assert list(entry)[:14] == [
        "id", "height", "width", "fps", "start-time", "start-frame", "end-time", "end-frame", "durations",
        "info", "description", "dover_scores", "cotracker_ratio", "head_detail",
    ]  # fmt: skip
    assert list(entry["info"]) == list(INFO)
    assert (entry["durations"], entry["start-frame"], entry["end-frame"]) == ("2.000s", 25, 75)
    assert (entry["dover_scores"], entry["cotracker_ratio"]) == (8.9, 0.927)
    assert entry["head_detail"]["scores"] == HEAD
    again = entry_of(json.loads(json.dumps(entry)))
    assert (again.start_s, again.end_s, again.duration_s, again.fps) == (1.0, 3.0, 2.0, 25.0)
    assert again.scores == {**HEAD, "dover_scores": 8.9, "cotracker_ratio": 0.927}
    assert again.info == {"Language": "de"}


def test_embedded_scores_never_take_the_name_of_another_measure(tmp_path: Path) -> None:
    # Once: the published quality score was another output of the network than its name said.
    disguised = {**EMBEDDED, "quality": {"dover_scores": 7.0, "classical_quality": 71.5}}
    for scores in (EMBEDDED, disguised):
        entry = published_entry(row(tmp_path, scores=scores))
        assert entry["dover_scores"] is None
        assert entry["cotracker_ratio"] is None
        assert (entry["classical_quality"], entry["point_track_ratio"]) == (71.5, 0.93)
        assert entry["score_backends"]["quality"] == "embedded"


def test_the_older_form_names_its_quality_measure_and_reads_back(tmp_path: Path) -> None:
    dover = row(tmp_path, scores=FULL, backends={"quality": "dover"})
    entry = paths_entry(dover, video_path="../clips/v-scene1.mp4", cut=True, side_files={})
    assert entry["metadata"]["quality_score"] == pytest.approx(61.0)
    assert entry["metadata"]["quality_score_by"] == "100 * dover_fused"
    again = entry_of(entry)
    assert (again.video_id, again.video_path, again.duration_s) == ("v", "../clips/v-scene1.mp4", 2.0)
    assert (again.width, again.height, again.info) == (96, 64, {"Language": "de"})
    assert (again.start_s, again.audio_path) == (None, "../clips/v-scene1.mp4")
    own = paths_entry(row(tmp_path), video_path="/v.mp4", cut=False, side_files={})
    assert own["metadata"]["quality_score_by"] == "classical_quality"
    assert (entry_of(own).start_s, entry_of(own).end_s) == (1.0, 3.0)


def test_annotations_fill_what_the_source_list_leaves_open_and_say_who_wrote_them(tmp_path: Path) -> None:
    annotations = {
        "language": by("en", "faster-whisper small"),
        "caption": by("A person speaks.", "template"),
        "person_id": by("person-0001"),
    }
    told = row(tmp_path, annotations=annotations)
    entry = published_entry(told)
    assert entry["info"]["Language"] == "de", "what the source list tells comes first"
    assert entry["info"]["Person ID"] == "person-0001"
    assert entry["description"] == "A person speaks."
    assert entry["annotated_by"]["caption"] == "template"
    open_row = replace(told, facts={"info": {"Video Link": "https://example.org/v"}})
    assert published_entry(open_row)["info"]["Language"] == "en"
    assert published_entry(open_row)["info"]["Video Link"] == "https://example.org/v"


def test_preparation_reads_every_list_that_is_written(tmp_path: Path) -> None:
    rows = [row(tmp_path, 1), row(tmp_path, 2, REJECTED), row(tmp_path, 3)]
    folder = export(write_manifest(tmp_path, rows)).folder
    for name in ("kept.jsonl", "talkvid_paths.json"):
        sources = read_list(folder / name)
        assert [source.id for source in sources] == ["v-scene1", "v-scene3"]
        assert [(source.start_s, source.end_s) for source in sources] == [(1.0, 3.0), (3.0, 5.0)]
        assert {source.video for source in sources} == {tmp_path / "v.mp4"}
        assert {source.language for source in sources} == {"de"}
        assert not any(source.problem for source in sources)
    sources = read_list(folder / "talkvid.json", root=tmp_path / "clips")
    assert [source.video.name for source in sources] == ["v-scene1.mp4", "v-scene3.mp4"]
    (rejected,) = read_list(folder / "rejected.jsonl")
    assert "did not keep it (the reason)" in rejected.problem


def test_the_parquet_of_kept_clips_is_flat_and_typed(tmp_path: Path) -> None:
    from pyarrow import parquet

    rows = [row(tmp_path, 1), row(tmp_path, 2, REJECTED), row(tmp_path, 3)]
    folder = export(write_manifest(tmp_path, rows)).folder
    table = parquet.read_table(folder / "kept.parquet")
    assert table.column("id").to_pylist() == ["v-scene1", "v-scene3"]
    assert table.column("classical_quality").to_pylist() == [71.5, 71.5]
    assert str(table.schema.field("dover_scores").type) == "double"
    assert table.column("dover_scores").to_pylist() == [None, None]
    assert json.loads(table.column("scores")[0].as_py())["head"] == HEAD


def test_exports_are_the_same_bytes_when_made_again(tmp_path: Path) -> None:
    folder = export(write_manifest(tmp_path, [row(tmp_path, 1), row(tmp_path, 2, REJECTED)])).folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    export(tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_list_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    # Once: a killed run left half a JSON file behind that counted as finished.
    path = tmp_path / "list.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, [2, object()])
    assert json.loads(path.read_text()) == [1]
    assert [one.name for one in tmp_path.iterdir()] == ["list.json"]


def test_there_is_no_export_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"clips\.parquet does not exist; make it with"):
        export(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden", "x" * 300, "", "nul\0byte"])
def test_a_clip_name_stays_inside_its_folder(name: str) -> None:
    plain = file_name(name)
    assert plain and "/" not in plain and "\0" not in plain and not plain.startswith(".")
    assert len(plain) <= LONGEST_NAME


def test_long_names_that_differ_at_their_end_stay_apart() -> None:
    assert file_name("x" * 300 + "1") != file_name("x" * 300 + "2")


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    assert json.loads(json.dumps(line_of(row(tmp_path)), allow_nan=False))["facts"] == {"language": "de"}
