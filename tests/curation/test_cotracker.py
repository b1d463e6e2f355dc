"""The CoTracker adapter with a made-up predictor: shapes, arithmetic, and how code and weights are loaded."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from talkvid.curation.cotracker import NETWORK_SIZE, CoTrackerScorer, CoTrackerSettings, load_predictor
from talkvid.curation.motion import MotionConfig, build_motion_scorer
from talkvid.curation.motion_frames import segment_pictures
from talkvid.curation.records import Span
from talkvid.records import Array

from .drawn_motion import clip_of

HUB = """
import torch

class Predictor(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(2, 3)

    def forward(self, video, grid_size, grid_query_frame, backward_tracking):
        points = grid_size ** 2
        visible = torch.full((1, video.shape[1], points), bool(self.model.bias[0] > 0))
        visible[:, grid_query_frame] = True
        return torch.zeros(1, video.shape[1], points, 2), visible

def cotracker3_offline(*, pretrained=True):
    assert not pretrained
    return Predictor()
"""


class Watcher:
    """Sees as many of the points as each picture is bright, in 255ths, and notes what it was asked."""

    def __init__(self) -> None:
        self.videos: list[Tensor] = []
        self.asked: set[tuple[int, int, bool]] = set()

    def __call__(
        self, video: Tensor, *, grid_size: int, grid_query_frame: int, backward_tracking: bool
    ) -> tuple[Tensor, Tensor]:
        assert video.ndim == 5 and video.shape[2] == 3 and video.dtype == torch.float32
        self.videos.append(video)
        self.asked.add((grid_size, grid_query_frame, backward_tracking))
        points = grid_size**2
        shares = video.mean(dim=(2, 3, 4))[0] / 255
        visible = torch.arange(points)[None] < (shares * points).round()[:, None]
        return torch.zeros(1, video.shape[1], points, 2), visible[None]


def settings(**changes: object) -> CoTrackerSettings:
    values: dict[str, object] = {
        "source": "owner/name:revision",
        "checkpoint": "",
        "grid": 10,
        "frame_scale": 0.0,
        "device": "cpu",
    }
    return CoTrackerSettings(**{**values, **changes})  # type: ignore[arg-type]


def score(scorer: CoTrackerScorer, span: Span, shade: Array) -> dict[str, float]:
    """Return the scores of a clip whose picture i has brightness shade[i]; all its pictures are shown."""
    look = scorer.begin(span)
    for index in range(span.num_frames):
        look.see(index, np.full((90, 160, 3), shade[index], np.uint8))
    return dict(look.finish())


def test_the_ratio_is_the_least_of_the_stretches_mean_share_of_visible_points() -> None:
    watcher = Watcher()
    span = clip_of(25 * 20)
    shade = np.full(500, 204, np.uint8)
    chosen = segment_pictures(25.0, 500, 20.0)
    shade[chosen[1]] = 102
    shade[chosen[1][:3]] = 255
    ratio = score(CoTrackerScorer(settings(), predictor=watcher), span, shade)["cotracker_ratio"]
    number = len(chosen[1])
    assert ratio == pytest.approx((3 + 0.4 * (number - 3)) / number)
    assert [video.shape[1] for video in watcher.videos] == [len(pictures) for pictures in chosen]


def test_only_the_chosen_pictures_are_kept_and_at_the_size_of_the_network() -> None:
    # Once: 300 to 900 pictures were decoded and resized for the 20 to 36 that were used.
    watcher = Watcher()
    scorer = CoTrackerScorer(settings(), predictor=watcher)
    shade = np.arange(125, dtype=np.uint8)
    score(scorer, clip_of(125), shade)
    (video,) = watcher.videos
    assert tuple(video.shape[-2:]) == NETWORK_SIZE
    chosen = segment_pictures(25.0, 125, 5.0)[0]
    assert video[0, :, 0, 0, 0].tolist() == [float(shade[index]) for index in chosen]
    assert list(scorer.wanted(clip_of(125))) == chosen


def test_pictures_may_be_shrunk_first_as_published() -> None:
    scorer = CoTrackerScorer(settings(frame_scale=0.25), predictor=Watcher())
    assert scorer.shrunk(np.zeros((1080, 1920, 3), np.uint8)).shape == (270, 480, 3)


def test_pictures_are_shrunk_alike_on_every_device() -> None:
    # Once: the graphics card's way took every fourth pixel, the processor's the mean: a flag changed scores.
    picture = np.random.default_rng(0).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    means = picture.reshape(90, 4, 160, 4, 3).mean(axis=(1, 3))
    for device in ("cpu", "cuda"):
        scorer = CoTrackerScorer(settings(frame_scale=0.25, device=device), predictor=Watcher())
        assert np.abs(scorer.shrunk(picture) - means).max() <= 0.5
    watcher = Watcher()
    CoTrackerScorer(settings(frame_scale=0.25), predictor=watcher).ratio([scorer.shrunk(picture)] * 2)
    assert np.array_equal(watcher.videos[0][0, 1].permute(1, 2, 0).numpy(), scorer.shrunk(picture))


def test_the_network_runs_once_for_each_stretch_and_never_backwards() -> None:
    # Once: a backward pass doubled the work and changed nothing, for the points start in the first picture.
    watcher = Watcher()
    score(CoTrackerScorer(settings(), predictor=watcher), clip_of(500), np.full(500, 128))
    assert len(watcher.videos) == 3
    assert watcher.asked == {(10, 0, False)}


@pytest.mark.parametrize(("frames", "fps"), [(1, 25.0), (2, 0.5), (3, 1.0), (12, 4.0), (8, 4.9)])
def test_clips_that_stopped_the_published_filter_have_a_ratio(frames: int, fps: float) -> None:
    # Once: below 5 pictures a second the reader gave three empty values where seven were unpacked.
    watcher = Watcher()
    scores = score(CoTrackerScorer(settings(), predictor=watcher), clip_of(frames, fps), np.full(frames, 255))
    assert scores == {"cotracker_ratio": 1.0}
    assert bool(watcher.videos) == (frames > 1)


def checkout(folder: Path) -> Path:
    """Write a checkout whose predictor sees everything when its first bias is above 0."""
    (folder / "cotracker").mkdir(parents=True)
    (folder / "hubconf.py").write_text(HUB)
    (folder / "cotracker" / "model.py").write_text("# the network\n")
    return folder


def weights(path: Path, bias: float, **more: Tensor) -> Path:
    state = {"weight": torch.zeros(3, 2), "bias": torch.full((3,), bias)}
    torch.save({**state, **more}, path)
    return path


@pytest.mark.parametrize(("bias", "expected"), [(1.0, 1.0), (-1.0, 1 / 10)])
def test_definition_and_weights_come_from_the_places_named(
    tmp_path: Path, bias: float, expected: float
) -> None:
    source = checkout(tmp_path / "co")
    config = MotionConfig(
        backend="cotracker",
        source=str(source),
        checkpoint=str(weights(tmp_path / "w.pth", bias)),
        grid=4,
    )
    scorer = build_motion_scorer(config)
    assert isinstance(scorer, CoTrackerScorer)
    pictures = len(scorer.wanted(clip_of(125)))
    assert pictures == 10
    assert score(scorer, clip_of(125), np.full(125, 9)) == {"cotracker_ratio": pytest.approx(expected)}


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.pth", 1.0, extra=torch.zeros(1))
    with pytest.raises(ValueError, match=r"does not hold CoTracker3's offline weights.*extra"):
        load_predictor(str(checkout(tmp_path / "co")), path, "cpu")


def test_a_weights_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"weight": Watcher()}, path)
    with pytest.raises(ValueError, match="does not hold CoTracker3's offline weights"):
        load_predictor(str(checkout(tmp_path / "co")), path, "cpu")


def test_missing_parts_are_named_when_the_scorer_is_built(tmp_path: Path) -> None:
    path = weights(tmp_path / "w.pth", 1.0)
    with pytest.raises(FileNotFoundError, match=r"motion.checkpoint .*absent.pth is not a file"):
        build_motion_scorer(MotionConfig(backend="cotracker", checkpoint=str(tmp_path / "absent.pth")))
    with pytest.raises(FileNotFoundError, match=r"holds no hubconf\.py"):
        build_motion_scorer(MotionConfig(backend="cotracker", source=str(tmp_path), checkpoint=str(path)))


def test_without_the_network_the_published_weights_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"cannot be fetched.*motion.backend=embedded"):
        build_motion_scorer(MotionConfig(backend="cotracker"))
    assert not list((tmp_path / "checkpoints").iterdir())


def test_the_signature_tells_code_weights_and_settings_apart(tmp_path: Path) -> None:
    source = checkout(tmp_path / "co")
    config = {"source": str(source), "checkpoint": str(weights(tmp_path / "w.pth", 1.0))}
    first = CoTrackerScorer(settings(**config)).signature()
    assert CoTrackerScorer(settings(**config)).signature() == first
    assert CoTrackerScorer(settings(**config, device="cuda")).signature() == first
    assert CoTrackerScorer(settings(**config, grid=30)).signature() != first
    weights(tmp_path / "w.pth", 2.0)
    second = CoTrackerScorer(settings(**config)).signature()
    assert second != first
    (source / "cotracker" / "model.py").write_text("# another network\n")
    assert CoTrackerScorer(settings(**config)).signature() != second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "tapir"}, "choose one of embedded"),
        ({"grid": 1}, "at least 2"),
        ({"frame_scale": 3.0}, "0 and 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MotionConfig(**changes)  # type: ignore[arg-type]
