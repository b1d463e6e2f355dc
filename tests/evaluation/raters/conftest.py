"""Short drawn videos of three systems and their true ones, each bearing its maker's name in its metadata."""

from pathlib import Path

import pytest

from talkvid.media import ffmpeg

PICTURES = {
    "ZebraNet": "testsrc=size=64x64:rate=25",
    "YakFlow7": "testsrc2=size=64x48:rate=25",
    "XerusGan": "mandelbrot=size=64x64:rate=25",
    "true": "color=gray:size=64x64:rate=25,geq=lum='128+100*sin(X/12+N/3)':cb=128:cr=128",
}
CLIPS = ("speech_eins", "speech_zwei", "speech_drei")


def draw(path: Path, picture: str, *, name: str = "", seconds: float = 0.6, audio: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = ["-f", "lavfi", "-i", "sine=frequency=300", "-c:a", "aac"] if audio else []
    inputs, codec = sound[:4], sound[4:]
    ffmpeg.run(
        "-f", "lavfi", "-i", picture, *inputs, "-t", str(seconds), "-metadata", f"comment=made by {name}",
        "-metadata:s:v", f"handler_name={name}", "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", *codec, path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder of videos for each system, and `true` for the true ones."""
    folder = tmp_path_factory.mktemp("material")
    for name, picture in PICTURES.items():
        for clip in CLIPS:
            draw(folder / name / f"{clip}.mp4", picture, name=name)
    return folder
