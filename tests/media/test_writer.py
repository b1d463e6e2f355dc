import os
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media import ffmpeg
from talkvid.media.audio import AudioSource, num_frames
from talkvid.media.audio_stream import stream_audio
from talkvid.media.video import probe, read_frames
from talkvid.media.writer import QUICK, Encoding, VideoWriter
from tests.media.conftest import Make, clicks, write_wav

AAC_FRAME = 1024


def frame_of(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), (number * 37) % 200 + 20, np.uint8)


def write_video(
    path: Path, count: int, fps: float | Fraction, audio: Path | None = None, **options: object
) -> None:
    source = AudioSource(audio) if audio else None
    with VideoWriter(path, 64, 48, fps, audio=source, preset="ultrafast", **options) as writer:  # type: ignore[arg-type]
        for number in range(count):
            writer.write(frame_of(number))


def muxed_sound(path: Path) -> tuple[np.ndarray, int]:
    pieces = list(stream_audio(path))
    return np.concatenate([piece.samples for piece in pieces]), pieces[0].rate


def seconds_of(units: int | None, time_base: Fraction | None) -> Fraction:
    """Return a time the container must tell, in seconds."""
    assert units is not None and time_base is not None
    return units * time_base


def first_click(samples: np.ndarray, near: int) -> int:
    """Return the sample with the largest jump in the neighbourhood."""
    begin = max(0, near - 600)
    return begin + int(np.argmax(np.abs(samples[begin : near + 600, 0])))


def check_timing(tmp_path: Path, seconds: float, fps: int, rate: int, channels: int) -> None:
    length = round(seconds * rate)
    first_s, every_s = min(0.01, seconds / 4), 0.45
    mono = np.zeros(length, np.float32)
    places = [round(at * rate) for at in np.arange(first_s, seconds - 2 / fps, every_s)] or [
        round(first_s * rate)
    ]
    mono[places] = 0.9
    sound = write_wav(tmp_path / "in.wav", np.stack([mono] * channels, axis=1), rate)
    count = num_frames(length / rate, fps)
    write_video(tmp_path / "out.mp4", count, fps, sound)

    assert sum(1 for _ in read_frames(tmp_path / "out.mp4")) == count == max(1, int(seconds * fps + 0.5))
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures, audio = container.streams
        assert isinstance(pictures, av.VideoStream) and isinstance(audio, av.AudioStream)
        assert pictures.start_time == 0 and audio.start_time == 0
        shown, heard = (seconds_of(stream.duration, stream.time_base) for stream in (pictures, audio))
        assert float(shown) == pytest.approx(count / fps, abs=1e-9)
        assert abs(float(heard) - count / fps) <= AAC_FRAME / rate
        assert audio.codec_context.sample_rate == rate and audio.codec_context.channels == channels
    samples, found_rate = muxed_sound(tmp_path / "out.mp4")
    assert found_rate == rate and samples.shape[1] == channels
    assert abs(len(samples) - count / fps * rate) <= AAC_FRAME
    for place in places:
        if place < count / fps * rate - 2:
            assert abs(first_click(samples, place) - place) <= 2


@pytest.mark.parametrize("fps", [25, 30])
@pytest.mark.parametrize("seconds", [0.04, 0.52, 1.433, 5])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2)])
def test_video_and_sound_last_exactly_as_long_as_the_speech(
    tmp_path: Path, seconds: float, fps: int, rate: int, channels: int
) -> None:
    check_timing(tmp_path, seconds, fps, rate, channels)


@pytest.mark.slow
@pytest.mark.parametrize("fps", [25, 30])
def test_a_minute_of_speech_is_in_time_to_its_end(tmp_path: Path, fps: int) -> None:
    check_timing(tmp_path, 63, fps, 48000, 2)


@pytest.mark.parametrize(("rate", "kept"), [(8000, 8000), (22050, 22050), (96000, 96000), (37800, 44100)])
def test_sound_keeps_its_rate_where_aac_has_it(tmp_path: Path, rate: int, kept: int) -> None:
    sound = write_wav(tmp_path / "in.wav", clicks(rate, rate), rate)
    write_video(tmp_path / "out.mp4", 25, 25, sound)
    samples, found = muxed_sound(tmp_path / "out.mp4")
    assert found == kept and abs(len(samples) / found - 1) <= AAC_FRAME / found


