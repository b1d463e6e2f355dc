"""Identity: which cosine may be called what, which portrait counts, and which pictures belong together."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.evaluation.mobilefacenet import MobileFaceNet
from talkvid.evaluation.suite.metric import Measured
from talkvid.evaluation.suite.metrics import identity
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.registry import build_suite
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import ARCFACE, file_sha256
from talkvid.media.image import save_image
from talkvid.records import Array
from tests.evaluation.seeded import seeded_state
from tests.evaluation.suite.fake_view import SKIN, Clip, FakeView

OTHER_SKIN = (90, 120, 60)
FACELESS = np.r_[0.1, np.nan, np.full(3, 0.1), np.nan, np.nan, np.full(3, 0.1)]
"""Of the pictures that are looked at, 0 and 5, one shows no face."""


class SkinEmbedder:
    """Knows people by the colour of the forehead, looked up from the five points it is given."""

    name, measure = "skin", "skin cosine"

    def embed(self, picture: Array, points: Array) -> Array:
        x, y = (points[0] + points[1]) / 2
        colour = picture[int(y) - 10, int(x)].astype(np.float64)
        unit: Array = colour / np.linalg.norm(colour)
        return unit


def same_person(view: FakeView) -> Measured:
    return identity.measure(view, embedder=SkinEmbedder(), sha256="0" * 64, columns=identity.CSIM_COLUMNS)


def unit(colour: tuple[int, int, int]) -> Array:
    vector: Array = np.array(colour) / np.linalg.norm(colour)
    return vector


def test_identity_is_the_cosine_to_the_portrait_and_the_distance_to_the_true_video() -> None:
    made, truth = Clip(np.full(11, 0.1), skin=OTHER_SKIN), Clip(np.full(11, 0.1))
    found = same_person(FakeView(made, truth=truth))
    cosine = float(unit(SKIN) @ unit(OTHER_SKIN))
    assert [found.values["csim"], found.values["csim_lowest"]] == pytest.approx([cosine, cosine])
    assert found.values["aed_form_arcface"] == pytest.approx(np.linalg.norm(unit(SKIN) - unit(OTHER_SKIN)))
    told = {
        "measured": 3,
        "measured_every": 5,
        "aed_measured": 3,
        "network": "skin",
        "aed_name": "AED form (skin)",
    }
    assert told.items() <= dict(found.facts).items()
    assert same_person(FakeView(truth, truth=truth)).values["csim"] == pytest.approx(1)


def test_without_a_true_video_there_is_no_aed() -> None:
    found = same_person(FakeView(Clip(np.full(6, 0.1))))
    assert found.values["csim"] == pytest.approx(1) and found.values["aed_form_arcface"] is None
    assert found.facts["portrait"] == "the made video's own first picture"


def test_the_portrait_that_is_given_is_the_one_that_counts(tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"
    portrait = Clip(np.array([0.1]), skin=OTHER_SKIN)
    save_image(path, next(portrait.frames()))
    truth = Clip(np.full(6, 0.1))
    pair = Pair("ours", "clip", Path("made.mp4"), portrait=path)
    found = same_person(FakeView(truth, truth=truth, portrait=portrait, pair=pair))
    assert found.values["csim"] == pytest.approx(float(unit(SKIN) @ unit(OTHER_SKIN)))
    assert found.facts["portrait"] == "given"


def test_identity_leaves_faceless_pictures_out_and_pairs_by_time() -> None:
    # Pictures 0, 5, 10 are looked at; 5 shows no face. At 50 per second 0 and 10 stand beside 1 and 21.
    made = Clip(np.r_[FACELESS, 0.1])
    truth = Clip(np.r_[np.full(21, np.nan), 0.1], fps=50.0)
    portrait = Clip(np.array([0.1]))
    found = same_person(FakeView(made, truth=truth, portrait=portrait))
    assert found.facts["measured"] == 2 and found.facts["aed_measured"] == 1
    assert found.facts["aed_true_faceless"] == 2
    assert found.values["aed_form_arcface"] == pytest.approx(0, abs=1e-6)
    unlucky = Clip(np.r_[np.nan, np.full(4, 0.1), np.nan, np.full(4, 0.1)])
    with pytest.raises(ValueError, match="any of the 2 pictures looked at, every 5th"):
        same_person(FakeView(unlucky, truth=truth, portrait=portrait))
    with pytest.raises(ValueError, match="no face is found in the portrait, the true video's first picture"):
        same_person(FakeView(made, truth=truth))


class NamedArcFace(SkinEmbedder):
    """Stands for insightface's ArcFace, which is not installed everywhere."""

    name = "ArcFace"

    def __init__(self, path: Path) -> None:
        assert path.is_file()


def test_only_the_published_arcface_earns_the_name_csim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: cosines of whichever network was at hand were told as CSIM.
    path = tmp_path / "face.onnx"
    path.write_bytes(b"weights")
    monkeypatch.setattr("talkvid.evaluation.identity.ArcFaceEmbedder", NamedArcFace)
    other = build_suite(["csim"], MetricSettings(arcface=path)).metrics[0]
    genuine = dataclasses.replace(ARCFACE, sha256=file_sha256(path))
    monkeypatch.setattr("talkvid.evaluation.suite.metrics.identity.ARCFACE", genuine)
    named = build_suite(["csim"], MetricSettings(arcface=path)).metrics[0]
    assert [column.key for column in named.columns] == ["csim", "csim_lowest", "aed_form_arcface"]
    assert all(column.key.endswith("_other_weights") for column in other.columns)
    assert all("other weights" in column.heading for column in other.columns)
    found = named.measure(FakeView(Clip(np.full(6, 0.1)), truth=Clip(np.full(6, 0.1))))
    assert found.values["csim"] == pytest.approx(1) and found.facts["network_sha256"] == file_sha256(path)
    assert file_sha256(path) in named.signature and named.name == "csim"


def test_mobilefacenets_cosine_bears_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "seeded.pth"
    torch.save(seeded_state(MobileFaceNet()), path)
    suite = build_suite(["csim", "identity"], MetricSettings(mobilefacenet=path, weights_dir=tmp_path))
    assert [one.name for one in suite.left_out] == ["csim"]
    clip = Clip(np.full(6, 0.1))
    found = suite.metrics[0].measure(FakeView(clip, truth=clip))
    assert found.values["identity_cosine"] == pytest.approx(1) and "csim" not in found.values
    assert found.facts["network"] == "MobileFaceNet" and "CSIM" not in suite.metrics[0].columns[0].heading
