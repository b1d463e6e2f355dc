"""The features of FID against pytorch-fid's with the same drawn weights."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.inception import InceptionFeatures, InceptionPool, inception_distance
from talkvid.evaluation.weight_files import FID_INCEPTION
from tests.evaluation.picture_pairs import DATA, drawn_pair, drawn_weights, noise_frames, stored

GOLDEN = stored("inception.json")
MANIFEST: dict[str, list[int]] = json.loads(
    gzip.decompress((DATA / "inception_manifest.json.gz").read_bytes())
)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return drawn_weights(MANIFEST)


@pytest.fixture(scope="module")
def extractor(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> InceptionFeatures:
    """Made from a file without the counters of training steps, which older files lack."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save({name: tensor for name, tensor in weights.items() if "num_batches" not in name}, path)
    found = InceptionFeatures(path)
    path.unlink()
    return found


def test_names_and_shapes_are_the_published_ones() -> None:
    ours = {name: list(tensor.shape) for name, tensor in InceptionPool().state_dict().items()}
    assert ours == {name: shape for name, shape in MANIFEST.items() if not name.startswith("fc.")}
    assert len(MANIFEST) == 566


def test_features_are_those_of_pytorch_fid(extractor: InceptionFeatures) -> None:
    found = extractor.features(np.stack(drawn_pair()))
    assert found.shape == (2, 2048) and found.dtype == np.float64
    difference = np.abs(found[:, ::64] - np.array(GOLDEN["features_every_64th"]))
    assert difference.max() < 1e-5 * GOLDEN["std"]


def test_pooling_at_the_border_and_the_last_maximum_matter(
    extractor: InceptionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: the network of the same shape from torchvision was taken, whose pooling differs in both places.
    picture = drawn_pair()[0][None]
    right = extractor.features(picture)
    monkeypatch.setattr(
        "torch.nn.functional.avg_pool2d",
        lambda values, *_, **__: torch.ops.aten.avg_pool2d(values, [3, 3], [1, 1], [1, 1], False, True),
    )
    padded = extractor.features(picture)
    assert np.abs(padded - right).max() > 1e-2 * GOLDEN["std"]


def test_a_video_is_gathered_in_batches_and_counted(
    extractor: InceptionFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkvid.evaluation.inception.BATCH", 2)
    moments = FeatureMoments(extractor.dims)
    frames = noise_frames(3, seed=3, size=24)
    extractor.gather(iter(frames), moments)
    assert (moments.count, moments.num_clips) == (3, 1)
    assert moments.mean == pytest.approx(extractor.features(np.stack(frames)).mean(axis=0), abs=1e-4)
    with pytest.raises(ValueError, match="no pictures"):
        extractor.gather([], moments)
    with pytest.raises(ValueError, match="RGB uint8"):
        extractor.features(np.stack(frames) / 255)
    with pytest.raises(ValueError, match="RGB uint8"):
        extractor.gather([np.zeros((8, 8), np.uint8)], moments)
    with pytest.raises(ValueError, match=r"3 made and 3 true samples are too few .* needs 2049 on each side"):
        inception_distance(extractor, moments, moments)


def test_only_the_published_weights_earn_the_name(extractor: InceptionFeatures) -> None:
    rng = np.random.default_rng(0)
    sets = []
    for shift in (0.0, 0.5):
        moments = FeatureMoments(8)
        moments.add(rng.standard_normal((3, 8)) + shift, num_clips=3)
        sets.append(moments)
    found = inception_distance(extractor, *sets, allow_rank_deficient=True)
    assert found.name != "FID" and "other weights" in found.name
    assert found.frechet.rank_deficient and found.protocol["rank_deficient"] is True
    assert "299x299" in str(found.protocol["resize"]) and found.protocol["made_clips"] == 3
    assert found.protocol["weights_sha256"] == extractor.sha256 != FID_INCEPTION.sha256


def test_other_networks_of_the_same_shape_are_refused(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = tmp_path / "inception.pth"
    with pytest.raises(FileNotFoundError, match="talkvid models fetch inception"):
        InceptionFeatures(path)
    few = {name: tensor for name, tensor in weights.items() if name.startswith(("fc.", "Conv2d_1a"))}
    torch.save({**few, "fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(ValueError, match="has 1000 classes, the network of FID has 1008"):
        InceptionFeatures(path)
    torch.save({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"lacks fc\.weight"):
        InceptionFeatures(path)
    torch.save({**few, "AuxLogits.fc.bias": torch.zeros(9)}, path)
    with pytest.raises(ValueError, match=r"AuxLogits.*Conv2d_2a_3x3.*talkvid models fetch inception"):
        InceptionFeatures(path)
