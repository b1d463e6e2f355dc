import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from takes_material import HEIGHT, WIDTH, picture, sound, write_takes

from talkvid.config import load_config
from talkvid.curation import speech_spans
from talkvid.curation.config import load_curate_config, section
from talkvid.curation.cuts import CutConfig
from talkvid.curation.decide import scan_scores
from talkvid.curation.records import CODES, Span
from talkvid.curation.scan import ScanConfig, ScanResult, is_uneven, scan_video
from talkvid.curation.sources import Unusable, VideoSource, read_sources
from talkvid.curation.subtitles import Cue, read_subtitles
from talkvid.media import ffmpeg
from talkvid.media.video import read_at

LENGTHS = (60, 90, 50)


def scanned(path: Path | str, config: ScanConfig | None = None, **about: Any) -> ScanResult:
    return scan_video(VideoSource("v", str(path), **about), config or ScanConfig())


def failure(path: Path | str, **about: Any) -> tuple[str, str]:
    with pytest.raises(Unusable) as caught:
        scanned(path, **about)
    assert caught.value.code in CODES and "\n" not in str(caught.value)
    return caught.value.code, str(caught.value)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    talk = sound(("speech", 2.4), ("silence", 3.6), ("speech", 2.0))
    return write_takes(tmp_path_factory.mktemp("scan") / "three.mp4", LENGTHS, samples=talk)


def test_every_take_is_a_clip_with_exact_pictures_and_times(video: Path) -> None:
    result = scanned(video)
    places = [(span.number, span.first_frame, span.num_frames) for span in result.spans]
    assert places == [(1, 0, 58), (2, 63, 85), (3, 153, 47)]
    for span in result.spans:
        assert span.start_s == Fraction(span.first_frame, 25)
        assert span.duration_s == Fraction(span.num_frames, 25)
        assert (span.width, span.height, span.fps, span.vfr) == (WIDTH, HEIGHT, 25.0, False)
        assert span.has_audio and span.name == f"v-scene{span.number}"
        assert Span.from_json(json.loads(json.dumps(span.to_json()))) == span
    assert result.facts["cuts"] == [60, 150] and result.facts["num_frames"] == 200
    assert result.facts["duration_s"] == 8 and result.facts["problems"] == {}


def test_the_numbers_are_those_of_the_pictures(video: Path) -> None:
    span = scanned(video).spans[1]
    shown = read_at(video, [span.first_frame, span.first_frame + span.num_frames - 1]).astype(int)
    for image, frame in zip(shown, (3, 87), strict=True):
        assert np.abs(image - picture(1, frame)).mean() < 6


def test_speech_is_measured_per_clip(video: Path) -> None:
    found = [span.facts["speech_ratio"] for span in scanned(video).spans]
    assert found[0] > 0.8 and found[1] < 0.15 and found[2] > 0.8
    scores = scan_scores(scanned(video).spans[0])
    assert {"duration_s", "speech_s", "speech_ratio", "has_audio"} <= set(scores)


