"""Windows of prepared talking-face clips as training samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkvid.dataset.augment import change_frame, change_points, draw_augmentation
from talkvid.dataset.batch import Sample, SampleKey
from talkvid.dataset.face_track import load_face_track
from talkvid.dataset.index import Clip, least_frames
from talkvid.dataset.latent_cache import LatentCache
from talkvid.dataset.pictures import signed_pictures, unsigned_pictures
from talkvid.dataset.speech_rows import load_audio_features, open_audio_features
from talkvid.face.keypoints import draw_vkps
from talkvid.face.masks import lip_mask
from talkvid.media.video import read_at
from talkvid.media.video_window import FrameTables
from talkvid.records import Array
from talkvid.speech.align import FrameAligner

__all__ = ["TalkingFaceDataset", "Window", "WindowSettings", "load_audio_features"]


@dataclass(frozen=True)
class WindowSettings:
    """How a sample is cut out of a clip."""

    num_frames: int
    width: int
    height: int
    latent_factor: int = 8
    """Pixels per latent, for the size of the lip mask."""
    reference_margin: int = 30
    num_pad_audio_frames: int = 2
    flip_probability: float = 0.5
    min_crop: float = 1.0
    colour: float = 0.0

    def __post_init__(self) -> None:
        if self.width % self.latent_factor or self.height % self.latent_factor:
            raise ValueError(
                f"data.width and data.height must be multiples of {self.latent_factor}, got "
                f"{self.width} x {self.height}"
            )

    @property
    def least_frames(self) -> int:
        """Return the frames a clip needs, see `index.least_frames`."""
        return least_frames(self.num_frames, reference_margin=self.reference_margin)


@dataclass(frozen=True)
class Window:
    """The frames of one sample: `count` target frames from `first`, and the reference frame."""

    first: int
    count: int
    reference: int


class TalkingFaceDataset(torch.utils.data.Dataset[Sample]):
    """Usable clips as samples: sample i is always a window of clip i, chosen by (seed, epoch, i) alone.

    With `latents`, a filled cache, no video is opened: samples hold moments instead of pictures.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        settings: WindowSettings,
        *,
        seed: int = 0,
        latents: LatentCache | None = None,
    ) -> None:
        short = [clip.id for clip in clips if clip.num_frames < settings.least_frames]
        if not clips or short:
            raise ValueError(
                f"{len(short)} of {len(clips)} clips have less than {settings.least_frames} frames; "
                "choose clips with find_clips"
            )
        if latents is not None:
            assert settings.min_crop == 1 and not settings.colour, settings
            assert (settings.width, settings.height) == (latents.width, latents.height), latents
            assert latents.mirrored or not settings.flip_probability, latents
        self.clips = list(clips)
        self.settings = settings
        self.seed = seed
        self.latents = latents
        self._tables = FrameTables()

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Return a sample; ValueError in one line naming the clip when its files cannot be read."""
        epoch, index = key if isinstance(key, tuple) else (0, key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        rng = np.random.default_rng([self.seed, epoch, index])
        clip = self.clips[index]
        settings = self.settings
        window = choose_window(
            clip.num_frames, settings.num_frames, margin=settings.reference_margin, rng=rng
        )
        try:
            return cut_sample(clip, window, settings, rng=rng, latents=self.latents, tables=self._tables)
        except (ValueError, OSError) as error:
            raise ValueError(f"clip {clip.id}: {error}, or take the clip out of its data list") from error


def choose_window(num_frames: int, count: int, *, margin: int, rng: np.random.Generator) -> Window:
    """Return a random window of `count` frames and a reference frame at least `margin` frames away from it.

    Between the window and the reference lie at least `margin` frames, on either side alike. Needs
    `num_frames` >= count + margin + 1.
    """
    assert num_frames >= count + margin + 1, (num_frames, count, margin)
    starts = np.arange(num_frames - count + 1)
    before = np.maximum(0, starts - margin)
    after = np.maximum(0, num_frames - starts - count - margin)
    starts = starts[(before + after) > 0]
    first = int(rng.choice(starts))
    choices = np.concatenate([np.arange(0, first - margin), np.arange(first + count + margin, num_frames)])
    return Window(first=first, count=count, reference=int(rng.choice(choices)))


def cut_sample(
    clip: Clip,
    window: Window,
    settings: WindowSettings,
    *,
    rng: np.random.Generator,
    latents: LatentCache | None = None,
    tables: FrameTables | None = None,
) -> Sample:
    """Return the sample of a clip's window, its random changes drawn from `rng`."""
    parts = (
        slice(window.first, window.first + window.count),
        slice(window.reference, window.reference + 1),
    )
    track = load_face_track(clip.face_info, parts)
    frames: Array = np.empty(0)
    if latents is None:
        numbers = [*range(window.first, window.first + window.count), window.reference]
        frames = read_at(clip.video, numbers, tables=tables)
        frame_size = (frames[0].shape[1], frames[0].shape[0])
    else:
        frame_size = latents.frame_size(clip)
    change = draw_augmentation(
        frame_size,
        (settings.width, settings.height),
        rng=rng,
        flip_probability=settings.flip_probability,
        min_crop=settings.min_crop,
        colour=settings.colour,
    )
    points = change_points(track.points, change)
    mouth = change_points(track.mouth[:-1], change)
    pictures = torch.empty(3, len(points), 0, 0)
    moments = None
    if latents is None:
        pictures = signed_pictures([change_frame(frame, change) for frame in frames])
    else:
        moments = latents.read(clip, parts, mirrored=change.flip)
    return Sample(
        id=clip.id,
        reference_image=pictures[:, -1],
        target_images=pictures[:, :-1],
        kps_images=unsigned_pictures(
            [draw_vkps(five, settings.width, settings.height) for five in points[:-1]]
        ),
        audio_windows=_audio_windows(clip, window, num_pad=settings.num_pad_audio_frames),
        lip_masks=_lip_masks(mouth, settings),
        reference_points=torch.from_numpy(points[-1]),
        target_points=torch.from_numpy(points[:-1]),
        reference_moments=None if moments is None else moments[-1],
        target_moments=None if moments is None else moments[:-1],
    )


def _audio_windows(clip: Clip, window: Window, *, num_pad: int) -> Tensor:
    features = open_audio_features(clip.audio_embeds)
    aligner = FrameAligner(features, clip.num_frames, num_pad=num_pad)
    return aligner.windows(window.first, window.count)


def _lip_masks(mouth: Array, settings: WindowSettings) -> Tensor:
    """Return the masks of mouth points (F N 2) at latent size: (1 F h w)."""
    masks = np.stack([lip_mask(points, settings.width, settings.height) for points in mouth])
    size = (settings.height // settings.latent_factor, settings.width // settings.latent_factor)
    return torch.nn.functional.interpolate(torch.from_numpy(masks)[None], size=size, mode="bilinear")