def test_short_sound_is_padded_and_long_sound_is_cut(tmp_path: Path) -> None:
    for seconds in (0.2, 7.0):
        sound = write_wav(tmp_path / "in.wav", np.full(round(seconds * 16000), 0.5, np.float32), 16000)
        write_video(tmp_path / "out.mp4", 50, 25, sound)
        samples, _ = muxed_sound(tmp_path / "out.mp4")
        assert abs(len(samples) - 32000) <= AAC_FRAME
        loud = np.abs(samples[:, 0]) > 0.1
        assert loud.sum() == pytest.approx(min(seconds, 2) * 16000, abs=1500)


def test_mp3_speech_starts_where_it_started(tmp_path: Path, make: Make) -> None:
    wav = write_wav(tmp_path / "in.wav", clicks(88200, 44100), 44100)
    sound = make("in.mp3", "-i", str(wav), "-c:a", "libmp3lame", "-b:a", "192k")
    write_video(tmp_path / "out.mp4", 50, 25, sound)
    samples, _ = muxed_sound(tmp_path / "out.mp4")
    assert abs(int(np.argmax(np.abs(samples[:, 0]) > 0.2)) - 4410) <= 44


def test_the_sound_of_a_video_and_of_surround_is_taken_too(tmp_path: Path, make: Make, clip: Path) -> None:
    write_video(tmp_path / "out.mp4", 50, 25, clip)
    assert muxed_sound(tmp_path / "out.mp4")[1] == 44100
    surround = make("5.1.wav", "-f", "lavfi", "-i", "aevalsrc=0|0|0.5*sin(900*t)|0|0|0:c=5.1:s=48000:d=1")
    write_video(tmp_path / "out.mp4", 25, 25, surround)
    samples, rate = muxed_sound(tmp_path / "out.mp4")
    assert rate == 48000 and samples.shape[1] == 1 and np.abs(samples).max() > 0.1


@pytest.mark.parametrize("fps", [24, 29.97, Fraction(30000, 1001), 12.5])
def test_frame_times_are_exact_at_any_rate(tmp_path: Path, fps: float | Fraction) -> None:
    write_video(tmp_path / "out.mp4", 40, fps)
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [seconds_of(frame.pts, frame.time_base) for frame in container.decode(video=0)]
    step = 1 / Fraction(fps).limit_denominator(1001)
    assert times == [number * step for number in range(40)]
    assert not probe(tmp_path / "out.mp4").has_audio


