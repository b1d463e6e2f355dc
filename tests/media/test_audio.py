import logging
from pathlib import Path

import numpy as np
import pytest

from talkvid.media.audio import duration_s, load_audio, num_frames, probe_audio
from talkvid.media.audio_stream import stream_audio
from tests.media.conftest import Make, clicks, write_wav

RATE = 16000


def sound(path: Path) -> np.ndarray:
    return np.concatenate([piece.samples for piece in stream_audio(path)])


def onset_s(samples: np.ndarray, rate: int) -> float:
    return int(np.argmax(np.abs(samples) > 0.2)) / rate


@pytest.mark.parametrize(
    ("duration", "fps", "frames"),
    [
        (0.0, 25, 1),
        (0.04, 25, 1),
        (0.04, 30, 1),
        (0.0599, 25, 1),
        (0.06, 25, 2),
        (0.52, 25, 13),
        (0.52, 30, 16),
        (1.433, 25, 36),
        (1.433, 30, 43),
        (5, 24, 120),
        (63, 25, 1575),
        (3600, 29.97, 107892),
    ],
)
def test_frames_are_duration_times_rate_rounded(duration: float, fps: float, frames: int) -> None:
    assert num_frames(duration, fps) == frames


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_becomes_16_khz_of_the_right_length_in_time(
    tmp_path: Path, rate: int, channels: int
) -> None:
    mono = clicks(round(1.37 * rate), rate)
    path = write_wav(tmp_path / "a.wav", np.stack([mono] * channels, axis=1), rate)
    waveform = load_audio(path)
    assert waveform.dtype == np.float32 and len(waveform) == int(len(mono) * RATE / rate + 0.5)
    assert duration_s(path) == pytest.approx(len(mono) / rate, abs=0)
    assert onset_s(waveform, RATE) == pytest.approx(0.1, abs=2 / 8000)
    info = probe_audio(path)
    assert (info.rate, info.channels) == (rate, channels)


def test_a_tone_keeps_its_frequency_and_level_when_resampled(tmp_path: Path) -> None:
    rate = 44100
    path = write_wav(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate), rate)
    waveform = load_audio(path)[1000:-1000]
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(1000, 2 * RATE - 1000) / RATE)
    assert np.abs(waveform - expected).max() < 2e-4


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
def test_every_sample_format_has_the_same_scale(make: Make, codec: str) -> None:
    path = make("a.wav", "-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*200*t):s=16000:d=0.2", "-c:a", codec)
    samples = sound(path)
    assert samples.max() == pytest.approx(0.5, abs=0.01) and samples.min() == pytest.approx(-0.5, abs=0.01)
    assert abs(samples.mean()) < 1e-2


@pytest.mark.parametrize(
    ("name", "options", "late"),
    [
        ("a.mp3", ("-c:a", "libmp3lame"), 0.0),
        ("a.m4a", ("-c:a", "aac"), 0.0),
        ("a.ogg", ("-c:a", "libvorbis"), 0.0),
        ("a.opus", ("-c:a", "libopus"), 0.0),
        ("a.flac", ("-c:a", "flac"), 0.0),
        ("a.webm", ("-c:a", "libopus"), 0.0),
        ("video.mp3", ("-c:a", "aac", "-f", "mp4"), 0.0),
    ],
)
def test_the_priming_of_a_codec_is_not_heard(
    tmp_path: Path, make: Make, name: str, options: tuple[str, ...], late: float
) -> None:
    source = write_wav(tmp_path / "source.wav", clicks(48000, 48000), 48000)
    path = make(name, "-i", str(source), *options)
    assert onset_s(sound(path), 48000) == pytest.approx(0.1, abs=0.002)
    assert duration_s(path) == pytest.approx(1.0, abs=0.025)


def test_speech_in_the_centre_of_surround_sound_is_not_lost(make: Make) -> None:
    path = make(
        "a.wav", "-f", "lavfi", "-i", "aevalsrc=0|0|0.5|0.9|0|0:c=5.1:s=16000:d=0.1", "-c:a", "pcm_s16le"
    )
    expected = 0.5 * 1.0 / (0.7 + 0.7 + 1.0 + 0.5 + 0.5)
    assert load_audio(path).mean() == pytest.approx(expected, abs=1e-3)
    assert probe_audio(path).channels == 6


@pytest.mark.parametrize("shift", [0.4, -0.2])
def test_the_sound_of_a_video_stays_in_time_with_its_pictures(
    tmp_path: Path, make: Make, clip: Path, shift: float
) -> None:
    source = write_wav(tmp_path / "source.wav", clicks(88200, 44100), 44100)
    streams = ("-map", "0:v", "-map", "1:a", "-c:v", "copy")
    if shift > 0:
        inputs = ("-i", str(clip), "-itsoffset", str(shift), "-i", str(source))
    else:
        inputs = ("-itsoffset", str(-shift), "-i", str(clip), "-i", str(source))
    path = make("shifted.mkv", *inputs, *streams, "-c:a", "pcm_s16le")
    waveform = load_audio(path)
    later = 0.1 + shift if shift > 0 else 0.6 + shift
    assert onset_s(waveform, RATE) == pytest.approx(later, abs=0.002)
    assert len(waveform) / RATE == pytest.approx(2 + shift, abs=0.002)


