"""Filling a latent cache before training: each process its share, a killed filling goes on where it was."""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from talkvid.dataset.augment import Augmentation, change_frame, draw_augmentation
from talkvid.dataset.index import Clip
from talkvid.dataset.latent_cache import LatentCache
from talkvid.dataset.pictures import signed_pictures
from talkvid.media.video import read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

Moments = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From images (N 3 H W) in [-1, 1] to mean and standard deviation of the scaled latents, each (N C h w)."""

FRAMES_AT_ONCE = 8


def fill_cache(
    cache: LatentCache,
    clips: Sequence[Clip],
    moments: Moments,
    *,
    device: torch.device | str = "cpu",
    rank: int = 0,
    processes: int = 1,
) -> dict[str, str]:
    """Encode what is missing or stale of every `processes`-th clip; return id -> reason of clips that failed.

    Nothing is random in it: the same clips and weights give the same files. The encoder runs in the precision
    of its weights.
    """
    mine = clips[rank::processes]
    missing = [clip for clip in mine if cache.fault(clip)]
    if missing:
        logger.info("latents of %d of %d clips are encoded into %s", len(missing), len(mine), cache.folder)
    failed: dict[str, str] = {}
    for clip in tqdm(missing, desc="encoding latents", unit="clip", disable=rank > 0 or not missing):
        try:
            _encode_clip(cache, clip, moments, device=device)
        except (ValueError, FileNotFoundError) as error:
            failed[clip.id] = str(error)
    return failed


def _encode_clip(cache: LatentCache, clip: Clip, moments: Moments, *, device: torch.device | str) -> None:
    kinds: dict[bool, list[Tensor]] = {flip: [] for flip in ((False, True) if cache.mirrored else (False,))}
    frames = islice(read_frames(clip.video), clip.num_frames)
    size = (0, 0)
    for group in _groups(frames, FRAMES_AT_ONCE):
        size = (group[0].shape[1], group[0].shape[0])
        for flip, found in kinds.items():
            found.append(_encoded(group, cached_change(size, cache, flip=flip), moments, device=device))
    done = {flip: torch.cat(found) for flip, found in kinds.items() if found}
    count = len(done[False]) if done else 0
    if count != clip.num_frames:
        raise ValueError(f"{clip.video}: {count} frames, the list says {clip.num_frames}; prepare it again")
    cache.write(clip, done[False], done.get(True), frame_size=size)


def cached_change(frame_size: tuple[int, int], cache: LatentCache, *, flip: bool) -> Augmentation:
    """Return what a sample without crop and colour changes does to its frames: resize, and mirror or not."""
    rng = np.random.default_rng(0)
    size = (cache.width, cache.height)
    return draw_augmentation(frame_size, size, rng=rng, flip_probability=1.0 if flip else 0.0)


@torch.no_grad()
def _encoded(
    frames: Sequence[Array], change: Augmentation, moments: Moments, *, device: torch.device | str
) -> Tensor:
    """Return moments (N 2 C h w) float16 on the CPU."""
    images = signed_pictures([change_frame(frame, change) for frame in frames]).transpose(0, 1)
    mean, deviation = moments(images.contiguous().to(device))
    return torch.stack([mean, deviation], dim=1).half().cpu()


def _groups(frames: Iterator[Array], size: int) -> Iterator[list[Array]]:
    while group := list(islice(frames, size)):
        yield group
