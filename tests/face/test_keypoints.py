import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from talkvid.face.keypoints import draw_lips, draw_vkps, load_kps
from talkvid.records import Array

TRACK = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/talkvid-should-not-exist",)


def as_pickle(path: Path, value: object) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=2))
    return path


def test_a_frame_is_drawn_with_truncated_positions_and_dimmed_lines() -> None:
    picture = draw_vkps(np.array([[30.9, 20.2], [60.0, 22.0], [45.0, 40.0]]), 96, 64)
    assert picture.shape == (64, 96, 3) and picture.dtype == np.uint8
    assert picture[20, 30].tolist() == [255, 0, 0]
    assert picture[22, 60].tolist() == [0, 255, 0]
    assert picture[40, 45].tolist() == [0, 0, 255]
    assert picture[30, 37].tolist() == [153, 0, 0]
    assert picture[31, 52].tolist() == [0, 153, 0]
    assert set(np.unique(picture)) == {0, 153, 255}


def test_anti_aliased_drawing_follows_fractions_of_a_pixel() -> None:
    points = np.array([[30.0, 20.0], [60.0, 22.0], [45.0, 40.0]])
    moved = draw_vkps(points + 0.4, 96, 64, antialias=True)
    still = draw_vkps(points, 96, 64, antialias=True)
    assert (moved != still).any()
    assert np.array_equal(draw_vkps(points + 0.4, 96, 64), draw_vkps(points, 96, 64))
    assert np.abs(still.astype(int) - draw_vkps(points, 96, 64)).mean() < 2


def test_points_beside_the_canvas_and_coincident_points_can_be_drawn() -> None:
    assert draw_vkps(np.array([[-500.0, 10], [5000, 20], [40, 70]]), 96, 64).any()
    assert draw_vkps(np.array([[20.0, 20], [20, 20], [20, 20]]), 64, 64).any()


def test_five_points_are_drawn_as_their_first_three() -> None:
    points = np.array([[30.0, 20], [60, 22], [45, 40], [33, 50], [57, 51]])
    assert np.array_equal(draw_vkps(points, 96, 64), draw_vkps(points[:3], 96, 64))


@pytest.mark.parametrize("points", [np.zeros((2, 2)), np.zeros((3, 3)), np.full((3, 2), np.nan)])
def test_drawing_refuses_points_it_cannot_draw(points: Array) -> None:
    with pytest.raises(ValueError, match="key points"):
        draw_vkps(points, 64, 64)


def test_lips_are_filled_and_the_opening_stands_out() -> None:
    turns = np.linspace(np.pi, -np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(turns), -np.sin(turns)], axis=-1)
    lips = np.concatenate([ring * [20, 12], ring * [14, 5]]) + 32
    picture = draw_lips(lips, 64, 64)
    assert picture[32, 32].tolist() == [0, 255, 255]
    assert picture[23, 32].tolist() == [255, 0, 255]
    assert picture[2, 2].tolist() == [0, 0, 0]
    canvas = np.full((64, 64, 3), 9, dtype=np.uint8)
    assert draw_lips(lips, 64, 64, canvas=canvas)[2, 2].tolist() == [9, 9, 9]
    assert (canvas == 9).all()


def test_pickled_lists_of_arrays_are_read(tmp_path: Path) -> None:
    torch.save(list(TRACK), tmp_path / "torch.pth")
    torch.save(list(TRACK), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    as_pickle(tmp_path / "plain.pkl", list(TRACK))
    as_pickle(tmp_path / "whole.pkl", TRACK.astype(np.int64))
    for path in tmp_path.iterdir():
        loaded = load_kps(path)
        assert loaded.dtype == np.float64, path
        assert np.array_equal(loaded, TRACK), path


def test_tensors_numpy_and_safetensors_files_are_read(tmp_path: Path) -> None:
    torch.save(torch.from_numpy(TRACK), tmp_path / "tensor.pth")
    torch.save([torch.from_numpy(frame) for frame in TRACK], tmp_path / "tensors.pth")
    np.save(tmp_path / "kps.npy", TRACK)
    save_file({"kps": TRACK}, tmp_path / "kps.safetensors")
    five = np.concatenate([TRACK, TRACK[:, :2]], axis=1)
    save_file({"points": five}, tmp_path / "points.safetensors")
    for path in tmp_path.iterdir():
        assert np.array_equal(load_kps(path), TRACK), path


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_code_in_a_key_point_file_is_not_run(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "evil.pth"
    if kind == "torch":
        torch.save([Evil()], path)
    else:
        as_pickle(path, [Evil()])
    with pytest.raises(ValueError, match="not allowed"):
        load_kps(path)
    assert not Path("/tmp/talkvid-should-not-exist").exists()


def test_files_that_are_no_key_points_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty.pth").write_bytes(b"")
    np.save(tmp_path / "shape.npy", np.zeros((4, 2)))
    as_pickle(tmp_path / "ragged.pkl", [[1, 2], [3]])
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match=path.name) as caught:
            load_kps(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"missing\.pth"):
        load_kps(tmp_path / "missing.pth")