@pytest.mark.parametrize("hole", [0.03, 0.077, 0.5])
def test_a_hole_in_the_time_stamps_becomes_silence(tmp_path: Path, make: Make, hole: float) -> None:
    """A real clip lost 77 ms between its first two packets: the sound after it came two frames early."""
    source = write_wav(tmp_path / "source.wav", clicks(32000, 16000, first_s=1.5, every_s=9), 16000)
    cut = f"asetpts=PTS+{hole}/TB*gt(T\\,0.2)"
    path = make("hole.mkv", "-i", str(source), "-af", cut, "-c:a", "pcm_s16le")
    assert onset_s(load_audio(path), RATE) == pytest.approx(1.5 + hole, abs=0.002)


def test_a_hole_that_begins_before_the_first_picture_is_silent_from_the_picture_on(
    tmp_path: Path, make: Make, clip: Path
) -> None:
    source = write_wav(tmp_path / "source.wav", clicks(32000, 16000, first_s=1.0, every_s=9), 16000)
    path = make(
        "both.mkv",
        *("-itsoffset", "0.4", "-i", str(clip), "-i", str(source), "-map", "0:v", "-map", "1:a"),
        *("-af", "asetpts=PTS+0.5/TB*gt(T\\,0.2)", "-c:v", "copy", "-c:a", "pcm_s16le"),
    )
    assert onset_s(load_audio(path), RATE) == pytest.approx(1.0 + 0.5 - 0.4, abs=0.002)


def test_sound_from_before_the_first_picture_is_not_taken_for_missing(make: Make, clip: Path) -> None:
    """A real clip whose pictures start 0.85 s after its sound was refused as cut short."""
    path = make(
        "late_pictures.mp4",
        *("-itsoffset", "0.9", "-i", str(clip), "-f", "lavfi", "-i", "sine=440:r=44100:d=2.9"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"),
    )
    assert len(load_audio(path)) / RATE == pytest.approx(2.0, abs=0.05)


def test_start_s_skips_exactly_that_much(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.linspace(-1, 1, 16000, dtype=np.float32), 16000)
    assert np.array_equal(load_audio(path, start_s=0.25), load_audio(path)[4000:])
    with pytest.raises(ValueError, match=r"2 s lies behind the end of the sound at 1\.00 s"):
        load_audio(path, start_s=2)


def test_a_file_without_sound_or_without_samples_is_named(tmp_path: Path, make: Make) -> None:
    silent = make("silent.mp4", "-f", "lavfi", "-i", "testsrc=s=32x32:d=0.2")
    (tmp_path / "text.wav").write_text("this is not audio at all, only letters " * 20)
    cases = {
        silent: "no audio stream",
        write_wav(tmp_path / "none.wav", np.zeros(0), 16000): "holds no samples",
        tmp_path / "text.wav": "this audio file cannot be opened",
        tmp_path / "missing.wav": "does not exist",
    }
    for path, message in cases.items():
        for read in (load_audio, duration_s):
            with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
                read(path)
            assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_a_truncated_recording_is_refused_with_both_lengths(tmp_path: Path, clip: Path) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"half.mp4: the sound ends at .* states 2.00 s.*copy it again"):
        duration_s(half)


def test_damaged_packets_leave_the_rest_in_its_place(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_wav(tmp_path / "source.wav", clicks(48000 * 3, 48000, first_s=2.5, every_s=9), 48000)
    path = make("a.m4a", "-i", str(source), "-c:a", "aac")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    for position in range(start + size // 4, start + size // 2):
        data[position] = 0xFF
    path.write_bytes(bytes(data))
    with caplog.at_level(logging.WARNING):
        samples = sound(path)
    late = samples[2 * 48000 :]
    assert 2 + onset_s(late, 48000) == pytest.approx(2.5, abs=0.05)


def test_the_bad_sounds_at_hand(shared: Path) -> None:
    dev = shared / "media/dev"
    late = load_audio(dev / "bad_derived/audio_late_400ms.mp4")
    in_time = load_audio(dev / "bad_derived/rotated90_metadata.mp4")
    spectrum = np.fft.rfft(late, 1 << 18) * np.conj(np.fft.rfft(in_time, 1 << 18))
    assert np.fft.irfft(spectrum).argmax() / RATE == pytest.approx(0.4, abs=0.001)
    assert duration_s(dev / "bad/LiveAvatar__quark@e9b7dc3.mp3") == pytest.approx(15.787, abs=0.001)
    for name, message in {
        "bad_derived/zero_bytes.mp4": "is empty",
        "bad_derived/git_lfs_pointer.mp4": "git-lfs pointer",
        "bad/decord__test_data__video_0.mov": "no audio stream",
    }.items():
        with pytest.raises(ValueError, match=message):
            load_audio(dev / name)
    for path in sorted((dev / "audio").iterdir()):
        assert len(load_audio(path)) > 5 * RATE
