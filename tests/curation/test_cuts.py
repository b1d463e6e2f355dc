import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from takes_material import picture, write_takes

from talkvid.curation.cuts import DETECTORS, PICTURE_SIDE, CutConfig, CutFinder
from talkvid.curation.scan_config import ScanConfig, pieces_of
from talkvid.curation.spans import Timeline
from talkvid.media.frame_scan import scan_frames

LENGTHS = (40, 50, 33, 60)
CUTS = [40, 90, 123]
STORED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/curation/scenes.json").read_text())
GOLDEN = {
    "histogram_0.085_bins256": CutConfig("histogram", 0.085),
    "histogram_default": CutConfig("histogram", 0.20, bins=128),
    "content_10": CutConfig("content", 10.0),
    "content_default": CutConfig("content"),
    "adaptive_default": CutConfig("adaptive"),
}
PARITY = ScanConfig(margin_start_s=0.3, margin_end_s=0.1, margins_at_ends=True, longest_s=0)


def takes_of(path: Path, *configs: CutConfig) -> tuple[list[list[tuple[int, int]]], Timeline]:
    """Return the takes that each of the settings finds, after one decode, and the times of the pictures."""
    finders = [CutFinder(config) for config in configs]
    stamps, end = [], 0
    with scan_frames(path, longest=PICTURE_SIDE) as scan:
        for frame in scan:
            for finder in finders:
                finder.see(frame.picture)
            stamps.append(frame.pts)
            end = frame.pts + frame.duration
    return [finder.takes() for finder in finders], Timeline([*stamps, end], scan.time_base)


def cuts_of(path: Path, *configs: CutConfig) -> list[list[int]]:
    return [[first for first, _ in takes[1:]] for takes in takes_of(path, *configs)[0]]


def library_cuts(path: Path, detector: Any) -> list[int]:
    """Return what PySceneDetect finds when it reads the file itself."""
    from scenedetect import SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(detector)
    manager.detect_scenes(open_video(str(path), backend="pyav"))
    return [start.frame_num for start, _ in manager.get_scene_list(start_in_scene=True)][1:]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_takes(tmp_path_factory.mktemp("takes") / "takes.mp4", LENGTHS)


@pytest.mark.parametrize("detector", ["adaptive", "content", "histogram", "hash"])
def test_cuts_are_found_on_the_picture(video: Path, detector: str) -> None:
    # Once: one of the detectors on offer was never imported and could not be chosen.
    assert cuts_of(video, CutConfig(detector)) == [CUTS]


def test_our_pictures_give_the_cuts_that_the_library_finds_by_itself(video: Path) -> None:
    from scenedetect import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector

    pairs = [
        (CutConfig("adaptive"), AdaptiveDetector()),
        (CutConfig("content"), ContentDetector()),
        (CutConfig("histogram"), HistogramDetector(0.085, bins=256)),
        (CutConfig("hash"), HashDetector()),
    ]
    ours = cuts_of(video, *(config for config, _ in pairs))
    assert ours == [library_cuts(video, detector) for _, detector in pairs] == [CUTS] * len(pairs)


def test_a_fade_through_black_is_a_cut_for_the_threshold_detector() -> None:
    finder = CutFinder(CutConfig("threshold", min_scene_frames=5))
    light = [*np.linspace(1, 0, 20), *np.zeros(6), *np.linspace(0, 1, 20)]
    for brightness in light:
        finder.see((picture(1, 0) * brightness).astype(np.uint8))
    [(_, cut), (_, last)] = finder.takes()
    assert 18 <= cut <= 27 and last == len(light)


def test_a_slow_fade_is_no_cut() -> None:
    # Once: the histogram, the only detector in use, cut a fade every 15 pictures: 16 false cuts in 250.
    fade = [np.full((144, 256, 3), round(level), np.uint8) for level in np.linspace(20, 235, 100)]
    found = {}
    for detector in ("adaptive", "content", "histogram"):
        finder = CutFinder(CutConfig(detector))
        for frame in fade:
            finder.see(frame)
        found[detector] = len(finder.takes()) - 1
    assert found["adaptive"] == found["content"] == 0 < found["histogram"]
    assert ScanConfig().cuts.detector == "adaptive"


