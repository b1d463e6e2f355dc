from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkvid.speech.align import FrameAligner, audio_windows, resampled_rows

GOLDEN = Path(__file__).parents[1] / "data" / "parity" / "audio_windows.safetensors"


@pytest.mark.parametrize("case", range(6))
def test_windows_equal_the_reference_bit_for_bit(case: int) -> None:
    golden = load_file(GOLDEN)
    num_frames, num_pad = golden[f"{case}/meta.video_length_pad"].tolist()
    windows = audio_windows(golden[f"{case}/in.embeddings"][0], num_frames, num_pad=num_pad)
    assert torch.equal(windows, golden[f"{case}/out.windows"])


def test_chosen_frames_equal_the_reference_of_training() -> None:
    golden = load_file(GOLDEN)
    aligner = FrameAligner(golden["dataset/in.global_embeds"][:, 0], 14, num_pad=2)
    assert torch.equal(aligner.windows_at(golden["dataset/in.frame_ids"]), golden["dataset/out.windows"])


@pytest.mark.parametrize(
    ("rows", "frames"), [(50, 25), (99, 25), (100, 25), (100, 30), (7, 40), (1, 3), (331, 24)]
)
def test_a_range_equals_the_same_rows_of_everything(rows: int, frames: int) -> None:
    features = torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))
    whole = audio_windows(features, frames)
    aligner = FrameAligner(features, frames, num_pad=2)
    for first in range(frames):
        for count in (1, 3):
            expected = whole[[min(first + step, frames - 1) for step in range(count)]]
            assert torch.equal(aligner.windows(first, count), expected)


def test_rows_equal_torch_interpolation_up_to_two_rows_in_one() -> None:
    features = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    for total in (100, 117, 200, 250, 999):
        expected = torch.nn.functional.interpolate(features.T[None], size=total, mode="linear")[0].T
        assert torch.equal(resampled_rows(features, total, 0, total), expected)
    assert torch.allclose(resampled_rows(features, 100, 0, 100), features.view(100, 2, 3).mean(1))


def test_no_row_is_skipped_at_low_frame_rates() -> None:
    features = torch.randn(1000, 3, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(resampled_rows(features, 100, 0, 100), features.view(100, 10, 3).mean(1), atol=1e-6)
    whole = resampled_rows(features, 77, 0, 77)
    assert torch.allclose(whole.mean(0), features.mean(0), atol=1e-6)
    assert torch.allclose(resampled_rows(features, 77, 70, 77), whole[70:], atol=1e-6)


def test_fifty_rows_at_25_frames_pass_unchanged_with_zeros_outside() -> None:
    features = torch.arange(1.0, 21.0)[:, None]
    windows = audio_windows(features, 10, num_pad=1)[..., 0]
    assert windows[0].tolist() == [0, 0, 1, 2, 3, 4]
    assert windows[4].tolist() == [7, 8, 9, 10, 11, 12]
    assert windows[9].tolist() == [17, 18, 19, 20, 0, 0]


def test_impossible_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"must be \(T, D\) with T >= 1, got \(0, 3\)"):
        FrameAligner(torch.zeros(0, 3), 4)
    with pytest.raises(ValueError, match="num_frames must be >= 1"):
        FrameAligner(torch.zeros(2, 3), 0)
