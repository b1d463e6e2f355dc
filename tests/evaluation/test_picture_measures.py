"""Sharpness, flicker and drift of drawn pictures, and identity by an embedder that is told what to see."""

import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from talkvid.evaluation.background import BackgroundWatch, head_box
from talkvid.evaluation.identity import (
    ARCFACE_POINTS,
    ArcFaceEmbedder,
    aligned_face,
    identity_agreement,
    similarity,
)
from talkvid.evaluation.mobilefacenet import MobileFaceNet, MobileFaceNetEmbedder
from talkvid.evaluation.sharpness import face_sharpness
from talkvid.records import Array

BOX = np.array([70.0, 80.0, 130.0, 150.0])
NO_BOX = np.full(4, np.nan)


def noisy(seed: int = 0, size: int = 240) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def test_sharpness_is_the_variance_of_the_laplacian_of_the_grey_box() -> None:
    picture = noisy()
    picture[80:150, 70:130] = 128
    assert face_sharpness(picture, BOX) == 0.0
    square = noisy(1, 160)
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY).astype(np.float64)
    padded = np.pad(grey, 1, mode="reflect")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    assert face_sharpness(square, np.array([0.0, 0, 160, 160])) == pytest.approx((around - 4 * grey).var())


def test_blur_lowers_sharpness_and_a_larger_copy_keeps_it() -> None:
    coarse = cv2.resize(noisy(2, 60), (240, 240), interpolation=cv2.INTER_CUBIC)
    box = np.array([20.0, 20, 220, 220])
    sharp = face_sharpness(coarse, box)
    assert face_sharpness(cv2.GaussianBlur(coarse, (0, 0), 3), box) < 0.5 * sharp
    twice = cv2.resize(coarse, (480, 480), interpolation=cv2.INTER_CUBIC)
    assert face_sharpness(twice, 2 * box) == pytest.approx(sharp, rel=0.15)


def test_sharpness_without_a_face_is_not_a_number() -> None:
    assert np.isnan(face_sharpness(noisy(), NO_BOX))
    assert np.isnan(face_sharpness(noisy(), np.array([500.0, 500, 600, 600])))


def watched(pictures: list[Array], box: Array, *, fps: float = 5.0) -> BackgroundWatch:
    watch = BackgroundWatch(fps=fps)
    for picture in pictures:
        watch.add(picture, box)
    return watch


def test_only_what_lies_outside_the_head_flickers() -> None:
    quiet, loud = np.full((160, 160, 3), 100, np.uint8), np.full((160, 160, 3), 103, np.uint8)
    assert watched([quiet, loud] * 5, BOX).flicker == pytest.approx(3.0)
    talking = quiet.copy()
    left, top, right, bottom = head_box(BOX).astype(int)
    talking[max(top, 0) + 1 : bottom, left + 1 : right] = 255
    assert watched([quiet, talking] * 5, BOX).flicker == 0.0
    assert np.isnan(watched([quiet], BOX).flicker)
    assert np.isnan(watched([quiet] * 9, np.array([0.0, 0, 160, 160])).flicker)


def test_drift_compares_the_first_with_the_last_second_and_ignores_flicker() -> None:
    def grey(level: float) -> Array:
        return np.full((160, 160, 3), round(level), np.uint8)

    assert watched([grey(100 + k) for k in range(20)], BOX).drift == pytest.approx(15.0)
    assert watched([grey(100 + 10 * (k % 2)) for k in range(20)], BOX, fps=4).drift == pytest.approx(0.0)
    red = [np.full((160, 160, 3), (100 + k, 50, 50), np.uint8) for k in range(20)]
    assert watched(red, BOX).drift == pytest.approx(5.0)


def test_identity_is_mean_and_fifth_percentile_of_the_cosines() -> None:
    angles = np.deg2rad(np.linspace(0, 60, 101))
    faces = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 3
    faces = np.concatenate([faces, np.full((4, 2), np.nan)])
    found = identity_agreement(faces, np.array([2.0, 0.0]))
    assert found.mean == pytest.approx(np.cos(angles).mean())
    assert found.lowest == pytest.approx(np.cos(np.deg2rad(57)), abs=1e-3)
    assert np.isnan(identity_agreement(np.full((3, 2), np.nan), np.ones(2)).mean)


