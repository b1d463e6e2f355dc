"""Stretches of one video, written one by one, made one file without encoding anything anew."""

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from talkvid.files import atomic_path
from talkvid.media.audio import AudioSource
from talkvid.media.writer import lay_sound


def join(
    stretches: Sequence[Path],
    target: str | os.PathLike[str],
    *,
    audio: AudioSource,
    length_s: Fraction,
    metadata: Mapping[str, str],
) -> None:
    """Write the mp4 whose pictures are those of the `stretches` in order and whose sound lasts `length_s`.

    All are files of one folder, made by `VideoWriter` with the same settings. The target appears when it is
    complete. Raises FfmpegError when they do not fit together.
    """
    folder = stretches[0].parent
    assert all(stretch.parent == folder and "'" not in stretch.name for stretch in stretches)
    listing = folder / "list.txt"
    listing.write_text("".join(f"file '{stretch.name}'\n" for stretch in stretches), encoding="utf-8")
    pictures = ("-f", "concat", "-i", str(listing))
    with atomic_path(target) as temporary:
        lay_sound(pictures, temporary, audio, length_s=length_s, metadata=metadata)
