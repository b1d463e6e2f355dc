"""Still pictures: always RGB uint8 (H W 3), upright, on opaque ground."""

import io
import logging
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from talkvid.files import atomic_path
from talkvid.media.files import require_file
from talkvid.records import Array

logger = logging.getLogger(__name__)

MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are unpacked."""
BACKGROUND = (255, 255, 255)
"""What shows through where a picture is transparent."""


def load_image(path: str | os.PathLike[str]) -> Array:
    """Return the picture as RGB uint8 (H W 3), turned as its EXIF tag says, on white where transparent.

    An embedded colour profile is converted to sRGB; 16-bit grey is scaled to 8 bits.
    Raises FileNotFoundError or ValueError when it is missing, truncated, too large or not a picture.
    """
    path = require_file(path, what="picture")
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(
                    f"{path}: {picture.width}x{picture.height} is over {MAX_PIXELS} pixels; scale it down"
                )
            picture.load()
            return rgb_pixels(picture, source=path)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: this is not a picture that can be read; give a JPEG or PNG") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: this picture cannot be decoded ({error}); copy it again") from error


def rgb_pixels(picture: Image.Image, *, source: str | os.PathLike[str] = "the picture") -> Array:
    """Return an open picture as RGB uint8 (H W 3): turned upright, in sRGB, on white where transparent.

    A copy of PIL's that has lost its EXIF tag is taken as it is.
    """
    upright = ImageOps.exif_transpose(picture)
    return np.array(_opaque_rgb(_to_srgb(upright, source)))


def probe_image(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return width and height as stored, without unpacking the picture; errors as `load_image`.

    A picture that is damaged further in is not noticed.
    """
    path = require_file(path, what="picture")
    try:
        with Image.open(path) as picture:
            return picture.width, picture.height
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: this is not a picture that can be read; give a JPEG or PNG") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: this picture cannot be decoded ({error}); copy it again") from error


def _to_srgb(picture: Image.Image, path: str | os.PathLike[str]) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    try:
        return (
            ImageCms.profileToProfile(
                picture,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGBA" if picture.mode == "RGBA" else "RGB",
            )
            or picture
        )
    except (ImageCms.PyCMSError, OSError) as error:
        logger.warning("%s: its colour profile cannot be used (%s); taken as sRGB", path, error)
        return picture


def _opaque_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        grey = np.asarray(picture, dtype=np.float64) * (255 / 65535)
        picture = Image.fromarray(np.clip(grey + 0.5, 0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return picture.convert("RGB")


def save_image(path: str | os.PathLike[str], image: Array) -> None:
    """Write RGB uint8 (H W 3) or grey (H W) in the format of the suffix, whole or not at all."""
    assert image.dtype == np.uint8, image.dtype
    suffix = Path(path).suffix.lower()
    if suffix not in Image.registered_extensions():
        raise ValueError(f"{path}: no picture format has the suffix {suffix!r}; use .png or .jpg")
    with atomic_path(path) as temporary:
        # Formats without these two settings ignore them.
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, quality=95, subsampling=0)


def resize(image: Array, width: int, height: int) -> Array:
    """Return the uint8 picture (H W 3) or (H W) at the new size, Lanczos as in PIL."""
    if image.shape[:2] == (height, width):
        return image.copy()
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
