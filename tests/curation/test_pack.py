"""Kept clips as Parquet: `datasets` reads them, nobody is in both splits, a stopped run goes on."""

import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from export_material import number_of, numbered_video, row_of, span_of, write_manifest

from talkvid.cli.main import main
from talkvid.curation import pack_shards
from talkvid.curation.manifest import ClipRow
from talkvid.curation.materialise import MaterialiseConfig, materialise
from talkvid.curation.pack import Packed, pack
from talkvid.curation.pack_settings import MIB, PackConfig
from talkvid.curation.pack_shards import PackedClip, plan
from talkvid.curation.pack_split import TRAIN, VALIDATION, split_clips
from talkvid.curation.records import REJECTED
from talkvid.curation.run_folder import RunFolder

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow (extra curation) is not installed")
PERSONS = ("anna", "ben", "anna", "")
CLIPS_EACH = 2


def kept_rows(folder: Path, videos: Sequence[Path]) -> list[ClipRow]:
    rows = []
    for place, video in enumerate(videos):
        for number in range(1, CLIPS_EACH + 1):
            person = PERSONS[place]
            facts: dict[str, Any] = {"language": "de", "license": "cc-by-4.0"} if place == 0 else {}
            facts |= {"speaker_id": person} if person else {}
            span = span_of(video, 10 * number, 5 + number, number=number, facts=facts)
            rows.append(row_of(span, scores={"quality": {"classical_quality": 0.5 + place / 8}}))
    rejected = replace(rows[0], clip_id="no", name="no", number=9, status=REJECTED, code="NO_FACE")
    return [*rows, rejected]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose eight kept clips of four videos are cut."""
    folder = tmp_path_factory.mktemp("pack")
    videos = [numbered_video(folder / "media" / f"v{number}.mp4", count=40) for number in range(4)]
    run = write_manifest(folder / "run", kept_rows(folder, videos))
    materialise(run, MaterialiseConfig(), executor="inline")
    return run


def table_of(packed: Packed, split: str) -> Any:
    files = sorted((packed.folder / "data").glob(f"{split}-*.parquet"))
    return parquet.read_table(files)


def hashes(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def numbers_in(video: bytes) -> list[int]:
    with av.open(io.BytesIO(video), "r") as container:
        return [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_every_kept_clip_is_there_once_with_its_pictures(run_folder: Path, tmp_path: Path) -> None:
    packed = pack(run_folder, tmp_path / "set", PackConfig(val_share=0.25, license="cc-by-nc-4.0"))
    rows = [row for split in packed.splits for row in table_of(packed, split).to_pylist()]
    assert len(rows) == len({row["clip_id"] for row in rows}) == 8 and not packed.not_cut
    for row in rows:
        number = int(row["id"].rpartition("scene")[2])
        assert numbers_in(row["video"]["bytes"]) == list(range(10 * number, 10 * number + 5 + number))
        assert hashlib.sha256(row["video"]["bytes"]).hexdigest() == row["sha256"]
        assert (row["num_frames"], row["width"], row["height"], row["fps"]) == (5 + number, 96, 64, 25.0)
        first = row["video_id"] == "v0"
        assert row["license"] == ("cc-by-4.0" if first else "cc-by-nc-4.0")
        assert row["language"] == ("de" if first else None)
        assert row["quality_classical_quality"] == 0.5 + int(row["video_id"][1]) / 8


def test_no_person_and_no_video_is_in_both_splits(run_folder: Path, tmp_path: Path) -> None:
    packed = pack(run_folder, tmp_path / "set", PackConfig(val_share=0.3))
    sides = {split: table_of(packed, split).to_pylist() for split in (TRAIN, VALIDATION)}
    for key in ("person_id", "video_id"):
        there = [{row[key] for row in rows if row[key]} for rows in sides.values()]
        assert all(there) and not there[0] & there[1]


def test_links_by_person_and_by_video_hold_together(tmp_path: Path) -> None:
    def clip(video: str, number: int, person: str) -> ClipRow:
        facts = {"speaker_id": person} if person else {}
        return row_of(span_of(tmp_path / f"{video}.mp4", 25 * number, 25, number=number, facts=facts))

    # a - anna - b - ben - c: one group of three videos, and d and e alone.
    linked = [clip("a", 1, "anna"), clip("b", 1, "anna"), clip("b", 2, "ben"), clip("c", 1, "ben")]
    alone = [clip("d", 1, ""), clip("e", 1, "")]
    split = split_clips([*linked, *alone], val_share=0.1)
    assert split.num_groups == 3 and split.num_without_person == 2
    assert {split.by_clip[row.clip_id] for row in linked} == {TRAIN}
    assert sorted(split.by_clip[row.clip_id] for row in alone) == [TRAIN, VALIDATION]
    assert split == split_clips([*reversed(alone), *reversed(linked)], val_share=0.1)
    whole = split_clips(linked, val_share=0.2)
    assert set(whole.by_clip.values()) == {TRAIN} and whole.num_groups == 1
    assert set(split_clips(alone, val_share=0.0).by_clip.values()) == {TRAIN}
    # Both groups are larger than twice a tenth: the shorter one goes.
    shorter = row_of(span_of(tmp_path / "f.mp4", 0, 20))
    assert split_clips([linked[0], shorter], val_share=0.1).by_clip[shorter.clip_id] == VALIDATION


def test_equal_clips_give_equal_bytes_and_nothing_is_written_twice(run_folder: Path, tmp_path: Path) -> None:
    first = pack(run_folder, tmp_path / "one" / "set", PackConfig())
    pack(run_folder, tmp_path / "two" / "set", PackConfig())
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    times = {path: path.stat().st_mtime_ns for path in (first.folder / "data").iterdir()}
    again = pack(run_folder, first.folder, PackConfig())
    assert first.num_written == len(times) == 2 and again.num_written == 0
    assert times == {path: path.stat().st_mtime_ns for path in (first.folder / "data").iterdir()}


def small_shards(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    """Have files end after so many bytes, as large sets' do after 500 MiB."""
    planned = pack_shards.plan

    def smaller(clips: Sequence[PackedClip], columns: dict[str, str], *, split: str, most_bytes: int) -> Any:
        assert most_bytes == 500 * MIB
        return planned(clips, columns, split=split, most_bytes=num_bytes)

    monkeypatch.setattr("talkvid.curation.pack.plan", smaller)