def test_subtitles_are_read_once_for_all_clips_of_a_video(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: the file of subtitles was read and taken apart anew for every clip.
    path = tmp_path / "talk.srt"
    path.write_text("1\n00:00:00,500 --> 00:00:01,500\nhello\n")
    read: list[object] = []

    def counted(name: str | Path) -> list[Cue]:
        read.append(name)
        return read_subtitles(name)

    monkeypatch.setattr(speech_spans, "read_subtitles", counted)
    assert len(scanned(video, subtitles=str(path)).spans) == 3
    assert read == [str(path)]


def test_a_single_take_is_one_whole_clip(tmp_path: Path) -> None:
    # Once: a video without a cut gave no clip at all.
    path = write_takes(tmp_path / "one.mp4", (70,))
    [span] = scanned(path).spans
    assert (span.first_frame, span.num_frames, span.facts["duration_s"]) == (0, 70, 2.8)
    assert not span.has_audio and span.facts["speech_by"] == "no sound" and span.facts["speech_ratio"] == 0


def test_the_same_clip_has_the_same_id_in_every_run(video: Path) -> None:
    first, second = (scanned(video) for _ in range(2))
    assert first == second
    assert len({span.clip_id for span in first.spans}) == 3


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 4.0), (2.0, 5.0), (3.21, 7.5), (6.5, None)])
def test_a_span_is_scanned_as_if_all_had_been(video: Path, start_s: float, end_s: float | None) -> None:
    first, stop = -int(-start_s * 25 // 1), 200 if end_s is None else -int(-end_s * 25 // 1)
    result = scanned(video, start_s=start_s, end_s=end_s)
    assert result.facts["num_frames"] == stop - first
    assert result.facts["cuts"] == [cut for cut in (60, 150) if first < cut < stop]
    assert result.spans[0].first_frame == first
    assert result.spans[0].start_s == Fraction(first, 25)


def test_a_span_behind_the_end_is_named(video: Path) -> None:
    code, reason = failure(video, start_s=99.0)
    assert code == "BAD_ENTRY" and "no picture lies in the span" in reason


def test_pictures_at_varying_distance_keep_their_own_times(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).integers(20, 90, 120)
    stamps = np.concatenate([[0], np.cumsum(steps)[:-1]]).tolist()
    path = write_takes(tmp_path / "uneven.mkv", (50, 70), stamps=stamps)
    result = scanned(path)
    assert result.facts["vfr"] and result.facts["cuts"] == [50]
    second = result.spans[1]
    first = next(place for place, stamp in enumerate(stamps) if stamp >= stamps[50] + 100)
    assert second.first_frame == first and second.vfr
    assert float(second.start_s) == pytest.approx(stamps[first] / 1000, abs=1e-3)
    assert second.fps == pytest.approx(second.num_frames / float(second.duration_s))


def test_rounding_of_times_is_not_varying_distance() -> None:
    assert not is_uneven([0, 33, 67, 100, 133, 500], Fraction(1, 1000))
    assert is_uneven([0, 33, 100, 133, 166], Fraction(1, 1000))
    assert not is_uneven([0, 40], Fraction(1, 1000))


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "mpeg4", "libvpx-vp9"])
def test_other_codecs_are_scanned(tmp_path: Path, codec: str) -> None:
    options = {"preset": "ultrafast"} if codec == "libx265" else {"deadline": "realtime", "cpu-used": "8"}
    options = {"preset": "12"} if codec == "libsvtav1" else options
    path = write_takes(tmp_path / "a.mkv", (30, 30), codec=codec, options=options)
    assert scanned(path).facts["cuts"] == [30]


def test_ten_bits_and_a_turned_picture_are_scanned(tmp_path: Path) -> None:
    deep = write_takes(tmp_path / "deep.mp4", (30, 30), pixels="yuv420p10le")
    assert scanned(deep).facts["cuts"] == [30]
    turned = tmp_path / "turned.mp4"
    ffmpeg.run("-display_rotation", "90", "-i", deep, "-c", "copy", turned)
    result = scanned(turned)
    assert (result.facts["width"], result.facts["height"]) == (HEIGHT, WIDTH)
    assert result.facts["cuts"] == [30]


def test_the_name_of_a_file_does_not_matter(video: Path, tmp_path: Path) -> None:
    for name in ("song.mp3", "film.avi", "noending"):
        (tmp_path / name).write_bytes(video.read_bytes())
        assert len(scanned(tmp_path / name).spans) == 3


