"""The network and its weights against features of the published network with the same seeded weights.

The published weights are not at hand where these tests run: what is shown is that whichever weights stand
under the published names give the published network's features.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from talkvid.evaluation.mfcc import mfcc
from talkvid.evaluation.syncnet import SyncNetEncoder
from talkvid.evaluation.syncnet_network import SyncNet
from talkvid.evaluation.syncnet_weights import SyncNetWeights, load_syncnet
from talkvid.evaluation.weight_files import SYNCNET
from talkvid.media.jpeg_pass import JpegPass
from talkvid.records import Array
from tests.evaluation.seeded import seeded_state, state_sha256

DATA = Path(__file__).parents[1] / "data" / "evaluation"
STORED: dict[str, Any] = json.loads((DATA / "syncnet.json").read_text())

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> Iterator[SyncNet]:
    net = SyncNet()
    net.load_state_dict(seeded_state(net, factors=STORED["seed"]["overrides"]))
    yield net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def encoder(network: SyncNet) -> SyncNetEncoder:
    return SyncNetEncoder(SyncNetWeights(network, "0" * 64), batch=3)


def drawn_pictures(count: int) -> Array:
    """Return RGB (count 224 224 3) uint8 by the rule stored beside the numbers."""
    t, y, x, c = np.ogrid[:count, :224, :224, :3]
    levels: Array = (((x // 7) * (c + 2) + (y // 5) * (t + 3) + 17 * t * t) * 37 >> 2) % 256
    return levels.astype(np.uint8)


def streamed(encoder: SyncNetEncoder, pictures: Array) -> Array:
    stream = encoder.lip_stream()
    for picture in pictures:
        stream.add(picture)
    return stream.finish().numpy()


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    shapes = {key: list(tensor.shape) for key, tensor in SyncNet().state_dict().items()}
    assert shapes == STORED["shapes"]


def test_seeded_weights_are_the_stored_ones(network: SyncNet) -> None:
    assert state_sha256(network.state_dict()) == STORED["seed"]["sha256"]


def test_lip_features_are_those_of_the_published_network(encoder: SyncNetEncoder) -> None:
    features = streamed(encoder, drawn_pictures(9))
    assert features.shape == (5, 1024)
    told = np.array(STORED["lip_features"])
    # Half a unit of the stored numbers' last digit, and rounding of another machine's sums.
    assert np.abs(features[:, STORED["columns"]] - told).max() < 1e-4 * STORED["lip_deviation"]
    # Blue comes first in the network and nowhere else.
    swapped = streamed(encoder, drawn_pictures(9)[..., ::-1])
    assert np.abs(swapped[:, STORED["columns"]] - told).max() > 0.1 * STORED["lip_deviation"]


def test_sound_features_are_those_of_the_published_network(encoder: SyncNetEncoder) -> None:
    samples = load_file(DATA / "mfcc.safetensors")[f"signal_{STORED['sound']}"]
    features = encoder.sound_features(mfcc(samples), 5).numpy()
    assert features.shape == (5, 1024)
    told = np.array(STORED["sound_features"])
    assert np.abs(features[:, STORED["columns"]] - told).max() < 1e-4 * STORED["sound_deviation"]


@pytest.mark.parametrize("count", [4, 5, 8])
def test_batches_change_nothing(encoder: SyncNetEncoder, network: SyncNet, count: int) -> None:
    pictures = drawn_pictures(10)[:count]
    at_once = SyncNetEncoder(SyncNetWeights(network, ""), batch=20)
    ours, whole = streamed(encoder, pictures), streamed(at_once, pictures)
    assert ours.shape == whole.shape == (max(count - 4, 0), 1024)
    assert np.allclose(ours, whole, atol=1e-4 * STORED["lip_deviation"])


def test_a_stream_keeps_no_more_pictures_than_one_batch_needs(encoder: SyncNetEncoder) -> None:
    # Once: all pictures of a clip were stacked as float32 before the first feature was made.
    stream, most = encoder.lip_stream(), 0
    for picture in np.repeat(drawn_pictures(1), 12, axis=0):
        stream.add(picture)
        most = max(most, len(stream._waiting))
    assert most < 3 + 4 and len(stream.finish()) == 8


def test_a_file_is_read_strictly_and_without_running_code(network: SyncNet, tmp_path: Path) -> None:
    state = network.state_dict()
    old = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    path = tmp_path / "syncnet_v2.model"
    torch.save(old, path, _use_new_zipfile_serialization=False)
    loaded = load_syncnet(path)
    assert all((loaded.network.state_dict()[key] == tensor).all() for key, tensor in old.items())
    assert not loaded.published and len(loaded.sha256) == 64 and not loaded.network.training

    save_file(state | {"netfclip.9.bias": torch.zeros(3)}, tmp_path / "more.safetensors")
    with pytest.raises(ValueError, match=r"more.safetensors.*netfclip\.9\.bias.*models fetch syncnet"):
        load_syncnet(tmp_path / "more.safetensors")
    save_file(state | {"netfclip.3.bias": torch.zeros(256)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"netfclip\.3\.bias is \(256,\).*models fetch syncnet"):
        load_syncnet(tmp_path / "other.safetensors")
    save_file(state | {"netfclip.3.bias": torch.full((1024,), float("nan"))}, tmp_path / "nan.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        load_syncnet(tmp_path / "nan.safetensors")
    torch.save(network, tmp_path / "whole.model")
    with pytest.raises(ValueError, match="wants to run code"):
        load_syncnet(tmp_path / "whole.model")


def test_absent_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"syncnet_v2\.model.*`talkvid models fetch syncnet`"):
        load_syncnet(tmp_path / "syncnet_v2.model")


def test_only_a_file_with_the_recorded_checksum_counts_as_published(network: SyncNet) -> None:
    assert SyncNetWeights(network, SYNCNET.sha256).published
    assert not SyncNetWeights(network, SYNCNET.sha256[::-1]).published


def test_features_of_a_recorded_clip_are_the_stored_ones(encoder: SyncNetEncoder, shared: Path) -> None:
    kept: dict[str, Array] = load_file(shared / "golden" / "syncnet.safetensors")
    pictures = kept["frames_bgr_u8_first9"][..., ::-1]
    told = kept["lip_features_raw"][:5]
    assert np.abs(streamed(encoder, pictures) - told).max() < 1e-3 * told.std()
    heard = encoder.sound_features(mfcc(kept["audio_s16"]), 120).numpy()
    assert np.abs(heard - kept["audio_features"]).max() < 1e-3 * kept["audio_features"].std()


def test_the_jpeg_pass_gives_the_stored_features_of_jpeg_files(encoder: SyncNetEncoder, shared: Path) -> None:
    kept: dict[str, Array] = load_file(shared / "golden" / "syncnet.safetensors")
    passed = JpegPass(fps=25, half_chroma=False)
    pictures = np.stack([passed(picture) for picture in kept["frames_bgr_u8_first9"][..., ::-1]])
    told = kept["lip_features_jpeg_first5"]
    # Exact only with the same encoder; without the pass the largest difference is 0.14.
    assert np.abs(streamed(encoder, pictures) - told).max() < 0.02 * told.std()