def test_a_stopped_run_goes_on_and_a_new_plan_replaces_the_old(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(run_folder, tmp_path / "whole", PackConfig())
    small_shards(monkeypatch, 1)
    write, left = pack_shards._write, [3]

    def failing(*args: Any, **kwargs: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(*args, **kwargs)

    monkeypatch.setattr(pack_shards, "_write", failing)
    with pytest.raises(KeyboardInterrupt):
        pack(run_folder, tmp_path / "set", PackConfig())
    assert len(list((tmp_path / "set" / "data").iterdir())) == 3 and not (tmp_path / "set/README.md").exists()
    monkeypatch.setattr(pack_shards, "_write", write)
    packed = pack(run_folder, tmp_path / "set", PackConfig())
    assert packed.num_written == 5 and sum(size.num_files for size in packed.splits.values()) == 8
    names = {path.name for path in (tmp_path / "set" / "data").iterdir()}
    assert {f"train-{n:05d}-of-{packed.splits[TRAIN].num_files:05d}.parquet" for n in range(2)} <= names
    monkeypatch.undo()
    pack(run_folder, tmp_path / "set", PackConfig())
    assert hashes(tmp_path / "set") == hashes(tmp_path / "whole")


def test_row_groups_and_files_end_at_their_size(run_folder: Path, tmp_path: Path) -> None:
    clips = [PackedClip({"id": str(n)}, None) for n in range(10)]
    sizes = [len(shard.clips) for shard in plan(clips, {"id": "string"}, split=TRAIN, most_bytes=3 * 4096)]
    assert sizes == [3, 3, 3, 1]
    packed = pack(run_folder, tmp_path / "set", PackConfig(val_share=0))
    [path] = (packed.folder / "data").iterdir()
    assert parquet.ParquetFile(path).num_row_groups == 1
    shards = plan(clips, {"id": "string"}, split=TRAIN, most_bytes=MIB)
    pack_shards.write_shards(tmp_path / "small", shards, {"id": "string"}, group_bytes=4 * 4096)
    [path] = (tmp_path / "small" / "data").iterdir()
    groups = parquet.ParquetFile(path).metadata
    assert [groups.row_group(place).num_rows for place in range(3)] == [4, 4, 2]


def test_files_of_others_stay_as_they_are(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / "data" / "mine.parquet").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"mine\.parquet was not written by this command"):
        pack(run_folder, tmp_path / "set", PackConfig())
    assert [path.name for path in (tmp_path / "set" / "data").iterdir()] == ["mine.parquet"]


def test_without_the_videos_all_else_is_there(run_folder: Path, tmp_path: Path) -> None:
    packed = pack(run_folder, tmp_path / "set", PackConfig(videos="none", val_share=0))
    table = table_of(packed, TRAIN)
    assert table.num_rows == 8 and "video" not in table.column_names and "start_time" in table.column_names
    assert "Without the clips" in (packed.folder / "README.md").read_text()


def test_clips_that_are_not_cut_are_told(run_folder: Path, tmp_path: Path) -> None:
    run = write_manifest(tmp_path / "run", kept_rows(tmp_path, [tmp_path / "v0.mp4"]))
    with pytest.raises(
        FileNotFoundError, match="none of its 2 kept clips is a file; first: talkvid curate materialise"
    ):
        pack(run, tmp_path / "set", PackConfig())
    assert not (tmp_path / "set").exists()
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    sorted((copy / "clips").glob("*.mp4"))[0].unlink()
    packed = pack(copy, tmp_path / "set", PackConfig())
    assert len(packed.not_cut) == 1 and sum(size.num_examples for size in packed.splits.values()) == 7


def test_the_command_writes_the_folder_and_checks_its_settings(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(run_folder)
    folder.config.write_text("profile: default\n")
    folder.sources.write_text("")
    out = tmp_path / "set"
    assert main(["curate", "pack", str(run_folder), "-o", str(out), "pack.title=A set"]) == 0
    assert capsys.readouterr().out.strip() == str(out) and "# A set" in (out / "README.md").read_text()
    assert main(["curate", "pack", str(run_folder), "-o", str(out), "pack.val_share=0.9"]) == 2
    assert "pack.val_share must be from 0 to 0.5, got 0.9" in capsys.readouterr().err


def test_the_card_tells_the_hub_and_datasets_what_is_there(run_folder: Path, tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    packed = pack(run_folder, tmp_path / "set", PackConfig(val_share=0.25, license="cc-by-4.0"))
    card = DatasetCard.load(packed.folder / "README.md")
    told = card.data.to_dict()
    assert (told["license"], told["pretty_name"], told["size_categories"]) == ("cc-by-4.0", "run", ["n<1K"])
    files = {entry["split"]: entry["path"] for entry in told["configs"][0]["data_files"]}
    assert files == {"train": "data/train-*.parquet", "validation": "data/validation-*.parquet"}
    counts = {entry["name"]: entry["num_examples"] for entry in told["dataset_info"]["splits"]}
    assert counts == {name: size.num_examples for name, size in packed.splits.items()}
    assert told["dataset_info"]["features"][0] == {"name": "video", "dtype": "video"}
    assert "of 2 clips nobody has told the person" in card.text and "](data_" not in card.text


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_the_folder(
    run_folder: Path, tmp_path: Path, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    packed = pack(run_folder, tmp_path / "set", PackConfig(val_share=0.25))
    cache = {"cache_dir": str(tmp_path / "cache")}
    both = datasets.load_dataset(str(packed.folder), streaming=streaming, **cache)
    assert set(both) == {TRAIN, VALIDATION}
    count = 0
    for name, part in both.items():
        assert part.features["video"]._type == "Video" and part.features["fps"].dtype == "float64"
        for row in part.cast_column("video", datasets.Video(decode=False)):
            assert len(numbers_in(row["video"]["bytes"])) == row["num_frames"]
            count += 1
        if not streaming:
            assert len(part) == packed.splits[name].num_examples
    assert count == 8
    files = {name: str(packed.folder / "data" / f"{name}-*.parquet") for name in both}
    plain = datasets.load_dataset("parquet", data_files=files, streaming=streaming, **cache)
    assert np.isfinite([row["duration"] for row in plain[TRAIN].select_columns(["duration"])]).all()
    info = json.loads(parquet.read_schema(next((packed.folder / "data").iterdir())).metadata[b"huggingface"])
    assert info["info"]["features"]["video"] == {"_type": "Video"}
