"""Change between consecutive pictures, and whether a video lasts as long as its sound."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.evaluation.duration import check_duration, video_timing
from talkvid.evaluation.temporal import change_ratio, temporal_l1
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from tests.evaluation.picture_pairs import noise_frames


def grey(*levels: int, size: int = 16) -> list[Array]:
    return [np.full((size, size, 3), level, np.uint8) for level in levels]


def test_change_is_the_mean_difference_of_neighbours() -> None:
    found = temporal_l1(grey(10, 13, 13, 7), fps=25)
    assert found.mean == pytest.approx((3 + 0 + 6) / 3) and found.num_steps == 3
    assert found.protocol["frames"] == 4 and found.protocol["size"] == "16x16"
    frames = noise_frames(5)
    stack = np.stack(frames).astype(float)
    assert temporal_l1(iter(frames), fps=25).mean == pytest.approx(np.abs(np.diff(stack, axis=0)).mean())


def test_the_ratio_to_the_true_clip_is_none_when_that_stands_still() -> None:
    made, truth = temporal_l1(grey(10, 14), fps=25), temporal_l1(grey(10, 12), fps=25)
    assert change_ratio(made, truth).ratio == 2
    assert change_ratio(made, temporal_l1(grey(9, 9), fps=25)).ratio is None
    assert change_ratio(temporal_l1(grey(9, 9), fps=25), truth).ratio == 0


def test_changes_of_different_rates_or_sizes_are_not_compared() -> None:
    made = temporal_l1(grey(10, 14), fps=25)
    with pytest.raises(ValueError, match=r"differ in fps: 25 and 30"):
        change_ratio(made, temporal_l1(grey(10, 14), fps=30))
    with pytest.raises(ValueError, match="differ in size: 16x16 and 8x8"):
        change_ratio(made, temporal_l1(grey(10, 14, size=8), fps=25))


def test_one_picture_has_no_change_and_sizes_may_not_jump() -> None:
    with pytest.raises(ValueError, match="two pictures or more"):
        temporal_l1(grey(1), fps=25)
    with pytest.raises(ValueError, match="picture 2 is 8x8, those before are 16x16"):
        temporal_l1([*grey(1, 2), *grey(3, size=8)], fps=25)


def tone(path: Path, seconds: float, *, rate: int = 16000) -> Path:
    samples = 8000 * np.sin(np.arange(round(seconds * rate)) / 9)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def video(path: Path, count: int, fps: float | Fraction, *, sound: Path | None = None) -> Path:
    source = None if sound is None else AudioSource(sound)
    with VideoWriter(path, 64, 48, fps, audio=source, preset="ultrafast") as writer:
        for number in range(count):
            writer.write(np.full((48, 64, 3), (number * 37) % 200 + 20, np.uint8))
    return path


@pytest.mark.parametrize("fps", [25, 24, Fraction(30000, 1001)])
def test_a_video_as_long_as_its_sound_is_right(tmp_path: Path, fps: float | Fraction) -> None:
    sound = tone(tmp_path / "speech.wav", 1.3)
    wanted = int(1.3 * fps + 0.5)
    found = check_duration(video(tmp_path / "made.mp4", wanted, fps, sound=sound), sound, fps=float(fps))
    assert found.right, found.faults
    assert (found.timing.num_frames, found.wanted_frames, found.missing_frames) == (wanted, wanted, 0)
    assert found.sound_s == pytest.approx(1.3, abs=1e-9)
    assert found.timing.fps == pytest.approx(float(fps), rel=1e-6) and found.timing.even
    assert found.late_s == pytest.approx(wanted / float(fps) - 1.3, abs=2e-3)


def test_missing_and_surplus_pictures_are_counted(tmp_path: Path) -> None:
    # Once: the frame rate was bent to fit whole windows, so pictures ran away from the sound.
    sound = tone(tmp_path / "speech.wav", 1.2)
    short = check_duration(video(tmp_path / "short.mp4", 26, 25, sound=sound), sound)
    assert short.missing_frames == 4 and not short.right
    assert any("26 pictures where the sound asks for 30" in fault for fault in short.faults)
    long = check_duration(video(tmp_path / "long.mp4", 33, 25, sound=sound), sound)
    assert long.missing_frames == -3 and long.late_s == pytest.approx(0.12, abs=2e-3)


def test_a_wrong_rate_and_a_missing_or_short_track_are_faults(tmp_path: Path) -> None:
    sound = tone(tmp_path / "speech.wav", 1.2)
    silent = check_duration(video(tmp_path / "silent.mp4", 30, 25), sound, fps=30)
    assert silent.track_s is None
    assert silent.faults == ("25 pictures per second where 30 were asked for", "no sound track")
    short = muxed(tmp_path / "short.mkv", list(range(0, 1200, 40)), track_s=0.7)
    found = check_duration(short, sound)
    assert (found.missing_frames, found.timing.even) == (0, True)
    assert found.track_s == pytest.approx(0.7, abs=0.002) and found.late_s == pytest.approx(0, abs=0.002)
    assert found.faults == ("a sound track of 0.700 s beside pictures of 1.200 s",)


def test_pictures_off_an_even_rate_are_told(tmp_path: Path) -> None:
    path = muxed(tmp_path / "uneven.mkv", [0, 40, 80, 150, 160, 200])
    timing = video_timing(path)
    assert timing.num_frames == 6 and not timing.even
    assert timing.largest_step_error_s == pytest.approx(0.03, abs=0.003)
    found = check_duration(path, tone(tmp_path / "speech.wav", 0.24))
    assert any("ms off an even rate" in fault for fault in found.faults)


def muxed(path: Path, times_ms: list[int], *, track_s: float | None = None) -> Path:
    """A Matroska file with pictures at these times and, if asked for, a sound track of that length."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.width, pictures.height = 32, 32
        pictures.codec_context.time_base = Fraction(1, 1000)
        track = None if track_s is None else container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for number, time_ms in enumerate(times_ms):
            picture = np.full((32, 32, 3), (30 * number) % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        if track is not None and track_s is not None:
            samples = np.ones((1, round(track_s * 16000)), np.int16)
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.sample_rate, sound.pts = 16000, 0
            container.mux(track.encode(sound))
            container.mux(track.encode())
    return path


def test_a_videos_own_track_may_end_a_block_later_than_its_pictures(tmp_path: Path) -> None:
    # Once: true clips judged by their own AAC track lacked a picture, because a track ends on a whole block.
    sound = tone(tmp_path / "speech.wav", 1.0)
    own = video(tmp_path / "own.mp4", 25, 25, sound=sound)
    assert check_duration(own).right
    cut = video(tmp_path / "cut.mp4", 24, 25, sound=sound)
    assert not check_duration(cut, sound).right and check_duration(cut, sound).missing_frames == 1
