"""Small files and orders for the tests of the web page."""

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from talkvid.app.orders import Order
from talkvid.inference.settings import GenerateSettings
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.checkpoints import PartPaths, locate

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
EMBEDDED = ROOT / "src" / "talkvid" / "weights" / "talkvid-mini"


def embedded_config() -> BundleConfig:
    return locate(str(EMBEDDED), parts=PartPaths()).config


def an_order(name: str = "x") -> Order:
    return Order(Path("face.png"), Path("speech.wav"), GenerateSettings(), Path(f"{name}.mp4"), 25, 4)


def write_sound(path: Path, *, seconds: float, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as sink:
        sink.setparams((1, 2, rate, 0, "NONE", ""))
        sink.writeframes(np.zeros(round(seconds * rate), np.int16).tobytes())
    return path


def first_second(path: Path, *, seconds: float = 1.0) -> Path:
    """Write the beginning of the sample's speech."""
    with wave.open(str(SAMPLE / "aud.wav")) as source, wave.open(str(path), "wb") as sink:
        sink.setparams(source.getparams())
        sink.writeframes(source.readframes(round(seconds * source.getframerate())))
    return path


def write_picture(path: Path, *, size: tuple[int, int] = (64, 64)) -> Path:
    Image.new("1" if size[0] > 5000 else "RGB", size).save(path)
    return path