def test_a_turned_and_scaled_face_is_brought_upright() -> None:
    turn = 2.5 * np.array([[0.8, -0.6], [0.6, 0.8]])
    points = ARCFACE_POINTS @ turn.T + [300, 200]
    matrix = similarity(points, ARCFACE_POINTS)
    assert points @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(ARCFACE_POINTS)
    picture = np.zeros((700, 700, 3), np.uint8)
    for point in points:
        cv2.circle(picture, tuple(round(float(value)) for value in point), 6, (255, 255, 255), -1)
    for width in (112, 96):
        face = aligned_face(picture, points, width=width)
        assert face.shape == (112, width, 3)
        for x, y in ARCFACE_POINTS:
            assert face[round(y), round(x - (112 - width) / 2), 0] > 200


def test_mobilefacenet_reads_its_file_strictly_and_gives_unit_vectors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = MobileFaceNet()
    path = tmp_path / "weights.ckpt"
    torch.save({"epoch": 1, "net_state_dict": net.state_dict()}, path)
    embedder = MobileFaceNetEmbedder(path)
    first = embedder.embed(noisy(), ARCFACE_POINTS)
    assert first.shape == (128,) and np.linalg.norm(first) == pytest.approx(1)
    assert (embedder.embed(noisy(), ARCFACE_POINTS) == first).all()
    assert embedder.measure != "CSIM"
    state = net.state_dict()
    del state["linear1.bn.bias"]
    torch.save({"net_state_dict": state}, path)
    with pytest.raises(ValueError, match=r"linear1\.bn\.bias"):
        MobileFaceNetEmbedder(path)


def test_mobilefacenet_says_how_its_weights_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALKVID_MOBILEFACENET", raising=False)
    with pytest.raises(FileNotFoundError, match="TALKVID_MOBILEFACENET"):
        MobileFaceNetEmbedder()


def test_mobilefacenet_tells_persons_apart_when_its_weights_are_there(shared: Path) -> None:
    path = shared / "weights" / "mobilefacenet_068.ckpt"
    if not path.is_file():
        pytest.skip("no MobileFaceNet weights")
    embedder = MobileFaceNetEmbedder(path)
    face = cv2.GaussianBlur(noisy(3, 112), (0, 0), 6)
    nearly = np.clip(face.astype(int) + 4, 0, 255).astype(np.uint8)
    assert embedder.embed(face, ARCFACE_POINTS) @ embedder.embed(nearly, ARCFACE_POINTS) > 0.9


def test_arcface_gets_an_aligned_bgr_face_and_its_vector_comes_back_with_length_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Array] = []

    class Recogniser:
        def get_feat(self, face: Array) -> Array:
            given.append(face)
            return np.array([[3.0, 4.0]])

    package, zoo = types.ModuleType("insightface"), types.ModuleType("insightface.model_zoo")
    zoo.get_model = lambda path: Recogniser()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", zoo)
    path = tmp_path / "w600k_r50.onnx"
    path.write_bytes(b"onnx")
    picture = noisy(4, 112)
    embedder = ArcFaceEmbedder(path)
    assert embedder.embed(picture, ARCFACE_POINTS).tolist() == [0.6, 0.8]
    assert np.abs(given[0][..., ::-1].astype(int) - picture).max() <= 1
    assert embedder.measure == "CSIM"
    zoo.get_model = lambda path: object()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="not a face recognition network"):
        ArcFaceEmbedder(path)


def test_arcface_without_insightface_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "insightface", None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)  # type: ignore[arg-type]
    path = tmp_path / "w600k_r50.onnx"
    with pytest.raises(FileNotFoundError, match="no such file"):
        ArcFaceEmbedder(path)
    path.write_bytes(b"onnx")
    with pytest.raises(ImportError, match=r"talkvid\[face\]"):
        ArcFaceEmbedder(path)
