from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media.video import probe, read_at, read_frames, read_window
from tests.media.conftest import Make


def levels(frames: object) -> list[int]:
    """Return which frame of the clip each picture is, read from its grey level."""
    return [round((float(np.mean(frame)) - 16) / 4) for frame in frames]  # type: ignore[attr-defined]


def test_probe_states_what_the_file_holds(clip: Path) -> None:
    info = probe(clip)
    assert (info.width, info.height, info.fps, info.num_frames) == (64, 48, 25.0, 50)
    assert info.duration_s == pytest.approx(2) and info.has_audio and info.rotation == 0


def test_every_frame_comes_once_in_order_as_rgb(clip: Path) -> None:
    frames = list(read_frames(clip))
    assert levels(frames) == list(range(50))
    assert frames[0].shape == (48, 64, 3) and frames[0].dtype == np.uint8 and frames[0].flags.c_contiguous


def test_a_span_holds_the_frames_from_start_up_to_but_not_including_end(clip: Path) -> None:
    assert levels(read_frames(clip, start_s=0.6, end_s=1.0)) == list(range(15, 25))
    assert levels(read_frames(clip, start_s=1.9)) == [48, 49]
    with pytest.raises(ValueError, match=r"span from 1.0 s to 0.5 s is empty"):
        next(read_frames(clip, start_s=1.0, end_s=0.5))


@pytest.mark.parametrize("fps", [5, 10, 12.5, 24, 25, 29.97, 30, 50, 60])
def test_a_new_rate_takes_the_nearest_frame_in_time(clip: Path, fps: float) -> None:
    found = levels(read_frames(clip, fps=fps))
    assert len(found) == int(2 * fps + 0.5)
    for index, number in enumerate(found):
        assert abs(number / 25 - min(index / fps, 49 / 25)) <= 0.02 + 1e-6
    assert levels(read_frames(clip, fps=fps, start_s=0.4, end_s=1.4)) == [
        found_number + 10 for found_number in found[: int(fps + 0.5)]
    ]


def test_uneven_frame_times_become_even(make: Make) -> None:
    # Frames at 0, 0.2, 0.4 … in the first second, then every 0.04 s.
    path = make(
        "uneven.mp4",
        *("-f", "lavfi", "-i", "color=black:s=64x48:r=25:d=2,format=gray,geq=lum='16+4*N'"),
        *("-vf", "select='gte(n,25)+not(mod(n,5))'", "-fps_mode", "vfr", "-crf", "1"),
    )
    assert levels(read_frames(path)) == [0, 5, 10, 15, 20, *range(25, 50)]
    even = levels(read_frames(path, fps=25))
    assert len(even) == 50 and even[25:] == list(range(25, 50))
    assert even[:13] == [0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10]


@pytest.mark.parametrize(("turn", "corner"), [(90, (0, 0)), (180, (0, -1)), (270, (-1, -1)), (0, (-1, 0))])
def test_the_rotation_tag_is_applied(make: Make, turn: int, corner: tuple[int, int]) -> None:
    # A white square in the stored bottom left corner.
    plain = make(
        "plain.mp4",
        *(
            "-f",
            "lavfi",
            "-i",
            "color=black:s=64x48:r=25:d=0.2,drawbox=x=0:y=36:w=12:h=12:color=white:t=fill",
        ),
        *("-pix_fmt", "yuv420p"),
    )
    path = make("turned.mp4", "-display_rotation", str(-turn), "-i", str(plain), "-c", "copy")
    frame = next(read_frames(path))
    assert frame.shape[:2] == ((64, 48) if turn % 180 else (48, 64))
    assert (probe(path).height, probe(path).width) == frame.shape[:2]
    row, column = (2 if place == 0 else -3 for place in corner)
    assert frame[row, column].min() > 200 and frame.mean() < 40


