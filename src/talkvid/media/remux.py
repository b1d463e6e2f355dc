"""Copies of videos that say nothing of where they come from: no tags, no names, no encoder's signature."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from talkvid.files import atomic_path
from talkvid.media import ffmpeg
from talkvid.media.container import audio_stream, open_media, video_stream

EVERY_BROWSER = {
    "video": frozenset({"h264"}),
    "pixels": frozenset({"yuv420p", "yuvj420p"}),
    "audio": frozenset({"aac", "mp3"}),
}
"""What plays in every browser, on phones too."""
NAMELESS = (
    *("-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"),
    *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
)
WITHOUT_ENCODER_NOTES = ("-bsf:v", "filter_units=remove_types=6")
"""H.264 units of type 6 (SEI) hold the encoder's version and settings as text; no picture needs them."""
FIRST_STREAMS = ("-map", "0:v:0", "-map", "0:a:0")
AS_MP4 = ("-movflags", "+faststart", "-f", "mp4")
EVEN_SIZE = "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p"


@dataclass(frozen=True)
class Codecs:
    """How pictures and sound of a file are stored."""

    video: str
    pixels: str
    audio: str

    @property
    def in_every_browser(self) -> bool:
        """Return whether phones and browsers play it without conversion."""
        return all(getattr(self, part) in known for part, known in EVERY_BROWSER.items())


def codecs(path: str | os.PathLike[str]) -> Codecs:
    """Return how the first video and audio stream are stored; ValueError when one of them is missing."""
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        pictures = video_stream(container, name).codec_context
        sound = audio_stream(container, name).codec_context
        return Codecs(pictures.name, str(pictures.pix_fmt), sound.name)


def nameless_copy(source: str | os.PathLike[str], target: Path) -> None:
    """Write the H.264 pictures and the sound as they are into an mp4 without any tag or encoder's note.

    Pictures and sound are not encoded anew, so an AAC stream may still hold its encoder's version (as every
    AAC stream of ffmpeg does). The file's time is set to 1970, so that times tell no order.
    Raises FfmpegError when the streams do not fit into an mp4.
    """
    with atomic_path(target) as temporary:
        _convert(source, temporary, "-c", "copy", *WITHOUT_ENCODER_NOTES)
    os.utime(target, (0, 0))


def nameless_encode(source: str | os.PathLike[str], target: Path, *, crf: int = 16) -> None:
    """Write pictures (H.264, sizes made even) and sound (AAC 160 kbit/s) anew, without any tag or note."""
    options = ("-c:v", "libx264", "-preset", "medium", "-crf", str(crf), "-vf", EVEN_SIZE)
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
        # The encoder's own note passes the filter while it encodes, so it is removed from the finished file.
        encoded = Path(folder) / "encoded.mp4"
        _convert(source, encoded, *options, "-c:a", "aac", "-b:a", "160k")
        nameless_copy(encoded, target)


def _convert(source: str | os.PathLike[str], target: Path, *options: str) -> None:
    inputs = ("-protocol_whitelist", "file", "-i", os.path.abspath(source))
    ffmpeg.run(*inputs, *FIRST_STREAMS, *options, *NAMELESS, *AS_MP4, target)
