import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from export_material import numbered_video, row_of, span_of, write_manifest

from talkvid.curation.annotate import annotate, report_lines
from talkvid.curation.annotate_parts import AnnotateConfig, active_parts
from talkvid.curation.annotations import lay_over, with_annotations
from talkvid.curation.caption import template_caption
from talkvid.curation.manifest import ClipRow, read_clips
from talkvid.curation.materialise import MaterialiseConfig, materialise
from talkvid.curation.records import KEPT, REJECTED
from talkvid.curation.talkvid_entry import published_entry

HEAD = {"avg_resolution": 180.0, "avg_orientation": 96.0, "avg_movement": 99.0}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 100 numbered pictures with a rising tone."""
    return numbered_video(tmp_path_factory.mktemp("video") / "v.mp4")


@pytest.fixture
def run(video: Path, tmp_path: Path) -> Path:
    """Return a run folder: two kept clips, one rejected."""
    scores = {"scan": {"speech_ratio": 0.9}, "head": HEAD}
    rows = [row_of(span_of(video, 30 * part, 25, number=part + 1), scores=scores) for part in range(3)]
    rows[2] = replace(rows[2], status=REJECTED, code="DUR_SHORT")
    return write_manifest(tmp_path / "run", rows)


class FakeWhisper:
    """Stands for faster_whisper.WhisperModel: says how much sound it was given."""

    heard: Sequence[Any] = ()

    def __init__(self, name: str, *, device: str, compute_type: str) -> None:
        if name == "nowhere":
            raise ValueError("Invalid model size 'nowhere'")
        self.name = (name, device, compute_type)

    def transcribe(self, waveform: np.ndarray, **settings: Any) -> tuple[Any, Any]:
        assert settings["temperature"] == 0.0, "a random transcript could not be made again"
        FakeWhisper.heard = [*FakeWhisper.heard, len(waveform)]
        segments = [
            SimpleNamespace(start=0.1, end=0.5, text=" Hello"),
            SimpleNamespace(start=0.5, end=0.6, text="  "),
            SimpleNamespace(start=0.6, end=0.95, text=" there."),
        ]
        return iter(segments), SimpleNamespace(language="en", language_probability=0.987)


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[FakeWhisper]:
    """Put the fake in the place of faster-whisper."""
    library: Any = ModuleType("faster_whisper")
    library.WhisperModel, library.__version__ = FakeWhisper, "1.2.1"
    monkeypatch.setitem(sys.modules, "faster_whisper", library)
    FakeWhisper.heard = ()
    return FakeWhisper


def by_name(run: Path) -> dict[str, ClipRow]:
    return {row.name: row for row in read_clips(run)}


def test_every_field_says_who_wrote_it_and_other_columns_stay(run: Path) -> None:
    before = by_name(run)
    annotate(run, AnnotateConfig(), executor="inline")
    after = by_name(run)
    assert {name: replace(row, annotations={}) for name, row in after.items()} == before
    fields = after["v-scene1"].annotations
    assert set(fields) == {"light", "caption"}
    assert all({"value", "by", "version"} <= set(field) for field in fields.values())
    assert fields["caption"]["by"] == "template"
    assert after["v-scene3"].annotations == {}, "a rejected clip is not annotated"


def test_language_and_transcript_come_with_the_models_name_and_the_clips_own_times(
    run: Path, whisper: type[FakeWhisper]
) -> None:
    annotate(run, AnnotateConfig(speech_model="small"), executor="inline")
    row = by_name(run)["v-scene2"]
    language, transcript = row.annotations["language"], row.annotations["transcript"]
    assert (language["value"], language["name"], language["probability"]) == ("en", "English", 0.987)
    assert (transcript["value"], transcript["by"]) == ("Hello there.", "faster-whisper small")
    assert [segment["text"] for segment in transcript["segments"]] == ["Hello", "there."]
    assert list(whisper.heard) == [16000, 16000], "exactly the sound of each clip"
    assert published_entry(row)["info"]["Language"] == "English"
    line = json.loads((run / "exports" / "kept.jsonl").read_text().splitlines()[0])
    assert line["annotations"]["language"]["value"] == "en"


def test_a_cut_clip_gets_its_words_as_subtitles_and_its_caption_as_text(
    run: Path, whisper: type[FakeWhisper]
) -> None:
    annotate(run, AnnotateConfig(speech_model="small"), executor="inline")
    materialise(run, MaterialiseConfig(preset="ultrafast"), executor="inline")
    entries = json.loads((run / "exports" / "talkvid_paths.json").read_text())
    subtitles = run / "exports" / entries[0]["subtitle-path"]
    assert subtitles.read_text() == (
        "1\n00:00:00,100 --> 00:00:00,500\nHello\n\n2\n00:00:00,600 --> 00:00:00,950\nthere.\n"
    )
    assert "seconds long" in (run / "exports" / entries[0]["description-path"]).read_text()


@pytest.mark.parametrize(
    ("config", "part", "reason"),
    [
        (AnnotateConfig(speech_model="small"), "speech", "pip install 'talkvid[annotate]'"),
        (
            AnnotateConfig(age_gender="insightface", face_model_path="nowhere"),
            "age_gender",
            "not found in nowhere",
        ),
        (AnnotateConfig(persons="gone.npz"), "persons", "no such file of identity vectors"),
    ],
)
def test_what_is_missing_is_left_out_and_said(
    run: Path, config: AnnotateConfig, part: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    done = annotate(run, config, executor="inline")
    assert reason in done.left_out[part]
    assert any(line.startswith(f"left out: {part}: ") for line in report_lines(done))
    assert "light" in by_name(run)["v-scene1"].annotations, "the other parts are there"


def test_a_model_that_cannot_be_loaded_is_left_out_and_said(run: Path, whisper: type[FakeWhisper]) -> None:
    done = annotate(run, AnnotateConfig(speech_model="nowhere"), executor="inline")
    assert done.left_out == {"speech": "Invalid model size 'nowhere'"}


def test_a_second_run_does_nothing_twice_and_another_model_its_own_part_alone(
    run: Path, whisper: type[FakeWhisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate(run, AnnotateConfig(speech_model="small"), executor="inline")
    before = (run / "clips.parquet").read_bytes()
    looked: list[str] = []

    def noted(row: ClipRow) -> list[list[int]]:
        looked.append(row.name)
        return []

    monkeypatch.setattr("talkvid.curation.annotate_parts.look_at", noted)
    annotate(run, AnnotateConfig(speech_model="small"), executor="inline")
    assert len(whisper.heard) == 2
    assert (run / "clips.parquet").read_bytes() == before
    annotate(run, AnnotateConfig(speech_model="large-v3"), executor="inline")
    assert len(whisper.heard) == 4
    assert not looked
    assert by_name(run)["v-scene1"].annotations["language"]["by"] == "faster-whisper large-v3"


def test_the_manifest_is_the_same_for_any_number_of_workers(run: Path, tmp_path: Path) -> None:
    annotate(run, AnnotateConfig(), workers=2)
    other = write_manifest(tmp_path / "other", [replace(row, annotations={}) for row in read_clips(run)])
    annotate(other, AnnotateConfig(), executor="inline")
    assert (other / "clips.parquet").read_bytes() == (run / "clips.parquet").read_bytes()


def test_duplicates_are_noted_and_rejected_only_when_asked(video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "w.mp4"
    copy.write_bytes(video.read_bytes())
    rows = [row_of(span_of(path, 20, 60)) for path in (video, copy)]
    run = write_manifest(tmp_path / "run", rows)
    annotate(run, AnnotateConfig(), executor="inline")
    noted = by_name(run)
    assert noted["w-scene1"].status == KEPT
    assert noted["w-scene1"].annotations["duplicate_of"]["value"] == "v-scene1"
    assert noted["v-scene1"].annotations["duplicate_group"]["value"] == "duplicates-v-scene1"
    assert "duplicate_of" not in noted["v-scene1"].annotations
    done = annotate(run, AnnotateConfig(reject_duplicates=True), executor="inline")
    rejected = by_name(run)["w-scene1"]
    assert (rejected.status, rejected.code, done.num_rejected) == (REJECTED, "DUPLICATE", 1)
    assert rejected.reason == "the same pictures as v-scene1"
    assert "w-scene1" in (run / "exports" / "rejected.jsonl").read_text()
    annotate(run, AnnotateConfig(), executor="inline")
    assert by_name(run)["w-scene1"].status == KEPT, "and kept again when no longer asked"


def test_annotations_outlive_a_manifest_that_is_written_anew(run: Path) -> None:
    fresh = read_clips(run)
    annotate(run, AnnotateConfig(), executor="inline")
    annotated = read_clips(run)
    write_manifest(run, fresh)
    assert list(with_annotations(read_clips(run), run)) == annotated
    lay_over(run)
    assert read_clips(run) == annotated


def test_persons_come_from_the_users_vectors_and_keep_their_ids(run: Path, tmp_path: Path) -> None:
    names = [row.name for row in read_clips(run)]
    stored: dict[str, Any] = {names[0]: np.array([1.0, 0.0]), names[1]: np.array([0.9, 0.1])}
    np.savez(tmp_path / "vectors.npz", **stored)
    config = AnnotateConfig(persons=str(tmp_path / "vectors.npz"))
    annotate(run, config, executor="inline")
    fields = [by_name(run)[name].annotations["person_id"] for name in names[:2]]
    assert [field["value"] for field in fields] == ["person-0001", "person-0001"]
    assert fields[0]["by"] == "vectors of vectors.npz"
    assert published_entry(by_name(run)[names[0]])["info"]["Person ID"] == "person-0001"


def test_biometric_parts_are_off_unless_asked_for() -> None:
    assert active_parts(AnnotateConfig()) == ["look"]
    everything = AnnotateConfig(
        speech_model="small", caption="m", persons="insightface", age_gender="insightface"
    )
    assert active_parts(everything) == ["look", "speech", "caption", "identity", "age_gender"]
    assert active_parts(AnnotateConfig(duplicates=False, caption="off")) == []


def test_the_template_speaks_of_what_was_measured_and_of_nothing_else(tmp_path: Path) -> None:
    row = row_of(span_of(tmp_path / "v.mp4", 0, 125))
    assert template_caption(row, None)["value"] == "A clip, 5.0 seconds long."
    measured = replace(row, scores={"head": HEAD, "scan": {"speech_ratio": 0.9}})
    field = template_caption(measured, [[200, 210]])
    assert field["value"] == (
        "A head-and-shoulders shot of one person, facing the camera, hardly moving, speaking throughout, "
        "in bright light, 5.0 seconds long."
    )
    assert field["facts"]["face_percent"] == 6.0
    silent = replace(row, scores={"scan": {"speech_ratio": 0.01}})
    assert (
        template_caption(silent, [[20]])["value"] == "A clip, not speaking, in dark light, 5.0 seconds long."
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"age_gender": "guess"}, "age_gender is 'guess': choose insightface or nothing"),
        ({"same_person": 2.0}, "same_person must be a cosine, got 2.0"),
        ({"caption_pictures": 0}, "caption_pictures must be from 1 to 8, got 0"),
        ({"duplicates": False, "reject_duplicates": True}, "reject_duplicates needs annotate.duplicates"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnnotateConfig(**wrong)
