"""Makes test_samples/: public-domain portraits that come inside two Python packages, and synthetic speech.

    pip install scikit-image==0.26.0 matplotlib==3.11.2 && apt install espeak-ng
    python scripts/make_test_samples.py [FOLDER]

The same versions give the same files; origin and licence of each are in test_samples/README.md.
"""

import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import soxr
from PIL import Image

RATE = 16000


@dataclass(frozen=True)
class Sample:
    """One portrait with one sentence; the crop is (left, top, right, bottom) in pixels of the source."""

    name: str
    package: str
    picture: str
    crop: tuple[int, int, int, int]
    file_name: str
    voice: str
    words_per_minute: int
    text: str


SAMPLES = (
    Sample(
        name="astronaut",
        package="skimage",
        picture="data/astronaut.png",
        crop=(96, 0, 352, 256),
        file_name="ref.png",
        voice="en-us+f3",
        words_per_minute=165,
        text="Good morning. One photograph and a few spoken words are all that this video was made from.",
    ),
    Sample(
        name="hopper",
        package="matplotlib",
        picture="mpl-data/sample_data/grace_hopper.jpg",
        crop=(53, 10, 493, 450),
        file_name="ref.jpg",
        voice="fr+f2",
        words_per_minute=150,
        text="Bonjour à tous. Une seule image et quelques mots suffisent pour animer ce visage.",
    ),
)


def make_portrait(sample: Sample, target: Path) -> None:
    """Write the square crop of the packaged picture."""
    package = Path(str(import_module(sample.package).__file__)).parent
    with Image.open(package / sample.picture) as picture:
        picture.convert("RGB").crop(sample.crop).save(target, quality=95, optimize=True)


def make_speech(sample: Sample, target: Path) -> None:
    """Write the sentence as 16 kHz mono 16-bit WAV, spoken by espeak-ng."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder, "spoken.wav")
        voice = ["-v", sample.voice, "-s", str(sample.words_per_minute), "-w", str(spoken)]
        subprocess.run(["espeak-ng", *voice, sample.text], check=True)
        with wave.open(str(spoken)) as source:
            samples = np.frombuffer(source.readframes(source.getnframes()), dtype="<i2")
            resampled = soxr.resample(samples.astype(np.float32), source.getframerate(), RATE)
    with wave.open(str(target), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(RATE)
        sink.writeframes(np.clip(np.round(resampled), -32768, 32767).astype("<i2").tobytes())


def main() -> None:
    """Make every sample below the folder given, by default test_samples/short_case."""
    default = Path(__file__).resolve().parent.parent / "test_samples" / "short_case"
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    if not shutil.which("espeak-ng"):
        sys.exit("espeak-ng is missing: apt install espeak-ng")
    for sample in SAMPLES:
        folder = root / sample.name
        folder.mkdir(parents=True, exist_ok=True)
        make_portrait(sample, folder / sample.file_name)
        make_speech(sample, folder / "aud.wav")
        print(folder)


if __name__ == "__main__":
    main()
