"""CoTracker3's real definition with seeded random weights gives the stored results through our adapter.

Wants a checkout of facebookresearch/co-tracker in TALKVID_COTRACKER and the shared numbers in TALKVID_SHARED:

    TALKVID_COTRACKER=… TALKVID_SHARED=… pytest -m weights tests/curation/test_cotracker_network.py
"""

import json
import math
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.curation.cotracker import CoTrackerScorer, load_predictor
from talkvid.curation.motion import MotionConfig, build_motion_scorer

CHECKOUT = Path(os.environ.get("TALKVID_COTRACKER", ""))
STORED = Path(os.environ.get("TALKVID_SHARED", "")) / "golden"

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not (CHECKOUT / "hubconf.py").is_file(), reason="TALKVID_COTRACKER names no checkout"),
    pytest.mark.skipif(
        not (STORED / "cotracker_forward.json").is_file(), reason="TALKVID_SHARED has no stored numbers"
    ),
]


def seeded(name: str, tensor: Tensor, keep: list[str]) -> Tensor:
    """Return the tensor of that name in the network of the stored results; shapes and names decide alone."""
    if not tensor.is_floating_point() or any(part in name for part in keep):
        return tensor
    drawn = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if name == "updateformer.vis_conf_head.bias":
        return torch.full_like(drawn, 1.25)
    factor = {"updateformer.flow_head": 0.3, "updateformer.vis_conf_head": 0.5}.get(
        name.rpartition(".")[0], 1.0
    )
    if tensor.ndim >= 2:
        return drawn * factor / math.sqrt(math.prod(tensor.shape[1:]))
    return 1 + 0.1 * drawn if name.endswith("weight") else 0.1 * drawn * factor


class Listener:
    """A predictor that passes everything on and keeps what it answered."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.tracks: Tensor
        self.raw: Tensor
        forward = predictor.model.forward

        def kept(*args: Any, **kwargs: Any) -> Any:
            answer = forward(*args, **kwargs)
            self.raw = answer[1].clone()
            return answer

        predictor.model.forward = kept

    def __call__(self, video: Tensor, **asked: Any) -> tuple[Tensor, Tensor]:
        self.video, self.asked = video, asked
        self.tracks, visible = self._predictor(video, **asked)
        self.visible = visible
        return self.tracks, visible


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Listener, float, dict[str, Tensor], Any]:
    """Return (numbers, listener, ratio, tensors, predictor) of eight pictures and five by five points."""
    numbers = json.loads((STORED / "cotracker_forward.json").read_text())
    tensors = load_file(STORED / "cotracker_forward.safetensors")
    path = tmp_path_factory.mktemp("weights") / "seeded.pth"
    bare = torch.hub.load(str(CHECKOUT), "cotracker3_offline", source="local", pretrained=False)  # type: ignore[no-untyped-call]
    state = bare.model.state_dict()
    torch.save({name: seeded(name, value, numbers["meta"]["keep"]) for name, value in state.items()}, path)
    config = MotionConfig(backend="cotracker", source=str(CHECKOUT), checkpoint=str(path), grid=5)
    scorer = build_motion_scorer(config)
    assert isinstance(scorer, CoTrackerScorer)
    predictor = load_predictor(str(CHECKOUT), path, "cpu")
    scorer._predictor = listener = Listener(predictor)
    ratio = scorer.ratio(list(tensors["video_rgb_u8"][:8].numpy()))
    return numbers, listener, ratio, tensors, predictor


def test_tracks_visibility_and_ratio_are_the_stored_ones(heard: Any) -> None:
    numbers, listener, ratio, tensors, _ = heard
    assert listener.tracks[0].sub(tensors["tiny_q0_tracks"]).abs().max() < 5e-3
    assert listener.raw[0].sub(tensors["tiny_q0_raw_visibility"]).abs().max() < 1e-4
    assert ratio == pytest.approx(numbers["tiny_q0_off"]["ratio"], abs=1e-6)


def test_a_backward_pass_would_change_nothing(heard: Any) -> None:
    _, listener, _, _, predictor = heard
    tracks, visible = listener.tracks.clone(), listener.visible.clone()
    again = predictor(listener.video, **{**listener.asked, "backward_tracking": True})
    assert torch.equal(again[0], tracks) and torch.equal(again[1], visible)