def test_what_a_finder_keeps_does_not_grow_with_the_video() -> None:
    # Once: statistics that nobody read were kept of every picture.
    for detector in DETECTORS:
        finder = CutFinder(CutConfig(detector))
        sizes = []
        for frame in range(120):
            finder.see(picture(0, frame % 20))
            if frame in (59, 119):
                sizes.append(len(pickle.dumps(vars(finder._detector)) if finder._detector else b""))
        assert sizes[1] <= sizes[0] + 64


def test_a_video_without_a_cut_is_one_take() -> None:
    # Once: a video without a cut gave no clip at all.
    for detector in DETECTORS:
        finder = CutFinder(CutConfig(detector))
        for frame in range(40):
            finder.see(picture(0, frame))
        assert finder.takes() == [(0, 40)]
    assert CutFinder(CutConfig()).takes() == []


def test_no_cut_comes_sooner_than_asked() -> None:
    finder = CutFinder(CutConfig("histogram", min_scene_frames=30))
    for take in range(4):
        for frame in range(20):
            finder.see(picture(take, frame))
    starts = [first for first, _ in finder.takes()]
    assert starts == [0, 40]


def test_greys_stay_grey_in_the_small_pictures(tmp_path: Path) -> None:
    # A grey that is off by one level in one colour has a hue, and hues that come and go look like cuts.
    from talkvid.media import ffmpeg

    path = tmp_path / "grey.mp4"
    source = "color=black:s=480x322:r=25:d=2,format=gray,geq=lum='16+4*N'"
    ffmpeg.run("-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-preset", "ultrafast", path)
    with scan_frames(path, longest=256) as scan:
        pictures = [frame.picture for frame in scan]
    assert pictures[0].shape == (172, 256, 3)
    assert all(np.ptp(image, axis=2).max() == 0 for image in pictures)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray"])
def test_small_pictures_look_like_the_picture_scaled_down(tmp_path: Path, pixels: str) -> None:
    path = write_takes(tmp_path / "a.mp4", (2,), pixels=pixels, options={"crf": "2"})
    with scan_frames(path, longest=80) as scan:
        small = next(iter(scan)).picture.astype(int)
    expected = cv2.resize(picture(0, 0), (80, 60), interpolation=cv2.INTER_LINEAR).astype(int)
    if pixels == "gray":
        weights = np.array([0.299, 0.587, 0.114])
        small, expected = small @ weights, expected @ weights
    assert small.shape == expected.shape
    assert np.abs(small - expected).mean() < 4


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ValueError, match="'sharp' is unknown; choose one of adaptive"):
        CutConfig("sharp")
    with pytest.raises(ValueError, match="min_scene_frames must be at least 1"):
        CutConfig(min_scene_frames=0)
    with pytest.raises(ValueError, match="bins must be at least 2"):
        CutConfig(bins=1)


@pytest.mark.parametrize("name", list(STORED["files"]))
def test_the_stored_cuts_come_out(shared: Path, name: str) -> None:
    stored = STORED["files"][name]
    found, timeline = takes_of(shared / "media/dev" / name, *(GOLDEN[key] for key in stored))
    step = float(timeline.length(0, 1))
    for takes, (key, expected) in zip(found, stored.items(), strict=True):
        assert [first for first, _ in takes[1:]] == expected["cuts"], key
        assert len(timeline.stamps) - 1 == expected["num_frames"]
        pieces = pieces_of(timeline, takes, PARITY, key="", pauses=lambda start, end: ())
        for piece, (start_s, end_s) in zip(pieces, expected["clip_spans_s"], strict=True):
            assert float(piece.nominal_s) == pytest.approx(end_s - start_s, abs=1e-4)
            if end_s - start_s < step:
                continue  # a take that its margins use up
            first, stop = timeline.seconds(piece.first), timeline.seconds(piece.stop)
            assert start_s - 1e-4 <= float(first) < start_s + step
            assert end_s - 1e-4 <= float(stop) < end_s + step + 1e-4
