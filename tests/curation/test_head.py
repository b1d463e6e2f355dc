"""The head stage on planted faces: which pictures it looks at, and what it says of clips without one face."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from talkvid import extras
from talkvid.curation.head import HeadConfig, HeadScorer, build_head_scorer
from talkvid.curation.head_looks import looks_as_published, looks_each_second
from talkvid.curation.records import Span
from talkvid.curation.scorer import Unscorable
from talkvid.records import Array, Face

STORED = json.loads((Path(__file__).parents[1] / "data/curation/head_scores.json").read_text())


def span(num_frames: int, rate: tuple[int, int] = (25, 1)) -> Span:
    """Return a clip of that many pictures at an even rate of rate[0] / rate[1]."""
    return Span(
        video_id="v",
        path="v.mp4",
        number=1,
        start_pts=0,
        end_pts=num_frames * rate[1],
        time_base=(1, rate[0]),
        first_frame=0,
        num_frames=num_frames,
        width=64,
        height=48,
        fps=rate[0] / rate[1],
    )


class PlantedFaces:
    """Reads from the top left pixel how many faces there are; the red value is the largest one's side."""

    name = "planted"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: Array) -> list[Face]:
        self.calls += 1
        side, count, _ = (int(value) for value in image[0, 0])
        points = np.array([[20, 20], [40, 20], [30, 28], [24, 36], [36, 36]], np.float32)
        box = np.array([0, 0, side, side], np.float32)
        return [Face(box, points, 0.9, pose=np.array([0, 9 * n, 0], np.float32)) for n in range(count)]


def run(scorer: HeadScorer, clip: Span, counts: list[int], side: int = 20) -> dict[str, float]:
    """Show a clip whose looks see `counts` faces; pictures between the looks are shown too."""
    look = scorer.begin(clip)
    wanted = list(scorer.wanted(clip))
    assert len(wanted) == len(counts)
    for index in range(clip.num_frames):
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[0, 0] = side, counts[wanted.index(index)] if index in wanted else 7, 0
        look.see(index, picture)
    return dict(look.finish())


def scorer_of(**settings: object) -> tuple[HeadScorer, PlantedFaces]:
    detector = PlantedFaces()
    return build_head_scorer(HeadConfig(**settings), detector=detector), detector  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frames", "rate", "expected"),
    [
        (126, (25, 1), [0, 25, 50, 75, 100, 125]),
        (125, (25, 1), [0, 25, 50, 75, 100]),
        (90, (30000, 1001), [0, 29, 59, 89]),
        (10, (25, 1), [0]),
        (1, (25, 1), [0]),
        (5, (1, 2), [0, 1, 2, 3, 4]),
    ],
)
def test_each_second_has_the_picture_shown_then(
    frames: int, rate: tuple[int, int], expected: list[int]
) -> None:
    # Once: 29.97 pictures a second were taken for 29, and clips shorter than a second had no look.
    assert looks_each_second(span(frames, rate)) == expected


def test_at_29_97_the_looks_do_not_drift() -> None:
    looks = looks_each_second(span(903, (30000, 1001)))
    assert len(looks) == 31
    for second, index in enumerate(looks):
        assert index / (30000 / 1001) <= second + 1e-9 < (index + 1) / (30000 / 1001)


@pytest.mark.parametrize("row", STORED["frame_choice"], ids=lambda row: f"{row[1]} at {row[0]:.5g}")
def test_the_published_choice_of_pictures_is_reproduced(row: list[float]) -> None:
    fps, frames, count, step = row
    clip = Span("v", "v.mp4", 1, 0, 1, (1, 1), 0, int(frames), 64, 48, float(fps))
    looks = looks_as_published(clip)
    if not count:
        # Once: such a clip had no score at all, and below one picture a second the program stopped.
        assert looks == [0]
    else:
        assert looks == [number * int(step or 0) for number in range(int(count))]


def test_the_stage_scores_what_the_looks_saw_and_nothing_between() -> None:
    scorer, detector = scorer_of()
    scores = run(scorer, span(76), [1, 1, 0, 1])
    assert detector.calls == 4
    assert scores["face_consistency"] == 80.0
    assert scores["avg_resolution"] == pytest.approx(30 * 100 * 400 / (64 * 48))
    assert (scores["num_looks"], scores["num_faceless"], scores["num_multiface"]) == (4, 1, 0)
    assert all(math.isfinite(value) for value in scores.values())


def test_several_faces_in_one_look_cost_consistency_not_the_clip() -> None:
    scores = run(scorer_of()[0], span(76), [1, 2, 1, 1])
    assert scores["face_consistency"] == 80.0
    assert scores["num_multiface"] == 1


@pytest.mark.parametrize(
    ("counts", "code"), [([0, 0, 0], "NO_FACE"), ([0, 2, 2], "MULTI_FACE"), ([0, 0, 2], "NO_FACE")]
)
def test_a_clip_without_a_look_at_one_face_is_unscorable(counts: list[int], code: str) -> None:
    # Once: such a clip was left out of the result without a word.
    with pytest.raises(Unscorable, match="none of 3 looks shows one face") as caught:
        run(scorer_of()[0], span(75), counts)
    assert caught.value.code == code


def test_the_signature_changes_with_what_changes_the_scores() -> None:
    base = scorer_of()[0].signature()
    for change in ({"looks": "published"}, {"across_gaps": True}, {"other_face_share": 0.0}):
        assert scorer_of(**change)[0].signature() != base
    assert base["version"] == 1


def test_the_embedded_backend_is_named_with_the_content_of_its_models() -> None:
    signature = build_head_scorer(HeadConfig()).signature()
    assert sorted(signature["models"]) == ["centerface.onnx", "face_landmarks.safetensors"]
    assert all(len(value) == 16 for value in signature["models"].values())


def test_a_picture_without_a_face_gives_no_face_with_the_embedded_backend() -> None:
    scorer = build_head_scorer(HeadConfig())
    clip = span(30)
    look = scorer.begin(clip)
    for index in scorer.wanted(clip):
        look.see(index, np.full((96, 128, 3), 90, np.uint8))
    with pytest.raises(Unscorable) as caught:
        look.finish()
    assert caught.value.code == "NO_FACE"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "centerface"}, "choose one of embedded"),
        ({"looks": "all"}, "choose each_second"),
        ({"other_face_share": 2.0}, "between 0 and 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeadConfig(**settings)  # type: ignore[arg-type]


def test_of_insightface_only_the_two_networks_that_are_needed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: all five networks ran on every look, though only detection and pose were used.
    pack = tmp_path / "models" / "buffalo_l"
    pack.mkdir(parents=True)
    (pack / "det_10g.onnx").write_bytes(b"network")
    asked: list[list[str]] = []

    class Analysis:
        models: Mapping[str, object] = {}

        def __init__(self, *, allowed_modules: list[str], **_: object) -> None:
            asked.append(sorted(allowed_modules))

        def prepare(self, **_: object) -> None: ...

    monkeypatch.setattr(extras, "require", lambda *_, **__: SimpleNamespace(FaceAnalysis=Analysis))
    build_head_scorer(HeadConfig(backend="insightface", model_path=str(tmp_path)))
    assert asked == [["detection", "landmark_3d_68"]]
