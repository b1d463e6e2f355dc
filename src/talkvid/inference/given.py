"""A portrait and a speech given as arrays, pictures or tensors, as files for those who read files."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import wavfile
from torch import Tensor

from talkvid.inference.settings import PathLike
from talkvid.media.image import rgb_pixels, save_image
from talkvid.records import Array


@contextlib.contextmanager
def as_files(image: Any, audio: Any, sampling_rate: int | None) -> Iterator[tuple[PathLike, PathLike]]:
    """Hand out the paths of a portrait and a speech; what is no file lies in a temporary folder meanwhile.

    Nothing is lost on the way: pictures are written as PNG, samples as float32. Inputs as in
    `picture_array` and `mono_samples`; errors too.
    """
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
        if not isinstance(image, str | os.PathLike):
            pixels = picture_array(image)
            image = Path(folder) / "portrait.png"
            save_image(image, pixels)
        if isinstance(audio, str | os.PathLike):
            if sampling_rate is not None:
                raise ValueError("sampling_rate: a file of sound tells its own; leave it out")
        else:
            samples, rate = mono_samples(audio, sampling_rate)
            audio = Path(folder) / "speech.wav"
            wavfile.write(audio, rate, samples)
        yield image, audio


def picture_array(image: Any) -> Array:
    """Return one picture as RGB uint8 (H W 3).

    It may be a PIL picture, an array (H W 3) or a tensor (3 H W), either uint8 or floating from 0 to 1, with
    or without a leading axis of 1. Raises ValueError for anything else, several pictures included.
    """
    if isinstance(image, Image.Image):
        return rgb_pixels(image)
    is_tensor = isinstance(image, Tensor)
    if not is_tensor and not isinstance(image, np.ndarray):
        raise ValueError(
            f"image: a path, a PIL picture, an array or a tensor is needed, got {type(image).__name__}"
        )
    pixels: Array = (
        image.detach().cpu().float().numpy() if is_tensor and image.is_floating_point() else np.asarray(image)
    )
    shape = tuple(pixels.shape)
    if pixels.ndim == 4 and len(pixels) == 1:
        pixels = pixels[0]
    if is_tensor and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.shape[-1] != 3:
        wanted = "(3 H W)" if is_tensor else "(H W 3)"
        raise ValueError(f"image: one picture of the shape {wanted} is needed, got {shape}")
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype.kind != "f" or not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(
            f"image: values are uint8, or floating from 0 to 1, got {pixels.dtype} outside of that"
        )
    return np.ascontiguousarray(np.rint(pixels * 255).astype(np.uint8))


def mono_samples(audio: Any, sampling_rate: int | None) -> tuple[Array, int]:
    """Return mono samples (N,) float32, full scale 1, and their rate in Hz.

    `audio` is an array or tensor (N,), or (channels N) whose mean is taken, floating or int16; or what
    `datasets` and `transformers` make of a sound: {"array": …, "sampling_rate": …}. Raises ValueError for
    anything else, for a missing rate and for samples that are no numbers.
    """
    if isinstance(audio, Mapping) and {"array", "sampling_rate"} <= audio.keys():
        if sampling_rate not in (None, audio["sampling_rate"]):
            raise ValueError(
                f"sampling_rate {sampling_rate} differs from {audio['sampling_rate']} of the audio"
            )
        audio, sampling_rate = audio["array"], int(audio["sampling_rate"])
    if isinstance(audio, Tensor):
        audio = audio.detach().cpu().numpy()
    if not isinstance(audio, np.ndarray):
        raise ValueError(f"audio: a path, an array or a tensor is needed, got {type(audio).__name__}")
    if sampling_rate is None or not sampling_rate > 0:
        raise ValueError(f"sampling_rate: samples need their rate in Hz, got {sampling_rate}")
    samples = audio / 32768 if audio.dtype == np.int16 else audio
    if samples.dtype.kind != "f":
        raise ValueError(f"audio: samples are floating (full scale 1) or int16, got {audio.dtype}")
    if samples.ndim == 2 and samples.shape[0] <= 8:
        samples = samples.mean(axis=0)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"audio: samples (N,) or (channels N) that are numbers are needed, got {audio.shape}"
        )
    return np.ascontiguousarray(samples, dtype=np.float32), int(sampling_rate)
