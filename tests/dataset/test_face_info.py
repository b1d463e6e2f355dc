from pathlib import Path

import numpy as np
import pytest

from talkvid.dataset.face_info import collect, load_face_info, save_face_info
from talkvid.face.crop import Square
from tests.dataset.clip_maker import face_of


def box_at(x: float) -> np.ndarray:
    return np.array([x, 10, x + 20, 30], np.float32)


def test_gaps_are_interpolated_in_time_and_marked() -> None:
    info = collect([None, face_of(box_at(0)), None, None, face_of(box_at(30)), None])
    assert info.found.tolist() == [False, True, False, False, True, False]
    assert info.values["box"][:, 0].tolist() == [0, 0, 10, 20, 30, 30]
    assert np.allclose(info.values["score"], [0, 0.9, 0, 0, 0.9, 0])
    assert np.isnan(info.known_boxes[0]).all()
    assert info.values["lips"].shape == (6, 40, 2)
    assert "contour" not in info.values


def test_a_clip_without_any_face_says_so() -> None:
    with pytest.raises(ValueError, match="no face in any of its 3 frames"):
        collect([None, None, None])


def test_points_move_into_the_window_and_angles_stay() -> None:
    info = collect([face_of(box_at(100)), face_of(box_at(100))])
    moved = info.in_windows([Square(90, 0, 40), Square(80, 0, 80)], 80)
    assert moved.values["box"][0].tolist() == [20, 20, 60, 60]
    assert moved.values["box"][1].tolist() == [20, 10, 40, 30]
    assert np.array_equal(moved.values["pose"], info.values["pose"])


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    info = collect([face_of(box_at(0)), None])
    path = tmp_path / "face_info" / "a.safetensors"
    save_face_info(path, info, {"fps": "25"})
    loaded, metadata = load_face_info(path)
    assert metadata["fps"] == "25"
    assert loaded.found.tolist() == [True, False]
    for name, values in info.values.items():
        assert np.array_equal(loaded.values[name], values)


def test_a_damaged_or_foreign_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="prepare the clip again"):
        load_face_info(path)
    path.write_bytes(b"nonsense" * 20)
    with pytest.raises(ValueError, match="cannot be read"):
        load_face_info(path)