def test_pixels_that_are_not_square_are_stretched(make: Make) -> None:
    path = make("wide.mp4", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=0.1,setsar=4/3")
    assert next(read_frames(path)).shape == (48, 85, 3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ten_bit.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-crf", "4")),
        ("av1.mkv", ("-c:v", "libsvtav1", "-crf", "8", "-pix_fmt", "yuv420p")),
        (
            "h265.mp4",
            ("-c:v", "libx265", "-crf", "6", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none"),
        ),
        ("full_range.mkv", ("-c:v", "ffv1", "-pix_fmt", "rgb24")),
        ("mpeg4.avi", ("-c:v", "mpeg4", "-q:v", "1")),
    ],
)
def test_other_codecs_and_depths_give_the_same_pictures(
    make: Make, name: str, options: tuple[str, ...]
) -> None:
    path = make(name, "-f", "lavfi", "-i", "color=0x4080C0:s=96x64:r=25:d=0.4", *options)
    frames = np.stack(list(read_frames(path)))
    assert len(frames) == 10
    assert np.abs(frames.astype(int) - [0x40, 0x80, 0xC0]).max() <= 4


@pytest.mark.parametrize(("matrix", "number"), [("bt709", 1), ("smpte170m", 6)])
def test_colours_are_neither_darkened_nor_taken_for_another_matrix(
    tmp_path: Path, matrix: str, number: int
) -> None:
    """Decodes planes worked out by hand (BT.709 and BT.601) without a rounding bias."""
    red, blue = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}[matrix]
    colours = np.random.default_rng(0).integers(20, 236, (300, 3)) / 255
    luma = colours @ [red, 1 - red - blue, blue]
    planes = np.stack(
        [
            16 + 219 * luma,
            128 + 112 * (colours[:, 2] - luma) / (1 - blue),
            128 + 112 * (colours[:, 0] - luma) / (1 - red),
        ]
    ).round()
    path = tmp_path / "colours.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.colorspace = number
        stream.codec_context.color_range = 1
        for plane in planes.T:
            blocks = [np.full((32 // s, 32 // s), value) for value, s in zip(plane, (1, 2, 2), strict=True)]
            picture = np.concatenate([block.ravel() for block in blocks]).reshape(48, 32).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
    decoded = np.stack([frame[16, 16] for frame in read_frames(path)])
    error = decoded - colours * 255
    assert np.abs(error.mean(axis=0)).max() < 0.15
    assert np.abs(error).max() < 2.5


def test_windows_and_single_frames_are_found_by_number(clip: Path) -> None:
    assert levels(read_window(clip, 17, 9)) == list(range(17, 26))
    assert levels(read_at(clip, [49, 0, 31, 32, 0])) == [49, 0, 31, 32, 0]
    assert read_window(clip, 0, 1).shape == (1, 48, 64, 3)
    with pytest.raises(ValueError, match="frames 45 to 54 are asked for, it has 50"):
        read_window(clip, 45, 10)
    with pytest.raises(ValueError, match="frames -1 to -1"):
        read_at(clip, [-1])


def test_a_truncated_video_gives_its_frames_and_then_says_so(
    tmp_path: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    received: list[np.ndarray] = []
    with pytest.raises(
        ValueError, match=r"half.mp4: damaged or cut short after .* s .*copy it again"
    ) as raised:
        received.extend(read_frames(half))
    assert "\n" not in str(raised.value)
    assert not caplog.text
    lenient = list(read_frames(half, on_damage="warn"))
    # The frame before the last may hang on data behind the cut; all others are there.
    assert 5 < len(lenient) < 45 and levels(lenient)[:-1] == list(range(len(lenient) - 1))
    assert "cut short" in caplog.text


def test_what_is_no_video_is_named(tmp_path: Path, make: Make, clip: Path) -> None:
    sound = make("sound.mp3", "-f", "lavfi", "-i", "sine=d=0.3")
    cover = make(
        "cover.mp3",
        *("-f", "lavfi", "-i", "sine=d=0.3", "-f", "lavfi", "-i", "color=red:s=16x16:r=1:d=1"),
        *("-map", "0:a", "-map", "1:v", "-frames:v", "1", "-c:v", "mjpeg", "-disposition:v", "attached_pic"),
    )
    beheaded = tmp_path / "beheaded.mp4"
    beheaded.write_bytes(clip.read_bytes()[:200])
    cases = {
        sound: "no video stream",
        cover: "no video stream",
        beheaded: "neither pictures nor sound; it is cut short",
        tmp_path / "none.mp4": "does not exist",
    }
    for path, message in cases.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
            next(read_frames(path))
        assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_a_playlist_does_not_make_us_open_other_places(tmp_path: Path, clip: Path) -> None:
    playlist = tmp_path / "speech.m3u8"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://example.org/a.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(ValueError, match=r"speech\.m3u8"):
        list(read_frames(playlist))


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip.rename(tmp_path / "http:clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe("http:clip.mp4").num_frames == 50


def test_decord_is_asked_for_by_name_and_its_extra_is_named_when_it_is_missing(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(ImportError, match=r"talkvid\[decord\]"):
        next(read_frames(clip, backend="decord"))


def test_decord_reads_the_same_frames(clip: Path) -> None:
    pytest.importorskip("decord", reason="the extra decord is not installed")
    assert levels(read_frames(clip, backend="decord")) == list(range(50))
    assert levels(read_window(clip, 17, 9, backend="decord")) == list(range(17, 26))


def test_the_unusual_videos_at_hand(shared: Path) -> None:
    dev = shared / "media/dev"
    for name, count in {
        "bad/torchcodec__test__resources__av1_video.mkv": 125,
        "bad/torchcodec__test__resources__h264_10bits.mp4": 30,
        "bad/torchcodec__test__resources__var_fps_video@529b040.mp4": 300,
        "bad/decord__test_data__unordered.mov": 4,
        "bad/LiveAvatar__quark@e9b7dc3.mp3": 474,
    }.items():
        assert sum(1 for _ in read_frames(dev / name)) == count
    upright = [next(read_frames(dev / f"bad/decord__test_data__video_{turn}.mov")) for turn in (90, 270)]
    assert [frame.shape for frame in upright] == [(568, 320, 3)] * 2
    for name in ("bad/decord__test_data__corrupted.mp4", "bad_derived/truncated_60pct.mp4"):
        with pytest.raises(ValueError, match="damaged or cut short after 2"):
            list(read_frames(dev / name))
