"""The ffmpeg program that comes with imageio-ffmpeg: found once, run with list arguments, exit checked."""

import functools
import subprocess
from os import PathLike
from typing import IO

TAIL_LINES = 6
TAIL_BYTES = 8192
AFTERMATH = ("Task finished with error", "Terminating thread", "Nothing was written into")
"""Lines that follow every failure and tell nothing."""


class FfmpegError(RuntimeError):
    """Ffmpeg ended with an error; the message holds the last lines it wrote."""


@functools.cache
def executable() -> str:
    """Return the path of the ffmpeg program (IMAGEIO_FFMPEG_EXE in the environment overrides it)."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def command(*arguments: str | PathLike[str]) -> list[str]:
    """Return the argument list of a quiet, non-interactive ffmpeg call."""
    return [executable(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]


def tail(text: str) -> str:
    """Return the last telling lines of what ffmpeg wrote as one line."""
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not any(phrase in line for phrase in AFTERMATH)
    ]
    return "; ".join(lines[-TAIL_LINES:]) or "no message"


def tail_of(stream: IO[bytes]) -> str:
    """Return the last lines of a file that received ffmpeg's messages as one line."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - TAIL_BYTES))
    return tail(stream.read().decode(errors="replace"))


def run(*arguments: str | PathLike[str]) -> None:
    """Run ffmpeg to its end; raise FfmpegError with the last lines of its messages when it fails."""
    done = subprocess.run(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if done.returncode:
        raise FfmpegError(f"ffmpeg failed ({done.returncode}): {tail(done.stderr.decode(errors='replace'))}")
