"""Distances, LSE-D, LSE-C and the sign of the offset against stored numbers of SyncNet's published code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.evaluation.sync_distance import (
    OffsetCurve,
    distances,
    num_windows,
    require_windows,
    sync_scores,
)

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "evaluation" / "syncnet.json").read_text()
)


def drawn(seed: int, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 16, generator=generator), torch.randn(count, 16, generator=generator)


@pytest.mark.parametrize("reach", [3, 10, 15])
def test_distances_are_the_stored_ones_with_zeros_beyond_the_ends(reach: int) -> None:
    lip, sound = drawn(3, 12)
    found = distances(lip, sound, reach=reach)
    assert found == pytest.approx(np.array(STORED["calc_pdist"]["distances"][str(reach)]), rel=1e-4)
    # Sound from before the clip is no sound: the distance is the length of the lip feature.
    assert found[0, :reach] == pytest.approx(float((lip[0] + 1e-6).norm()), rel=1e-6)


@pytest.mark.parametrize("reach", [3, 10])
def test_the_scores_of_those_distances_are_the_stored_ones(reach: int) -> None:
    told = STORED["calc_pdist"]["summary"][str(reach)]
    padded = sync_scores(distances(*drawn(3, 12), reach=reach)).padded
    assert padded.mean_distances == pytest.approx(told["mean"], rel=1e-4)
    assert padded.lse_d == pytest.approx(told["lse_d"], rel=1e-4)
    assert padded.lse_c == pytest.approx(told["lse_c"], abs=1e-4)
    assert padded.offset_frames == told["offset"]


@pytest.mark.parametrize("late_frames", [-6, 0, 4])
def test_a_sound_that_comes_late_gives_a_negative_offset(late_frames: int) -> None:
    # Once: the sign of the offset was written down nowhere, and tables mixed both readings.
    generator = torch.Generator().manual_seed(50 + late_frames)
    lip = torch.randn(40, 16, generator=generator)
    sound = torch.roll(lip, late_frames, 0) + 0.3 * torch.randn(40, 16, generator=generator)
    scores = sync_scores(distances(lip, sound, reach=15))
    told = STORED["planted_offsets"][str(late_frames)]
    assert scores.padded.mean_distances == pytest.approx(told["mean"], rel=1e-4)
    assert scores.padded.lse_d == pytest.approx(told["lse_d"], rel=1e-4)
    assert scores.padded.lse_c == pytest.approx(told["lse_c"], abs=1e-3)
    assert scores.padded.offset_frames == told["offset"] == -late_frames
    assert scores.valid_only.offset_frames == -late_frames
    assert not scores.padded.at_edge


def test_features_that_tell_nothing_are_pulled_to_the_edge_by_the_zeros_but_not_inside() -> None:
    # Once: zero features beyond the ends won, so the best shift of an uninformative clip was the outermost.
    generator = torch.Generator().manual_seed(1)
    lip, sound = (torch.randn(30, 64, generator=generator) + 5 * side for side in (1, -1))
    scores = sync_scores(distances(lip, sound))
    assert scores.padded.at_edge and abs(scores.padded.offset_frames) == 15
    assert scores.padded.lse_c > 3 * scores.valid_only.lse_c


def test_the_valid_only_curve_is_the_mean_over_pairs_inside_the_clip() -> None:
    lip, sound = drawn(7, 20)
    scores = sync_scores(distances(lip, sound, reach=4))
    pairs = lip[None].sub(sound[:, None]).add(1e-6).norm(dim=2).numpy()
    for column, shift in enumerate(range(-4, 5)):
        inside = [pairs[t + shift, t] for t in range(20) if 0 <= t + shift < 20]
        assert scores.valid_only.mean_distances[column] == pytest.approx(np.mean(inside), rel=1e-5)
    assert scores.padded.mean_distances[4] == pytest.approx(scores.valid_only.mean_distances[4])


def test_only_the_published_weights_may_use_the_official_names() -> None:
    scores = sync_scores(distances(*drawn(7, 20), reach=4))
    official = scores.numbers(published_weights=True)
    assert set(official) == {
        *("LSE-D", "LSE-C", "AV offset"),
        *("LSE-D valid-only", "LSE-C valid-only", "AV offset valid-only"),
    }
    others = scores.numbers(published_weights=False)
    assert not set(official) & set(others) and list(others.values()) == list(official.values())


def test_the_first_of_equally_near_shifts_counts() -> None:
    curve = OffsetCurve(np.array([2.0, 1.0, 3.0, 1.0, 5.0]))
    assert (curve.offset_frames, curve.lse_d, curve.lse_c) == (1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("frames", "samples", "windows"),
    [(125, 80240, 120), (125, 80000, 120), (125, 79999, 119), (100, 80000, 95), (26, 16640, 21)],
)
def test_the_last_full_window_is_left_out_as_published(frames: int, samples: int, windows: int) -> None:
    # Once: one usable window is dropped; kept so, because every published number was made so.
    assert num_windows(frames, samples) == windows


def test_a_clip_too_short_for_the_shifts_is_refused_with_its_numbers() -> None:
    assert require_windows(21, 21 * 640) == 16
    with pytest.raises(ValueError, match=r"20 frames .* 64000 samples .* at least 21 frames, 0\.84 s"):
        require_windows(20, 64000)
    with pytest.raises(ValueError, match=r"13439 samples at 16 kHz \(0\.84 s\)"):
        require_windows(100, 21 * 640 - 1)


def test_features_that_are_not_finite_never_enter_a_mean() -> None:
    lip, sound = drawn(7, 20)
    sound[3, 0] = float("nan")
    with pytest.raises(ValueError, match="1 of 20 sound features are not finite"):
        distances(lip, sound)


def test_stored_features_of_a_recorded_clip_give_the_stored_distances_and_scores(shared: Path) -> None:
    kept = load_file(shared / "golden" / "syncnet.safetensors")
    found = distances(kept["lip_features_raw"], kept["audio_features"])
    assert found == pytest.approx(kept["distances_raw"].numpy(), rel=1e-4)
    for apart, name in ((found, "raw"), (kept["distances_jpeg"].numpy(), "jpeg")):
        scores, told = sync_scores(apart), STORED[name]
        assert scores.windows == told["windows"]
        assert scores.padded.mean_distances == pytest.approx(STORED[f"mean_distance_{name}"], rel=1e-5)
        assert scores.padded.lse_d == pytest.approx(told["lse_d"], abs=1e-3)
        assert scores.padded.lse_c == pytest.approx(told["lse_c"], abs=1e-3)
        assert scores.padded.offset_frames == told["offset"] and scores.padded.at_edge
