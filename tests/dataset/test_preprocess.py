import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid.dataset.face_info import load_face_info
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.media.audio import load_audio
from talkvid.media.video import probe, read_frames
from tests.dataset.clip_maker import CROP_PX, prepare_one, red_box, write_clip, write_sound

SIZE = CROP_PX
AAC_FRAME_S = 1024 / 16000


def test_one_clip_becomes_a_crop_face_info_features_and_an_entry(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    from safetensors.numpy import load_file

    video = write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "s.wav", 2.0))
    entry = prepare_one(Source("a", video, language="en", speaker_id="p1"), settings)
    assert (entry["num_frames"], entry["fps"], entry["language"], entry["speaker_id"]) == (48, 24, "en", "p1")
    info = probe(settings.output_dir / entry["video"])
    assert (info.width, info.height, info.fps, info.num_frames, info.has_audio) == (SIZE, SIZE, 24, 48, True)
    track, metadata = load_face_info(settings.output_dir / entry["face_info"])
    assert track.values["points"].shape == (48, 5, 2)
    assert track.values["lips"].shape == (48, 40, 2)
    assert track.values["pose"].shape == (48, 3)
    assert track.found.all()
    assert metadata["detector"] == "red-square"
    embeds = load_file(settings.output_dir / entry["audio_embeds"])["global_embeds"]
    assert embeds.shape == (200, 1, 80)


