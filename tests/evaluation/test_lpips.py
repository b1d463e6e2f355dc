"""LPIPS against the numbers of the published package with the same drawn weights, and by hand."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from talkvid.evaluation.lpips import Lpips
from talkvid.evaluation.lpips_trunks import ALEX_LAYERS, VGG_LAYERS, Trunk
from talkvid.evaluation.temporal import change_ratio, temporal_lpips
from talkvid.evaluation.weight_files import ALEXNET, LPIPS_ALEX, LPIPS_VGG
from talkvid.records import Array
from tests.evaluation.picture_pairs import drawn_pair, drawn_weights, noise_frames, stored

GOLDEN = stored("lpips.json")
CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def trunk_state(network: str) -> dict[str, Tensor]:
    """The trunk's tensors, and of the classifier, which nobody reads, a stand-in."""
    shapes = {name: shape for name, shape in GOLDEN[network]["manifest"].items() if "classifier" not in name}
    return {**drawn_weights(shapes), "classifier.1.bias": torch.zeros(4)}


def head_state(network: str) -> dict[str, Tensor]:
    shapes = {f"lin{k}.model.1.weight": [1, n, 1, 1] for k, n in enumerate(CHANNELS[network])}
    return {name: tensor.abs() for name, tensor in drawn_weights(shapes).items()}


def measure(folder: Path, network: str = "alex", *, heads: Path | None = None) -> Lpips:
    trunk = folder / f"{network}.pth"
    torch.save(trunk_state(network), trunk)
    if heads is None:
        heads = folder / f"{network}-heads.pth"
        torch.save(head_state(network), heads)
    return Lpips(trunk, heads, network="vgg" if network == "vgg" else "alex")


def two_pairs() -> tuple[Array, Array]:
    first, second = drawn_pair()
    return np.stack([first, first]), np.stack([second, np.roll(first, 1, axis=0)])


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_distances_are_those_of_the_published_package(tmp_path: Path, network: str) -> None:
    found = measure(tmp_path, network).distances(*two_pairs())
    assert found == pytest.approx(GOLDEN[network]["seeded_heads"], rel=2e-5)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_distances_with_the_true_heads_are_those_of_the_published_package(
    tmp_path: Path, shared: Path, network: str
) -> None:
    heads = shared / "weights" / f"lpips_lin_v0.1_{network}.pth"
    lpips = measure(tmp_path, network, heads=heads)
    assert lpips.distances(*two_pairs()) == pytest.approx(GOLDEN[network]["true_heads"], rel=2e-5)
    assert lpips.facts["heads_sha256"] == {"alex": LPIPS_ALEX, "vgg": LPIPS_VGG}[network].sha256


