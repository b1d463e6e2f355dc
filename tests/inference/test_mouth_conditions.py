import numpy as np
import torch
from torch import Tensor

from talkvid.diffusion.sampler import stream_latents
from talkvid.face.mouth_stage import MouthStage
from talkvid.inference.conditions import FrameCache, PictureFeatures
from talkvid.inference.device import Placement
from talkvid.inference.head_track import HeadTrack, similarity
from talkvid.inference.mouth_conditions import MADE_TOGETHER, MouthConditions
from talkvid.inference.scene import signed_pictures
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.model.bundle_config import BundleConfig
from talkvid.records import Array, Face

CPU = Placement(torch.device("cpu"), torch.float32)
SIZE = 256
STILL = resolve(GenerateSettings(), BundleConfig())


def drawn_face() -> Face:
    """A face of points on ellipses, with the order of lips and outline that the layout wants."""
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    outer = np.stack([128 + 26 * np.cos(angles), 180 - 11 * np.sin(angles)], -1)
    inner = np.stack([128 + 20 * np.cos(angles), 180 - 4 * np.sin(angles)], -1)
    turn = np.linspace(0, 2 * np.pi, 105, endpoint=False)
    contour = np.stack([128 + 70 * np.cos(turn), 130 + 95 * np.sin(turn)], -1)
    return Face(
        box=np.array([58, 35, 198, 225], np.float32),
        points=np.array([[100, 110], [156, 110], [128, 145], [102, 180], [154, 180]], np.float32),
        score=1.0,
        lips=np.concatenate([outer, inner]).astype(np.float32),
        contour=contour.astype(np.float32),
    )


class PoolingAutoencoder:
    factor = 8
    channels = 3

    def encode(self, images: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(images, 8)

    def decode(self, latents: Tensor) -> Tensor:
        return (torch.nn.functional.interpolate(latents, scale_factor=8) / 2 + 0.5).clamp(0, 1)


def conditions(motion: Array, poses: Array) -> tuple[MouthConditions, Array]:
    rng = np.random.default_rng(0)
    small = rng.integers(60, 200, (16, 16, 3), dtype=np.uint8)
    portrait = np.asarray(np.kron(small, np.ones((16, 16, 1), np.uint8)))
    face = drawn_face()
    made = MouthConditions(
        MouthStage(portrait, face),
        motion=motion,
        head=HeadTrack(
            face,
            poses=poses,
            size=(SIZE, SIZE),
            lively=None,
            settings=STILL,
            speech=torch.zeros(4, 80),
            spoken=None,
        ),
        lids=None,
        vae=PoolingAutoencoder(),
        to_tensor=lambda pictures: signed_pictures(pictures, CPU),
        audio_tokens=FrameCache(lambda frames: [torch.zeros(5, 4) for _ in frames]),
        kps_features=lambda draw: PictureFeatures(torch.nn.Identity(), draw, CPU),
    )
    return made, portrait


def still_poses(num_frames: int) -> Array:
    return np.repeat(drawn_face().points[None, :3].astype(np.float64), num_frames, axis=0)


def test_without_motion_and_change_every_frame_is_the_portrait() -> None:
    made, portrait = conditions(np.zeros((3, 57, 2), np.float32), still_poses(3))
    latents = torch.stack([made.initial(frame) for frame in range(3)])
    for picture in made.pictures([0, 1, 2], latents):
        assert np.abs(picture.astype(int) - portrait).mean() < 4
        assert np.array_equal(picture[:60], portrait[:60])


def test_a_change_of_the_latents_shows_at_the_mouth_alone() -> None:
    made, _ = conditions(np.zeros((2, 57, 2), np.float32), still_poses(2))
    latents = torch.stack([made.initial(frame) for frame in range(2)])
    before, after = made.pictures([0], latents[:1])[0], made.pictures([1], latents[1:] + 0.5)[0]
    difference = after.astype(int) - before
    assert difference[175:185, 120:136].mean() > 30
    assert np.abs(difference[:120]).max() == 0


def test_the_whole_stream_keeps_only_what_is_under_way() -> None:
    rng = np.random.default_rng(1)
    motion = (rng.standard_normal((20, 57, 2)) * 0.01).astype(np.float32)
    made, _ = conditions(motion, still_poses(20))
    most = 0

    def predict(latents: Tensor, frames: object, step: int) -> Tensor:
        window = made.window(frames)  # type: ignore[arg-type]
        assert window.audio_tokens is not None and window.kps_features is not None
        return torch.zeros_like(latents)

    stream = stream_latents(
        20, 1, size=6, overlap=2, predict=predict,
        update=lambda prediction, latents, step: latents + prediction, initial=made.initial,
    )  # fmt: skip
    for frame, latents in stream:
        assert made.pictures([frame], latents[None])[0].shape == (SIZE, SIZE, 3)
        most = max(most, len(made._stands))
        made.release(frame)
    assert len(made._stands) == 0 and most <= 6 + MADE_TOGETHER


def test_a_moved_pose_moves_the_head() -> None:
    poses = still_poses(2)
    poses[1] += [12.0, 4.0]
    made, portrait = conditions(np.zeros((2, 57, 2), np.float32), poses)
    latents = torch.stack([made.initial(frame) for frame in range(2)])
    still, moved = made.pictures([0, 1], latents)
    assert np.abs(still[90:140, 110:150].astype(int) - portrait[90:140, 110:150]).mean() < 4
    shifted = np.roll(portrait, (4, 12), axis=(0, 1))
    assert np.abs(moved[95:140, 115:150].astype(int) - shifted[95:140, 115:150]).mean() < 12


def test_a_similarity_is_found_again() -> None:
    points = drawn_face().points
    turn = 1.3 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    found, shift = similarity(points, points @ turn.T + [5, -7])
    np.testing.assert_allclose(found, turn, atol=1e-6)
    np.testing.assert_allclose(shift, [5, -7], atol=1e-4)
