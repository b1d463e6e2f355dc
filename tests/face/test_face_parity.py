"""Key points and retargeting against the reference's own numbers, kept outside the repository."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from talkvid.face.keypoints import draw_vkps, load_kps
from talkvid.face.retarget import face_scale, nearest_frame, retarget
from talkvid.records import Array

SHARED = Path(os.environ.get("TALKVID_SHARED", "/nonexistent"))
pytestmark = pytest.mark.skipif(
    not (SHARED / "parity").is_dir(), reason="TALKVID_SHARED does not name the folder with the golden numbers"
)


def test_every_key_point_picture_is_equal() -> None:
    folder = SHARED / "parity" / "kps_png"
    cases: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())["cases"]
    assert len(cases) == 8
    for case in cases:
        drawn = draw_vkps(np.array(case["kps"], dtype=np.float32), case["width"], case["height"])
        assert np.array_equal(drawn, np.array(Image.open(folder / case["file"]))), case["file"]
        assert int(drawn.astype(int).sum()) == case["sum"]


@pytest.fixture(scope="module")
def golden() -> dict[str, Array]:
    return load_file(SHARED / "parity" / "retarget_kps.safetensors")


@pytest.mark.parametrize("count", [84, 144])
def test_retargeting_equals_the_reference_where_it_is_right(golden: dict[str, Array], count: int) -> None:
    reference, driving = golden["in.reference_kps"], golden["in.kps"]
    track = driving[:count]
    assert np.array_equal(
        retarget("fix_face", reference, track, num_frames=count), golden[f"fix_face/{count}"]
    )
    moved = retarget("no_retarget", reference, track, num_frames=count)
    assert np.abs(moved - golden[f"no_retarget/{count}"]).max() < 1e-4
    assert nearest_frame(reference, track) == 0
    assert np.allclose(face_scale(reference, track[0]), golden[f"scale_nearest/{count}"], atol=1e-6)


@pytest.mark.parametrize("count", [84, 144])
def test_only_anchor_direction_and_size_differ_from_the_reference(
    golden: dict[str, Array], count: int
) -> None:
    reference, track = golden["in.reference_kps"], golden["in.kps"][:count]
    ratio = golden[f"scale_nearest/{count}"] / golden[f"scale_peer/{count}"]
    # The reference moves the face by minus half of the driver's way, at the wrong frame's scale.
    offset = reference - 2 * ratio * (golden[f"offset_retarget/{count}"] - reference)
    ours = retarget("offset_retarget", reference, track, num_frames=count)
    assert np.abs(ours - offset).max() < 1e-3
    naive = reference[2] + ratio * (golden[f"naive_retarget/{count}"] - reference[2])
    assert np.abs(retarget("naive_retarget", reference, track, num_frames=count) - naive).max() < 1e-3


def test_the_key_point_file_of_the_reference_is_read_safely() -> None:
    points = load_kps(SHARED / "media" / "peer_prepared" / "short_case" / "AOC" / "kps.pth")
    assert points.shape == (137, 3, 2)
    assert np.allclose(points[0, 0], [185.473, 218.576], atol=1e-3)