def test_the_distance_is_the_formula_worked_by_hand(tmp_path: Path) -> None:
    """Convolution by convolution from the published names, then sums in numpy's float64."""
    weights, heads = trunk_state("alex"), head_state("alex")

    def features(picture: Array) -> list[Array]:
        scaled = 2 * picture.astype(np.float64) / 255 - 1
        scaled = (scaled - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        values = torch.from_numpy(scaled.transpose(2, 0, 1)[None])
        taps: list[Array] = []
        for number, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
            if number in (3, 6):
                values = functional.max_pool2d(values, 3, 2)
            weight, bias = (weights[f"features.{number}.{part}"].double() for part in ("weight", "bias"))
            values = functional.conv2d(values, weight, bias, stride, padding).clamp(min=0)
            taps.append(values[0].numpy())
        return taps

    first, second = drawn_pair()
    total = 0.0
    for layer, (one, other) in enumerate(zip(features(first), features(second), strict=True)):
        one, other = (part / (np.sqrt((part**2).sum(0)) + 1e-10) for part in (one, other))
        weight = heads[f"lin{layer}.model.1.weight"].double().numpy()[0]
        positions = one.shape[1] * one.shape[2]
        total += float(((one - other) ** 2 * weight).sum() / positions)
    found = measure(tmp_path).distances(first[None], second[None])
    assert found[0] == pytest.approx(total, rel=1e-5)


def test_equal_pictures_have_no_distance_and_sides_may_be_swapped(tmp_path: Path) -> None:
    first, second = two_pairs()
    lpips = measure(tmp_path)
    assert lpips.distances(first, first) == pytest.approx([0, 0], abs=1e-12)
    assert lpips.distances(first, second) == pytest.approx(lpips.distances(second, first), rel=1e-6)


def test_a_video_is_the_mean_of_its_pictures_whatever_the_batches(tmp_path: Path) -> None:
    lpips = measure(tmp_path)
    made, truth = noise_frames(11, seed=1, size=40), noise_frames(11, seed=2, size=40)
    found = lpips.agreement(zip(made, truth, strict=True))
    singly = [lpips.distances(a[None], b[None])[0] for a, b in zip(made, truth, strict=True)]
    assert found.mean == pytest.approx(np.mean(singly), rel=1e-5)
    assert found.num_frames == 11 and found.protocol["size"] == "40x40"
    with pytest.raises(ValueError, match="no pictures"):
        lpips.agreement([])


def test_only_published_weights_earn_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lpips = measure(tmp_path)
    assert not lpips.published and lpips.name != "LPIPS (alex)" and "other weights" in lpips.name
    told = {ALEXNET.sha256, LPIPS_ALEX.sha256}
    assert len(told) == 2 and lpips.facts["trunk_sha256"] not in told
    hashes = {"alex.pth": ALEXNET.sha256, "alex-heads.pth": LPIPS_ALEX.sha256}
    for module in ("lpips", "weight_files"):
        monkeypatch.setattr(f"talkvid.evaluation.{module}.file_sha256", lambda path: hashes[Path(path).name])
    assert measure(tmp_path).name == "LPIPS (alex)"


def test_heads_of_version_zero_are_refused(tmp_path: Path, shared: Path) -> None:
    # Once: the heads of 0.0 have the same names and shapes, and gave another number without a word.
    measure(tmp_path)
    told = r"heads of LPIPS 0\.0.*fetch 0\.1 with talkvid models fetch lpips-alex"
    with pytest.raises(ValueError, match=told):
        Lpips(tmp_path / "alex.pth", shared / "weights" / "lpips_lin_v0.0_alex.pth")


def test_files_that_do_not_fit_are_named_with_the_command_that_fetches_the_right_one(tmp_path: Path) -> None:
    # Once: the heads were loaded with strict off, so a wrong file went unseen.
    measure(tmp_path)
    trunk, heads = tmp_path / "alex.pth", tmp_path / "alex-heads.pth"
    with pytest.raises(FileNotFoundError, match="talkvid models fetch alexnet"):
        Lpips(tmp_path / "none.pth", heads)
    with pytest.raises(FileNotFoundError, match="talkvid models fetch lpips-alex"):
        Lpips(trunk, tmp_path / "none.pth")
    with pytest.raises(ValueError, match=r"alex\.pth.*talkvid models fetch vgg16"):
        Lpips(trunk, heads, network="vgg")
    torch.save({**head_state("alex"), "lin4.model.1.weight": torch.zeros(1, 9, 1, 1)}, heads)
    with pytest.raises(ValueError, match=r"alex-heads\.pth.*\(1, 9, 1, 1\)"):
        Lpips(trunk, heads)
    torch.save({**head_state("alex"), "lin0.model.1.weight": -torch.ones(1, 64, 1, 1)}, heads)
    with pytest.raises(ValueError, match="never below 0"):
        Lpips(trunk, heads)
    with pytest.raises(ValueError, match="alex or vgg"):
        Lpips(trunk, heads, network="squeeze")  # type: ignore[arg-type]


def test_published_names_cover_both_trunks() -> None:
    for network, layers in (("alex", ALEX_LAYERS), ("vgg", VGG_LAYERS)):
        trunk = Trunk(layers)
        file = {
            name: torch.empty(shape, device="meta") for name, shape in GOLDEN[network]["manifest"].items()
        }
        named = {name: tensor.shape for name, tensor in trunk.adapter.apply(file).items()}
        assert named == {name: tensor.shape for name, tensor in trunk.state_dict().items()}


def test_pictures_too_small_for_the_last_layer_are_refused(tmp_path: Path) -> None:
    lpips = measure(tmp_path)
    smallest = lpips.trunk.smallest_side
    enough = np.zeros((1, smallest, smallest, 3), np.uint8)
    assert lpips.distances(enough, enough) == pytest.approx([0])
    with pytest.raises(ValueError, match=f"{smallest} px or more"):
        lpips.distances(enough[:, 1:], enough[:, 1:])
    with pytest.raises(ValueError, match="make one size"):
        lpips.distances(enough, enough[:, 1:])


def test_values_that_are_not_0_to_255_are_refused(tmp_path: Path) -> None:
    # Once: pictures of 0 to 1 went in where -1 to 1 was meant, and a smaller distance came out.
    first, second = two_pairs()
    lpips = measure(tmp_path)
    with pytest.raises(ValueError, match="RGB uint8"):
        lpips.distances(first / 255, second / 255)
    with pytest.raises(ValueError, match="stack of"):
        lpips.distances(first[0], second[0])


def test_change_over_time_is_the_distance_of_neighbours(tmp_path: Path) -> None:
    lpips = measure(tmp_path)
    frames = noise_frames(4, seed=5, size=40)
    found = temporal_lpips(frames, lpips, fps=25)
    steps = [lpips.distances(b[None], a[None])[0] for a, b in itertools.pairwise(frames)]
    assert found.mean == pytest.approx(np.mean(steps), rel=1e-5) and found.num_steps == 3
    assert lpips.name in found.name and found.protocol["fps"] == 25
    assert change_ratio(found, found).ratio == 1
    still = temporal_lpips([frames[0]] * 4, lpips, fps=25)
    assert still.mean == 0 and change_ratio(found, still).ratio is None