def test_files_that_give_no_clips_have_a_code_and_a_sentence(video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    contents = {
        "empty.mp4": (b"", "EMPTY_FILE"),
        "text.mp4": (b"hello " * 99, "NOT_A_VIDEO"),
        "pointer.mp4": (pointer, "NOT_A_VIDEO"),
        "headless.mp4": (data[: len(data) // 2], "DECODE_FAIL"),
        "cut.mkv": (b"\x1aE\xdf\xa3" + bytes(40), "DECODE_FAIL"),
    }
    for name, (content, code) in contents.items():
        (tmp_path / name).write_bytes(content)
        assert failure(tmp_path / name)[0] == code, name
    assert "git lfs pull" in failure(tmp_path / "pointer.mp4")[1]
    assert failure(tmp_path / "none.mp4")[0] == "MISSING_FILE"
    assert failure(tmp_path)[0] == "NOT_A_VIDEO"
    assert failure(video, problem="entry 3: it has no path") == ("BAD_ENTRY", "entry 3: it has no path")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    ffmpeg.run("-f", "lavfi", "-i", "sine=440:d=2", "-c:a", "aac", path)
    assert failure(path) == ("NOT_A_VIDEO", f"{path}: there is no video stream in this file; give a video")


@pytest.fixture(scope="module")
def broken(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose index is whole and whose second half is missing."""
    folder = tmp_path_factory.mktemp("broken")
    ffmpeg.run("-i", video, "-c", "copy", "-movflags", "+faststart", folder / "whole.mp4")
    data = (folder / "whole.mp4").read_bytes()
    (folder / "broken.mp4").write_bytes(data[: len(data) * 6 // 10])
    return folder / "broken.mp4"


def test_a_file_that_breaks_off_fails_or_gives_what_is_there(broken: Path) -> None:
    code, reason = failure(broken)
    assert code == "DECODE_FAIL" and "copy or download it again" in reason
    result = scanned(broken, ScanConfig(on_damage="keep"))
    assert 40 < result.facts["num_frames"] < 180 and result.facts["problems"]["picture"]
    assert result.spans[-1].first_frame + result.spans[-1].num_frames <= result.facts["num_frames"]


def test_takes_may_be_divided_in_a_pause(video: Path) -> None:
    config = ScanConfig(CutConfig("none"), longest_s=4.5, shortest_s=1.0)
    spans = scanned(video, config).spans
    assert [span.first_frame for span in spans] == [0, pytest.approx(105, abs=3)]
    assert sum(span.num_frames for span in spans) == 200


def test_settings_come_from_the_profiles_and_overrides() -> None:
    parity = section(load_curate_config(overrides=["profile=parity", "stages=[]"]), "scan")
    assert parity.cuts == CutConfig("histogram", 0.085, bins=256, min_scene_frames=15)
    assert (parity.margin_start_s, parity.margin_end_s, parity.margins_at_ends) == (0.3, 0.1, True)
    assert (parity.longest_s, parity.duration_digits, parity.speech.signal) == (0, 1, "subtitles")
    assert load_config(ScanConfig) == ScanConfig()
    changed = load_config(ScanConfig, overrides=["cuts.detector=hash", "fixed_s=[4,8]", "lengths=fixed"])
    assert (changed.cuts.detector, changed.fixed_s, changed.lengths) == ("hash", (4.0, 8.0), "fixed")


def test_lengths_are_judged_as_the_profile_rounds_them(video: Path) -> None:
    # Once: 5.05 s was too short and 5.06 s long enough, since lengths are rounded to 0.1 s before the rule.
    config = ScanConfig(margin_start_s=0.3, margin_end_s=0.1, margins_at_ends=True, duration_digits=1)
    spans = scanned(video, config).spans
    assert [scan_scores(span)["duration_s"] for span in spans] == [2.0, 3.2, 1.6]


def test_every_file_at_hand_gives_clips_or_a_reason(shared: Path) -> None:
    codes = {}
    for folder in ("bad", "bad_derived", "negatives"):
        for source in read_sources(shared / "media/dev" / folder):
            try:
                result = scan_video(source, ScanConfig())
            except Unusable as error:
                codes[source.id] = error.code
            else:
                assert sum(span.num_frames for span in result.spans) <= result.facts["num_frames"]
    assert codes == {
        "decord__test_data__corrupted": "DECODE_FAIL",
        "git_lfs_pointer": "NOT_A_VIDEO",
        "truncated_60pct": "DECODE_FAIL",
        "zero_bytes": "EMPTY_FILE",
    }


def test_known_cuts_are_found_within_one_picture(shared: Path) -> None:
    path = shared / "media/dev/multishot_derived/raw_concat_dev.mp4"
    truth = json.loads(path.with_suffix(".cuts.json").read_text())
    found = scanned(path).facts["cuts"]
    expected = [round(cut * truth["fps"]) for cut in truth["cuts"]]
    assert len(found) == len(expected)
    assert all(abs(ours - theirs) <= 1 for ours, theirs in zip(found, expected, strict=True))
