"""Samples of prepared clips: honest, reproducible, cut where they should be (defects 5.11 to 5.13)."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.dataset.batch import SampleKey, collate
from talkvid.dataset.face_track import load_face_track
from talkvid.dataset.index import find_clips, least_frames
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings, choose_window
from talkvid.face.keypoints import draw_vkps
from talkvid.media.video import read_at
from talkvid.speech.align import audio_windows
from tests.training.synthetic import face_points, make_dataset

PLAIN = WindowSettings(num_frames=3, width=64, height=64, reference_margin=2, flip_probability=0.0)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("faces"))


def dataset(path: Path, settings: WindowSettings = PLAIN, *, seed: int = 0) -> TalkingFaceDataset:
    clips = find_clips([path], at_least=settings.least_frames)
    return TalkingFaceDataset(clips, settings, seed=seed)


def test_a_sample_has_the_shapes_of_its_legend(listed: Path) -> None:
    batch = collate([dataset(listed)[0], dataset(listed)[1]])
    assert batch.ids == ("clip0", "clip1")
    assert batch.reference_image.shape == (2, 3, 64, 64)
    assert batch.target_images.shape == batch.kps_images.shape == (2, 3, 3, 64, 64)
    assert batch.audio_windows.shape == (2, 3, 10, 12)
    assert batch.lip_masks.shape == (2, 1, 3, 8, 8)
    assert -1 <= batch.target_images.min() < 0 < batch.target_images.max() <= 1
    assert batch.kps_images.min() == 0 and batch.kps_images.max() == 1


def test_the_same_seed_epoch_and_number_give_the_same_sample_and_others_do_not(listed: Path) -> None:
    first, again = dataset(listed)[SampleKey(3, 1)], dataset(listed)[SampleKey(3, 1)]
    assert torch.equal(first.target_images, again.target_images)
    others = [dataset(listed)[SampleKey(epoch, 1)].target_points for epoch in range(8)]
    assert any(not torch.equal(first.target_points, other) for other in others)


def test_frames_points_pictures_and_sound_belong_together(listed: Path) -> None:
    found = dataset(listed)
    sample = found[SampleKey(2, 0)]
    points = [face_points(frame)[0] for frame in range(14)]
    first = next(
        frame for frame in range(14) if np.allclose(points[frame], sample.target_points[0], atol=1e-3)
    )
    assert np.allclose(np.stack(points[first : first + 3]), sample.target_points, atol=1e-3)
    frames = torch.from_numpy(read_at(found.clips[0].video, range(first, first + 3)))
    assert torch.allclose((sample.target_images.permute(1, 2, 3, 0) + 1) * 127.5, frames.float(), atol=1e-3)
    drawn = torch.from_numpy(draw_vkps(points[first], 64, 64)).float() / 255
    assert torch.equal(sample.kps_images[:, 0].permute(1, 2, 0), drawn)
    from safetensors.torch import load_file

    features = load_file(found.clips[0].audio_embeds)["global_embeds"][:, 0]
    assert torch.allclose(sample.audio_windows, audio_windows(features, 14)[first : first + 3], atol=1e-6)


def test_a_mirrored_sample_is_mirrored_in_all_its_parts(listed: Path) -> None:
    plain = dataset(listed)[0]
    mirrored = dataset(listed, replace(PLAIN, flip_probability=1.0))[0]
    assert torch.equal(mirrored.target_images, plain.target_images.flip(-1))
    assert torch.equal(mirrored.reference_image, plain.reference_image.flip(-1))
    assert torch.allclose(mirrored.target_points[:, 0, 0], 63 - plain.target_points[:, 1, 0], atol=1e-4)
    assert mirrored.lip_masks.sum() == pytest.approx(float(plain.lip_masks.sum()), rel=0.35)
    x, y = (int(value) for value in mirrored.target_points[0, 0])
    assert mirrored.kps_images[:, 0, y, x].tolist() == [1, 0, 0]


def test_the_reference_lies_beyond_the_margin_on_either_side_alike() -> None:
    distances: dict[str, set[int]] = {"before": set(), "after": set()}
    for seed in range(2000):
        window = choose_window(100, 8, margin=30, rng=np.random.default_rng(seed))
        assert 0 <= window.first <= 92 and 0 <= window.reference < 100
        if window.reference < window.first:
            distances["before"].add(window.first - window.reference - 1)
        else:
            distances["after"].add(window.reference - window.first - 8)
    assert min(distances["before"]) == min(distances["after"]) == 30  # 5.13: it was 31 on one side


def test_the_shortest_usable_clip_always_has_a_window() -> None:
    frames = least_frames(8, reference_margin=30)
    for seed in range(50):
        window = choose_window(frames, 8, margin=30, rng=np.random.default_rng(seed))
        assert (window.first, window.reference) in ((0, frames - 1), (31, 0))


def test_clips_that_cannot_be_used_are_left_out_once_and_counted(
    listed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # 5.11: short clips and other languages, also at the end of the list, are neither met nor waited for.
    entries = json.loads(listed.read_text())
    for entry in entries:
        for name in ("video", "face_info", "audio_embeds"):
            entry[name] = str(listed.parent / entry[name])
    short = {**entries[0], "id": "short", "num_frames": 5}
    foreign = {**entries[0], "id": "foreign", "language": "Polish"}
    lost = {**entries[0], "id": "lost", "video": "nowhere.mp4"}
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps([foreign, *entries, lost, short]))
    with caplog.at_level("INFO", logger="talkvid"):
        clips = find_clips([path], at_least=6, languages=["English"])
    assert [clip.id for clip in clips] == ["clip0", "clip1", "clip2"]
    assert "3 of 6 clips are usable" in caplog.text and "1 of another language" in caplog.text
    found = TalkingFaceDataset(clips, PLAIN)
    assert len(found) == 3 and [found[number].id for number in range(3)] == ["clip0", "clip1", "clip2"]
    with pytest.raises(IndexError):
        found[3]


def test_a_list_without_a_usable_clip_ends_with_the_reasons(listed: Path) -> None:
    with pytest.raises(ValueError, match=r"none of 3 clips can be used \(3 shorter than 99 frames\)"):
        find_clips([listed], at_least=99)


def test_a_missing_list_and_a_list_of_something_else_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="process_custom_data"):
        find_clips([tmp_path / "none.json"], at_least=1)
    (tmp_path / "odd.json").write_text('[{"id": "x"}]')
    with pytest.raises(ValueError, match="sample 0 lacks video, face_info"):
        find_clips([tmp_path / "odd.json"], at_least=1)


def test_a_mouth_at_the_top_edge_is_still_weighted(listed: Path, tmp_path: Path) -> None:
    # 5.12: the box began above the picture, and an empty slice weighted nothing.
    path = make_dataset(tmp_path, num_clips=1)
    info = tmp_path / "face_info" / "clip0.safetensors"
    from safetensors.numpy import load_file, save_file

    arrays = load_file(info)
    arrays["lips"] = np.ascontiguousarray(arrays["lips"] - [0, 40]).astype(np.float32)
    save_file(arrays, info)
    assert (dataset(path)[0].lip_masks.amax(dim=(0, 2, 3)) > 0).all()


def test_the_references_pickled_face_files_are_read_without_running_them(tmp_path: Path) -> None:
    frames: list[list[dict[str, object]]] = [
        [
            {
                "bbox": np.zeros(4, np.float32),
                "kps": np.full((5, 2), frame, np.float32),
                "det_score": np.float32(0.8),
                "landmark_2d_106": np.arange(212, dtype=np.float32).reshape(106, 2),
                "gender": np.int64(1),
                "pose": None,
            }
        ]
        for frame in range(3)
    ]
    frames[1] = []  # no face in this frame: filled in between its neighbours
    torch.save(frames, tmp_path / "face.pt")
    track = load_face_track(tmp_path / "face.pt")
    assert track.points.shape == (3, 5, 2) and track.points[:, 0, 0].tolist() == [0, 1, 2]
    assert track.mouth.shape == (3, 20, 2) and track.mouth[0, 0, 0] == 104

    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save([{"kps": Harmful()}], tmp_path / "bad.pt", pickle_module=pickle)
    with pytest.raises(ValueError, match=r"bad\.pt: holds more than numbers"):
        load_face_track(tmp_path / "bad.pt")
    assert not (tmp_path / "ran").exists()


def test_the_reference_implementations_own_files_are_read(shared: Path) -> None:
    folder = shared / "media" / "peer_prepared"
    track = load_face_track(folder / "RD_Radio10_0_clip_0_face_info.pt")
    assert len(track) == 61 and track.mouth.shape == (61, 20, 2)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_crop_scale_mirror_and_colour_move_pictures_points_and_mask_together(
    listed: Path, flip: float
) -> None:
    jittered = dataset(
        listed, replace(PLAIN, flip_probability=flip, min_crop=0.6, colour=0.2, latent_factor=1)
    )
    widths, compared = [], 0
    for epoch in range(12):
        sample = jittered[SampleKey(epoch, 0)]
        widths.append(float(sample.target_points[0, 1, 0] - sample.target_points[0, 0, 0]))
        pictures = [*sample.target_images.unbind(1), sample.reference_image]
        for picture, points in zip(pictures, [*sample.target_points, sample.reference_points], strict=True):
            places = [(int(x), int(y)) for x, y in points.round().clamp(0, 63)]
            inside = [0 < x < 63 and 0 < y < 63 for x, y in points.tolist()]
            nose = picture[:, places[2][1], places[2][0]].sum()
            for eye in (0, 1):  # eyes are drawn dark, the nose lies on bright skin
                x, y = places[eye]
                assert not inside[eye] or not inside[2] or picture[:, y, x].sum() < nose - 0.5
        red = sample.target_images[0] - sample.target_images[1]
        mask = sample.lip_masks[0]
        assert ((mask == 0) | (mask == 1)).all()
        for frame in range(3):
            columns, lips = mask[frame].amax(0).nonzero(), (red[frame] > 0.6).nonzero()
            if columns.min() > 0 and columns.max() < 63:
                assert len(lips) and mask[frame][lips[:, 0], lips[:, 1]].float().mean() > 0.97
                assert abs(float(lips[:, 1].float().mean() - columns.float().mean())) < 3.5
                compared += 1
        x, y = sample.target_points[0, 0].tolist()
        if 4 < x < 60 and 4 < y < 60:  # the image-left eye stays red in the key-point picture
            assert sample.kps_images[:, 0, int(y), int(x)].tolist() == [1, 0, 0]
    assert compared > 10
    assert min(widths) > 16 and max(widths) > 1.2 * 17  # both eyes keep their side; the scale did change


def test_windows_of_a_cached_table_follow_a_file_that_is_replaced(tmp_path: Path) -> None:
    found = dataset(make_dataset(tmp_path, num_clips=2))
    before = found[0].target_images
    other = dataset(make_dataset(tmp_path, num_clips=1, num_frames=14, name="other"))
    assert torch.equal(other[0].target_images, before)
    found.clips[0].video.write_bytes(found.clips[1].video.read_bytes())
    assert not torch.equal(found[0].target_images, before)
