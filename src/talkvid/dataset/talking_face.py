"""Windows of prepared talking-face clips as training samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talkvid.dataset.augment import Augmentation, change_frame, change_points, draw_augmentation
from talkvid.dataset.batch import Sample, SampleKey
from talkvid.dataset.face_track import FaceTrack, load_face_track, load_numbers
from talkvid.dataset.index import Clip, least_frames
from talkvid.face.keypoints import draw_vkps
from talkvid.face.masks import lip_mask
from talkvid.media.video import read_at
from talkvid.records import Array
from talkvid.speech.align import FrameAligner

AUDIO_KEY = "global_embeds"


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
    """Usable clips as samples: sample i is always a window of clip i, chosen by (seed, epoch, i) alone."""

    def __init__(self, clips: Sequence[Clip], settings: WindowSettings, *, seed: int = 0) -> None:
        short = [clip.id for clip in clips if clip.num_frames < settings.least_frames]
        if not clips or short:
            raise ValueError(
                f"{len(short)} of {len(clips)} clips have less than {settings.least_frames} frames; "
                "choose clips with find_clips"
            )
        self.clips = list(clips)
        self.settings = settings
        self.seed = seed

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: SampleKey | int) -> Sample:
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
        return cut_sample(clip, window, settings, rng=rng)


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


def cut_sample(clip: Clip, window: Window, settings: WindowSettings, *, rng: np.random.Generator) -> Sample:
    """Return the sample of a clip's window, its random changes drawn from `rng`."""
    track = load_face_track(clip.face_info)
    _check_length(track, clip)
    *targets, reference = read_at(
        clip.video, [*range(window.first, window.first + window.count), window.reference]
    )
    change = draw_augmentation(
        (reference.shape[1], reference.shape[0]),
        (settings.width, settings.height),
        rng=rng,
        flip_probability=settings.flip_probability,
        min_crop=settings.min_crop,
        colour=settings.colour,
    )
    frames = slice(window.first, window.first + window.count)
    points = change_points(track.points[frames], change)
    mouth = change_points(track.mouth[frames], change)
    return Sample(
        id=clip.id,
        reference_image=_signed(_changed([reference], change))[:, 0],
        target_images=_signed(_changed(targets, change)),
        kps_images=_unsigned(np.stack([draw_vkps(five, settings.width, settings.height) for five in points])),
        audio_windows=_audio_windows(clip, window, num_pad=settings.num_pad_audio_frames),
        lip_masks=_lip_masks(mouth, settings),
        reference_points=torch.from_numpy(change_points(track.points[window.reference], change)),
        target_points=torch.from_numpy(points),
    )


def load_audio_features(path: Path) -> Tensor:
    """Return the speech features (T D) of a clip, as stored under `global_embeds` by either tool."""
    if path.suffix in (".pt", ".pth"):
        stored: Any = load_numbers(path)
    else:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            stored = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path}: cannot be read ({error}); prepare the data again") from error
    if not isinstance(stored, dict) or AUDIO_KEY not in stored:
        raise ValueError(f"{path}: holds no {AUDIO_KEY}; prepare the data again")
    features = torch.as_tensor(stored[AUDIO_KEY]).float()
    if features.ndim == 3:
        features = features.squeeze(0) if features.shape[0] == 1 else features.squeeze(1)
    if features.ndim != 2 or not len(features):
        raise ValueError(f"{path}: {AUDIO_KEY} has shape {tuple(features.shape)}, expected (T, 1, D)")
    return features


def _audio_windows(clip: Clip, window: Window, *, num_pad: int) -> Tensor:
    features = load_audio_features(clip.audio_embeds)
    aligner = FrameAligner(features, clip.num_frames, num_pad=num_pad)
    return aligner.windows(window.first, window.count)


def _lip_masks(mouth: Array, settings: WindowSettings) -> Tensor:
    """Return the masks of mouth points (F N 2) at latent size: (1 F h w)."""
    masks = np.stack([lip_mask(points, settings.width, settings.height) for points in mouth])
    size = (settings.height // settings.latent_factor, settings.width // settings.latent_factor)
    return torch.nn.functional.interpolate(torch.from_numpy(masks)[None], size=size, mode="bilinear")


def _check_length(track: FaceTrack, clip: Clip) -> None:
    if len(track) < clip.num_frames:
        raise ValueError(
            f"{clip.face_info}: {len(track)} frames, the list says {clip.num_frames}; prepare it again"
        )


def _changed(frames: Sequence[Array], change: Augmentation) -> Array:
    return np.stack([change_frame(frame, change) for frame in frames])


def _unsigned(frames: Array) -> Tensor:
    """Turn (F H W 3) uint8 into (3 F H W) in [0, 1]."""
    return torch.from_numpy(frames).permute(3, 0, 1, 2).float() / 255


def _signed(frames: Array) -> Tensor:
    """Turn (F H W 3) uint8 into (3 F H W) in [-1, 1]."""
    return _unsigned(frames) * 2 - 1
