import numpy as np
import torch
from torch import Tensor, nn

from talkvid.inference.conditions import FrameCache, PictureFeatures, PlainConditions
from talkvid.inference.device import Placement
from talkvid.records import Array

CPU = Placement(torch.device("cpu"), torch.float32)


class MeanGuider(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_pictures = 0

    def forward(self, images: Tensor) -> Tensor:
        self.num_pictures += images.shape[2]
        return images[:, :1, :, ::8, ::8] * 10


def picture(value: int) -> Array:
    return np.full((16, 24, 3), value, np.uint8)


def test_a_value_is_made_once_per_frame_and_dropped_with_it() -> None:
    asked: list[int] = []

    def make(frames: list[int]) -> list[int]:
        asked.extend(frames)
        return [frame * 10 for frame in frames]

    cache = FrameCache(make)
    assert cache.get([1, 2, 2]) == [10, 20, 20]
    assert cache.get([2, 3]) == [20, 30]
    assert asked == [1, 2, 3]
    cache.release(1)
    cache.release(7)
    assert len(cache) == 2


def test_one_picture_for_the_whole_video_is_guided_once() -> None:
    guider = MeanGuider()
    features = PictureFeatures(guider, lambda frame: picture(51), CPU)
    for first in range(0, 100, 4):
        window = features.get(range(first, first + 6))
        assert window.shape == (1, 1, 6, 2, 3)
        for frame in range(first, first + 4):
            features.release(frame)
    assert guider.num_pictures == features.num_computed == 1
    torch.testing.assert_close(window, torch.full((1, 1, 6, 2, 3), 2.0))


def test_different_pictures_are_kept_only_while_their_frames_are() -> None:
    guider = MeanGuider()
    features = PictureFeatures(guider, lambda frame: picture(frame), CPU)
    window = features.get([3, 4, 5, 5])
    torch.testing.assert_close(window[0, 0, :, 0, 0], torch.tensor([3.0, 4, 5, 5]) * 10 / 255)
    features.get([5, 6])
    assert guider.num_pictures == 4 and len(features) == 4
    for frame in (3, 4, 5):
        features.release(frame)
    assert len(features) == 1


def test_plain_conditions_join_tokens_and_features_of_a_window() -> None:
    tokens = FrameCache(lambda frames: [torch.full((5, 8), float(frame)) for frame in frames])
    conditions = PlainConditions(
        picture(0),
        noise=lambda frame: torch.full((1, 2, 3), float(frame)),
        decode=lambda latents: [picture(int(value)) for value in latents[:, 0, 0, 0]],
        audio_tokens=tokens,
        kps_features=PictureFeatures(MeanGuider(), picture, CPU),
    )
    window = conditions.window([7, 8, 8])
    assert window.audio_tokens is not None and window.audio_tokens.shape == (1, 3, 5, 8)
    assert window.kps_features is not None and window.kps_features.shape == (1, 1, 3, 2, 3)
    conditions.release(7)
    assert len(tokens) == 1
    assert float(conditions.initial(3).mean()) == 3.0
    assert conditions.pictures([0, 1], torch.full((2, 1, 2, 3), 9.0))[1][0, 0, 0] == 9
