import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_material import (
    RATE,
    number_of,
    numbered_video,
    row_of,
    span_of,
    write_manifest,
)

from talkvid.curation.export import PATHS_LIST, export
from talkvid.curation.manifest import ClipRow
from talkvid.curation.materialise import MaterialiseConfig, clip_rate, materialise
from talkvid.curation.records import REJECTED
from talkvid.curation.talkvid_json import read_entries
from talkvid.media import ffmpeg
from talkvid.media.audio import load_audio
from talkvid.media.image import load_image
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

QUICK = MaterialiseConfig(preset="ultrafast")
AAC_BLOCK = 1024
"""Samples: AAC holds whole blocks, so a decoder may give the rest of the last one as well."""


def cut_one(run: Path, row: ClipRow, config: MaterialiseConfig = QUICK) -> Path:
    """Return the file of the only clip of a run, cut."""
    summary, _ = materialise(write_manifest(run, [row]), config, executor="inline")
    assert not summary.failures
    return run / "clips" / f"{row.name}.mp4"


def numbers_in(path: Path) -> list[int]:
    return [number_of(picture) for picture in read_frames(path)]


def lag_s(cut: Array, source: Array, *, most: int = 480) -> float:
    """Return how much later (s) the sound of the cut is than that of its span."""
    length = min(len(cut), len(source)) - 2 * most
    window = source[most : most + length]
    fits = [float(cut[most + lag : most + lag + length] @ window) for lag in range(-most, most + 1)]
    return (int(np.argmax(fits)) - most) / RATE


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 100 numbered pictures, 25 a second, with one key frame and a rising tone."""
    return numbered_video(tmp_path_factory.mktemp("video") / "v.mp4")


@pytest.mark.parametrize(("first", "count"), [(0, 30), (37, 41), (60, 40)])
def test_the_file_holds_exactly_the_pictures_of_the_span(
    video: Path, tmp_path: Path, first: int, count: int
) -> None:
    # Once: cuts began at the key frame before the clip, and clips that start at 0.0 were dropped.
    path = cut_one(tmp_path, row_of(span_of(video, first, count)))
    assert numbers_in(path) == list(range(first, first + count))
    assert probe(path).fps == 25


@pytest.mark.parametrize("first", [0, 37])
def test_the_sound_is_that_of_the_same_moments_within_a_millisecond(
    video: Path, tmp_path: Path, first: int
) -> None:
    path = cut_one(tmp_path, row_of(span_of(video, first, 50)))
    whole, cut = load_audio(video, rate=RATE), load_audio(path, rate=RATE)
    begin = round(first / 25 * RATE)
    assert abs(lag_s(cut, whole[begin : begin + 2 * RATE])) < 0.001
    assert 0 <= len(cut) - 2 * RATE < AAC_BLOCK
    shifted = whole[begin + 96 : begin + 96 + 2 * RATE]
    assert abs(lag_s(cut, shifted) - 0.002) < 0.0005, "the measure itself must see a shift of 2 ms"


def test_the_input_is_never_touched(video: Path, tmp_path: Path) -> None:
    # Once: the source was replaced by a re-encoded copy of itself.
    before = hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns
    cut_one(tmp_path, row_of(span_of(video, 10, 30)))
    assert (hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns) == before
    assert sorted(path.name for path in video.parent.iterdir()) == ["v.mp4"]


def test_a_clip_is_never_written_over_its_source(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "clips" / "v-scene1.mp4", count=20)
    before = source.read_bytes()
    row = replace(row_of(span_of(source, 0, 10)), name="v-scene1")
    summary, _ = materialise(write_manifest(tmp_path, [row]), QUICK, executor="inline")
    assert "over its own source" in summary.failures[row.clip_id]
    assert source.read_bytes() == before


def test_a_rotated_recording_stands_upright(video: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg.run("-display_rotation", "90", "-i", video, "-c", "copy", turned)
    shown = probe(turned)
    assert (shown.width, shown.height, shown.rotation) == (64, 96, 90)
    row = row_of(span_of(turned, 20, 25, width=64, height=96))
    pictures = list(read_frames(cut_one(tmp_path / "run", row)))
    assert pictures[0].shape == (96, 64, 3)
    assert [number_of(np.rot90(picture, -1)) for picture in pictures] == list(range(20, 45))
    assert probe(tmp_path / "run" / "clips" / "turned-scene1.mp4").rotation == 0


def test_ten_bits_in_matroska_become_eight_and_keep_rate_and_pictures(video: Path, tmp_path: Path) -> None:
    deep = tmp_path / "deep.mkv"
    ffmpeg.run("-i", video, "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-r", "30000/1001", deep)
    with_ticks = [round(number * 1001 / 30) for number in range(91)]
    span = span_of(deep, 30, 60, stamps=with_ticks, time_base=(1, 1000), vfr=False)
    assert str(clip_rate(row_of(span))) == "30000/1001"
    path = cut_one(tmp_path, row_of(span))
    source = [number_of(picture) for picture in read_frames(deep)]
    assert numbers_in(path) == source[30:90]
    assert probe(path).fps == pytest.approx(30000 / 1001, abs=1e-9)


def test_an_odd_size_loses_its_last_column(video: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    ffmpeg.run("-i", video, "-vf", "format=yuv444p,crop=95:63:0:0", "-c:v", "ffv1", "-frames:v", "40", odd)
    span = span_of(odd, 5, 20, stamps=range(0, 40 * 40, 40), time_base=(1, 1000), vfr=False)
    path = cut_one(tmp_path, row_of(replace(span, width=95, height=63)))
    assert (probe(path).width, probe(path).height) == (94, 62)
    assert numbers_in(path) == list(range(5, 25))


def test_an_uneven_rate_becomes_its_mean_and_no_picture_strays_half_a_picture(
    video: Path, tmp_path: Path
) -> None:
    uneven = tmp_path / "uneven.mp4"
    kept = [number for number in range(100) if number % 5 != 3 and not 50 <= number < 53]
    expression = "not(eq(mod(n,5),3))*not(between(n,50,52))"
    ffmpeg.run("-i", video, "-vf", f"select='{expression}'", "-fps_mode", "vfr", "-crf", "12", uneven)
    first, count = 9, 50
    span = span_of(uneven, first, count, stamps=kept, time_base=(1, 25))
    row = row_of(span)
    numbers = numbers_in(cut_one(tmp_path, row))
    assert len(numbers) == count
    assert numbers[0] == kept[first]
    rate = float(clip_rate(row))
    for place, number in enumerate(numbers):
        wanted = kept[first] / 25 + place / rate
        nearest = min(abs(other / 25 - wanted) for other in kept[first : first + count])
        assert abs(number / 25 - wanted) == pytest.approx(nearest, abs=1e-6)
    length = len(load_audio(tmp_path / "clips" / "uneven-scene1.mp4", rate=RATE))
    assert 0 <= length - round(span.duration_s * RATE) < AAC_BLOCK


def test_a_silent_clip_has_no_sound_and_the_first_picture_is_an_option(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "silent.mp4", count=30, sound=False)
    config = replace(QUICK, first_frame=True)
    path = cut_one(tmp_path, row_of(span_of(source, 11, 10, has_audio=False)), config)
    assert not probe(path).has_audio
    assert number_of(load_image(path.with_suffix(".png"))) == 11


def test_one_bad_clip_fails_with_its_reason_and_the_others_go_on(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[: video.stat().st_size // 3])
    rows = [
        row_of(span_of(video, 0, 20)),
        row_of(span_of(video, 90, 25, number=2)),
        row_of(span_of(broken, 70, 20)),
        row_of(span_of(tmp_path / "gone.mp4", 0, 20)),
        row_of(span_of(video, 30, 20, number=3), REJECTED, code="DUR_SHORT"),
    ]
    run = write_manifest(tmp_path / "run", rows)
    summary, exported = materialise(run, QUICK, workers=2)
    assert len(summary.failures) == 3, summary.failures
    assert (summary.done, summary.failed, exported.num_cut) == (1, 3, 1)
    assert "10 pictures lie in the span, 25 were found" in summary.failures[rows[1].clip_id]
    assert "this video does not exist" in summary.failures[rows[3].clip_id]
    assert [path.name for path in (run / "clips").iterdir()] == ["v-scene1.mp4"]


def test_what_is_cut_is_left_alone_and_what_is_missing_or_changed_is_cut_again(
    video: Path, tmp_path: Path
) -> None:
    rows = [row_of(span_of(video, 10 * part, 10, number=part + 1)) for part in range(3)]
    run = write_manifest(tmp_path, rows)
    materialise(run, QUICK, executor="inline")
    clips = [run / "clips" / f"{row.name}.mp4" for row in rows]
    times = [path.stat().st_mtime_ns for path in clips]
    clips[1].unlink()
    summary, _ = materialise(run, QUICK, executor="inline")
    assert (summary.done, summary.skipped) == (1, 2)
    after = [path.stat().st_mtime_ns for path in clips]
    assert [before == now for before, now in zip(times, after, strict=True)] == [True, False, True]
    summary, _ = materialise(run, replace(QUICK, crf=30), executor="inline")
    assert summary.done == 3


def test_what_a_killed_run_left_is_swept_up(video: Path, tmp_path: Path) -> None:
    row = row_of(span_of(video, 0, 10))
    partial = tmp_path / "clips" / ".partial"
    partial.mkdir(parents=True)
    (partial / f".{row.clip_id}.0123abcd.pictures.mp4").write_bytes(b"half")
    cut_one(tmp_path, row)
    assert [path.name for path in (tmp_path / "clips").rglob("*")] == ["v-scene1.mp4"]


def test_a_file_of_an_earlier_scan_does_not_stand_for_another_span(video: Path, tmp_path: Path) -> None:
    cut_one(tmp_path, row_of(span_of(video, 0, 10)))
    write_manifest(tmp_path, [row_of(span_of(video, 40, 30))])  # the same name, another part of the video
    assert export(tmp_path).num_cut == 0
    (entry,) = read_entries(tmp_path / "exports" / PATHS_LIST)
    assert entry.video_path == str(video)
    assert (entry.start_s, entry.end_s) == (1.6, 2.8)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="crf must be from 0 to 51, got 60"):
        MaterialiseConfig(crf=60)
    with pytest.raises(ValueError, match="gop must be at least 1, got 0"):
        MaterialiseConfig(gop=0)