def test_colours_come_back_without_darkening(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frames = generator.integers(16, 240, (20, 6, 8, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    with VideoWriter(tmp_path / "out.mp4", 128, 96, 25, crf=1, preset="ultrafast") as writer:
        for frame in frames:
            writer.write(frame)
    back = np.stack(list(read_frames(tmp_path / "out.mp4")))
    inside = np.s_[:, 8::16, 8::16]
    error = back[inside].astype(float) - frames[inside]
    assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.3
    assert np.abs(error).mean() < 1.5
    grey = np.arange(256, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    with VideoWriter(tmp_path / "grey.mp4", 16, 16, 25, crf=1, preset="ultrafast") as writer:
        for frame in grey:
            writer.write(frame)
    levels = np.array([frame.mean() for frame in read_frames(tmp_path / "grey.mp4")])
    assert np.abs(levels - np.arange(256)).max() <= 1.0
    assert abs((levels - np.arange(256)).mean()) < 0.1


def test_x264_is_told_what_was_asked_for(tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    told = {}
    usual: Encoding = {"preset": "fast", "crf": 18, "chroma_offset": 0}
    colours: Encoding = {**QUICK, "chroma_offset": 3}
    for name, encoding in (("usual", usual), ("quick", QUICK), ("colours", colours)):
        with VideoWriter(tmp_path / f"{name}.mp4", 128, 96, 25, **encoding) as writer:
            writer.write(frame)
        told[name] = (tmp_path / f"{name}.mp4").read_bytes()  # x264 writes its settings into the stream
    assert b"subme=6" in told["usual"] and b"crf=18.0" in told["usual"]
    assert b"subme=2" in told["quick"] and b"crf=16.0" in told["quick"]
    offsets = {name: re.search(rb"chroma_qp_offset=(-?\d+)", text) for name, text in told.items()}
    assert {name: int(found[1]) for name, found in offsets.items() if found} == {
        "usual": -2, "quick": -2, "colours": 3,
    }  # fmt: skip


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    marks = {"comment": "synthetic: made by a machine", "title": "a = 'b'; $(c)", "talkvid_seed": "42"}
    write_video(tmp_path / "out.mp4", 3, 25, metadata=marks)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert marks.items() <= container.metadata.items()
        context = container.streams.video[0].codec_context
        next(container.decode(video=0))
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        assert tuple(map(int, tags)) == (1, 1, 1, 1)
    write_video(tmp_path / "plain.mp4", 3, 25, metadata={"comment": "synthetic"})
    data = (tmp_path / "plain.mp4").read_bytes()
    assert b"\xa9cmt" in data
    assert data.index(b"moov") < data.index(b"mdat")


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "in.wav", np.zeros(10, np.float32), 16000)
    write_video(tmp_path / "out.mp4", 1, 30, sound)
    assert sum(1 for _ in read_frames(tmp_path / "out.mp4")) == 1


def test_impossible_wishes_are_refused_before_anything_is_written(tmp_path: Path, make: Make) -> None:
    silent = make("silent.mp4", "-f", "lavfi", "-i", "color=red:s=16x16:d=0.2")
    before = sorted(os.listdir(tmp_path))
    cases: list[tuple[str, tuple[int, int, float], Path | None, str]] = [
        ("a.mp4", (63, 48, 25), None, "63x48 cannot be encoded; width and height must be even"),
        ("a.mp4", (64, 48, 0), None, "fps must be above 0"),
        ("a.avi", (64, 48, 25), None, "only mp4 is written"),
        ("a.mp4", (64, 48, 25), silent, "no audio stream"),
        ("a.mp4", (64, 48, 25), tmp_path / "none.wav", "does not exist"),
        ("silent.mp4/a.mp4", (64, 48, 25), None, "cannot be made"),
    ]
    for name, (width, height, fps), audio, message in cases:
        with (
            pytest.raises((ValueError, FileNotFoundError), match=message),
            VideoWriter(
                tmp_path / name, width, height, fps, audio=AudioSource(audio) if audio else None
            ) as writer,
        ):
            writer.write(frame_of(0))
    with pytest.raises(ValueError, match="no frame was written"):
        write_video(tmp_path / "a.mp4", 0, 25)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_aborted_run_keeps_the_older_file_and_leaves_no_process(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("the older one")
    sound = write_wav(tmp_path / "in.wav", clicks(16000, 16000), 16000)
    for failure in (KeyboardInterrupt, RuntimeError):
        with (
            pytest.raises(failure),
            VideoWriter(target, 64, 48, 25, audio=AudioSource(sound)) as writer,
        ):
            writer.write(frame_of(0))
            raise failure
        assert writer._encoder is not None and writer._encoder._process.poll() is not None
    assert sorted(os.listdir(tmp_path)) == ["in.wav", "out.mp4"]
    assert target.read_text() == "the older one"


def test_an_encoder_that_fails_is_reported_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(ffmpeg.FfmpegError, match=r"ffmpeg failed .*no such preset"),
        VideoWriter(tmp_path / "out.mp4", 640, 480, 25, preset="no such preset") as writer,
    ):
        for number in range(50):
            writer.write(frame_of(number, 640, 480))
    assert not os.listdir(tmp_path)

    popen = subprocess.Popen

    def killed(*args: object, **kwargs: object) -> object:
        process = popen(*args, **kwargs)  # type: ignore[call-overload]
        process.kill()
        return process

    monkeypatch.setattr(subprocess, "Popen", killed)
    with (
        pytest.raises(ffmpeg.FfmpegError, match=r"ffmpeg failed \(-9\)"),
        VideoWriter(tmp_path / "out.mp4", 640, 480, 25) as writer,
    ):
        for number in range(50):
            writer.write(frame_of(number, 640, 480))
    assert not os.listdir(tmp_path)
