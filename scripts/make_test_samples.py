"""Makes test_samples/: public-domain portraits from two Python packages, synthetic speech, key points.

    pip install -e . scikit-image==0.26.0 matplotlib==3.11.2 && apt install espeak-ng
    python scripts/make_test_samples.py [FOLDER]

The same versions give the same files; origin and licence of each are in test_samples/README.md.
"""

import math
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
from safetensors.numpy import save_file

from talkvid.face.detect import build_detector, choose_face
from talkvid.media.image import load_image

RATE = 16000
KPS_SIDE = 512
"""Key points refer to a picture of this side, as `--kps_size` expects by default."""
KPS_FRAMES = 100
SWAY_DEG = 2.0
SWAY_SHARE = 0.06
"""Sideways motion as a share of the distance between the eyes."""


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


def make_key_points(portrait: Path, target: Path) -> None:
    """Write eyes and nose of the portrait, gently swaying once to and fro: `kps` (F 3 2) float32."""
    image = load_image(portrait)
    points = choose_face(build_detector("embedded").detect(image), source=portrait).points[:3]
    points = points.astype(np.float64) * (KPS_SIDE / image.shape[1])
    centre, eyes_px = points.mean(axis=0), float(np.linalg.norm(points[1] - points[0]))
    frames = []
    for frame in range(KPS_FRAMES):
        phase = math.sin(2 * math.pi * frame / KPS_FRAMES)
        sine, cosine = math.sin(math.radians(SWAY_DEG * phase)), math.cos(math.radians(SWAY_DEG * phase))
        turned = (points - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
        frames.append(turned + np.array([SWAY_SHARE * eyes_px * phase, 0.0]))
    save_file({"kps": np.round(np.stack(frames), 2).astype(np.float32)}, target)


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
        make_key_points(folder / sample.file_name, folder / "kps.safetensors")
        print(folder)


if __name__ == "__main__":
    main()
