import torch

from talkvid.diffusion.noise import frame_noise


def test_noise_depends_on_seed_and_frame_alone() -> None:
    torch.manual_seed(1)
    first = frame_noise(42, 7, (4, 8, 8))
    torch.manual_seed(2)
    assert torch.equal(first, frame_noise(42, 7, (4, 8, 8)))
    assert not torch.equal(first, frame_noise(42, 8, (4, 8, 8)))
    assert not torch.equal(first, frame_noise(43, 7, (4, 8, 8)))


def test_noise_is_standard_normal_and_frames_are_unrelated() -> None:
    noise = torch.stack([frame_noise(42, frame, (4, 16, 16)) for frame in range(64)]).flatten(1)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    correlation = torch.corrcoef(noise) - torch.eye(64)
    assert float(correlation.abs().max()) < 0.15


def test_negative_and_large_seeds_are_accepted() -> None:
    assert frame_noise(-1, 0, (2,)).shape == frame_noise(2**80, 0, (2,)).shape