def test_the_points_of_the_crop_lie_on_the_face_of_the_crop(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    def walk(number: int) -> tuple[int, int]:
        return 80 + number, 60

    video = write_clip(tmp_path / "a.mp4", face_at=walk, sound=write_sound(tmp_path / "s.wav", 2.0))
    for crop in ("fixed", "follow"):
        chosen = replace(settings, crop=crop, output_dir=tmp_path / crop)
        entry = prepare_one(Source("a", video), chosen)
        track, _ = load_face_info(chosen.output_dir / entry["face_info"])
        for number, picture in enumerate(read_frames(chosen.output_dir / entry["video"])):
            box = red_box(picture)
            assert box is not None
            assert np.abs(track.values["box"][number] - box).max() <= 1.5


def test_frames_without_a_face_stay_and_sound_stays_in_sync(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    """No frame is dropped."""  # 5.14: faceless frames were, so picture and sound drifted apart
    sound = write_sound(tmp_path / "s.wav", 2.0, click_s=36 / 24)
    video = write_clip(
        tmp_path / "a.mp4", face_at=lambda n: None if 10 <= n < 25 else (96, 64), flash=36, sound=sound
    )
    entry = prepare_one(Source("a", video), settings)
    assert entry["num_frames"] == 48
    pictures = list(read_frames(settings.output_dir / entry["video"]))
    white = [int((picture.min(axis=-1) > 180).sum()) for picture in pictures]
    waveform = load_audio(settings.output_dir / entry["video"])
    click_s = int(np.abs(waveform).argmax()) / 16000
    assert int(np.argmax(white)) == 36
    assert abs(click_s - 36 / 24) < 1 / 24
    track, _ = load_face_info(settings.output_dir / entry["face_info"])
    assert np.flatnonzero(~track.found).tolist() == list(range(10, 25))
    assert (track.values["score"][10:25] == 0).all()
    assert np.isfinite(track.values["points"]).all()


@pytest.mark.parametrize("fps", [23.976, 24.0, 25.0, 30.0])
def test_other_frame_rates_are_resampled_in_time(
    tmp_path: Path, settings: PrepareSettings, fps: float
) -> None:
    """Time alone counts."""  # 5.14: `int(fps)` sent 23.976 through re-encoding
    flash_s = 1.2
    sound = write_sound(tmp_path / "s.wav", 2.0, click_s=flash_s)
    video = write_clip(
        tmp_path / "a.mp4", num_frames=round(2 * fps), fps=fps, flash=round(flash_s * fps), sound=sound
    )
    entry = prepare_one(Source("a", video), replace(settings, fps=25.0))
    assert entry["num_frames"] == 50
    pictures = list(read_frames(settings.output_dir / entry["video"]))
    white = [int((picture.min(axis=-1) > 180).sum()) for picture in pictures]
    assert abs(int(np.argmax(white)) / 25 - flash_s) <= 1 / 25


def staying(at: tuple[int, int]) -> Callable[[int], tuple[int, int]]:
    return lambda _: at


def test_a_face_at_the_border_is_padded_not_stretched_and_stays_in_the_middle(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    """Both at a side and in a corner."""
    # 5.14: at the right border 500x320 pixels were stretched to a square, at the top left the face moved.
    sound = write_sound(tmp_path / "s.wav", 2.0)
    for name, centre in {"right": (170, 64), "corner": (22, 22)}.items():
        video = write_clip(tmp_path / f"{name}.mp4", face_at=staying(centre), sound=sound)
        entry = prepare_one(Source(name, video), replace(settings, output_dir=tmp_path / name))
        picture = next(iter(read_frames(tmp_path / name / entry["video"])))
        box = red_box(picture)
        assert box is not None
        width, height = box[2] - box[0], box[3] - box[1]
        assert abs(width - height) <= 2
        assert abs((box[0] + box[2]) / 2 - SIZE / 2) <= 2


def test_inside_moves_the_square_into_the_picture(tmp_path: Path, settings: PrepareSettings) -> None:
    video = write_clip(
        tmp_path / "a.mp4", face_at=lambda _: (22, 22), sound=write_sound(tmp_path / "s.wav", 2.0)
    )
    entry = prepare_one(Source("a", video), replace(settings, border="inside"))
    track, metadata = load_face_info(settings.output_dir / entry["face_info"])
    left, top, _ = map(float, metadata["crop_left_top_side"].split())
    assert (left, top) == (0, 0)
    assert (track.values["box"] > 0).all()


def test_the_sound_moves_by_the_offset_of_the_mouth(tmp_path: Path, settings: PrepareSettings) -> None:
    sound = write_sound(tmp_path / "s.wav", 2.0, click_s=1.0)
    video = write_clip(tmp_path / "a.mp4", sound=sound)
    for late_s in (0.2, -0.2):
        chosen = replace(settings, output_dir=tmp_path / f"out{late_s}")
        entry = prepare_one(Source("a", video, mouth_late_s=late_s), chosen)
        waveform = load_audio(chosen.output_dir / entry["video"])
        assert abs(int(np.abs(waveform).argmax()) / 16000 - (1.0 + late_s)) < 0.03
        assert 0 <= len(waveform) / 16000 - 2.0 <= AAC_FRAME_S


def test_a_span_of_a_longer_video_and_a_sound_file_of_its_own(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    sound = write_sound(tmp_path / "s.wav", 2.0, click_s=1.5)
    video = write_clip(tmp_path / "a.mp4")
    entry = prepare_one(Source("a", video, audio=sound, start_s=0.5, end_s=1.75), settings)
    assert entry["num_frames"] == 30
    waveform = load_audio(settings.output_dir / entry["video"])
    assert abs(int(np.abs(waveform).argmax()) / 16000 - 1.0) < 0.03


def test_a_clean_run_warns_of_nothing(
    tmp_path: Path, settings: PrepareSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Peer defect 12: a misread for-else printed a warning for every video."""
    video = write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "s.wav", 2.0))
    with caplog.at_level(logging.WARNING, logger="talkvid"):
        prepare_one(Source("a", video), settings)
    assert not caplog.records


def test_key_frames_are_close_together(tmp_path: Path, settings: PrepareSettings) -> None:
    import av

    video = write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "s.wav", 2.0))
    entry = prepare_one(Source("a", video), replace(settings, gop=8))
    with av.open(str(settings.output_dir / entry["video"])) as container:
        keys = [n for n, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert max(np.diff([*keys, 48])) <= 8


def test_the_training_data_set_reads_what_was_prepared(tmp_path: Path, settings: PrepareSettings) -> None:
    from talkvid.dataset.index import find_clips
    from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings

    video = write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "s.wav", 2.0))
    prepare_one(Source("a", video, language="en"), settings)
    listed = settings.output_dir / "set.json"
    window = WindowSettings(num_frames=4, width=SIZE, height=SIZE, reference_margin=10)
    clips = find_clips([listed], at_least=window.least_frames, languages=["en"])
    sample = TalkingFaceDataset(clips, window)[0]
    assert sample.target_images.shape == (3, 4, SIZE, SIZE)
    assert sample.lip_masks.sum() > 0


@pytest.mark.parametrize(
    ("name", "value"), [("size", 15), ("fps", 0.5), ("crop", "none"), ("border", "x"), ("min_found", 0.0)]
)
def test_impossible_settings_name_themselves(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        PrepareSettings(output_dir=tmp_path, **{name: value})
