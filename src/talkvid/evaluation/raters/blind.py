"""Blinded videos: each lies in the raters' folder under a random name, without a word of its origin."""

import hashlib
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from talkvid.evaluation.raters.clips import Material, Video
from talkvid.evaluation.raters.design import Shown
from talkvid.evaluation.raters.key import KeyFile
from talkvid.log import progress
from talkvid.media.audio import AudioSource
from talkvid.media.image import resize, save_image
from talkvid.media.remux import nameless_copy, nameless_encode
from talkvid.media.video import probe, read_frames
from talkvid.media.writer import VideoWriter
from talkvid.records import Array

REFERENCE = "reference"
"""Name of the true videos in a key."""
STILL_FPS = 25
PERSON_HEIGHT = 240
"""Pixels of the picture that shows who the person is."""
Wanted = tuple[str, Shown]
"""A clip and what is shown of it."""


def token() -> str:
    """Return a random name; it comes from the system's randomness, so no seed tells it."""
    return secrets.token_hex(8)


def check_playable(material: Material, *, reencode: bool) -> None:
    """Raise ValueError naming the first file that browsers may not play, unless all are encoded anew."""
    if reencode:
        return
    for video in material.every_video:
        if not video.in_every_browser:
            raise ValueError(
                f"{video.path}: {video.stored} does not play in every browser; --reencode writes the "
                "videos of all systems anew in the same way"
            )


def write_videos(
    wanted: Iterable[Wanted], material: Material, folder: Path, *, reencode: bool
) -> tuple[dict[Wanted, str], dict[str, KeyFile]]:
    """Write each wanted video once; return its blinded name by what it is, and what the names mean."""
    names: dict[Wanted, str] = {}
    files: dict[str, KeyFile] = {}
    folder.mkdir(parents=True, exist_ok=True)
    todo = list(dict.fromkeys(wanted))
    for clip, shown in progress(todo, total=len(todo), description="blinded videos"):
        video = material.reference[clip] if shown.name == REFERENCE else material.videos[clip][shown.name]
        name = f"{token()}.mp4"
        target = folder / name
        if shown.still:
            _write_still(video, target)
        elif reencode:
            nameless_encode(video.path, target)
        else:
            nameless_copy(video.path, target)
        names[clip, shown] = name
        files[name] = _described(clip, shown, video, target)
    return names, files


def write_person(video: Video, folder: Path) -> str:
    """Write the first picture of a true video, small, and return its blinded name."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = _first_picture(video)
    height = min(PERSON_HEIGHT, picture.shape[0])
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    name = f"{token()}.png"
    save_image(folder / name, resize(picture, width, height))
    return name


def _described(clip: str, shown: Shown, video: Video, target: Path) -> KeyFile:
    info = probe(target)
    with target.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return KeyFile(
        clip=clip,
        name=shown.name,
        still=shown.still,
        source=str(video.path.resolve()),
        sha256=digest,
        seconds=round(info.duration_s or video.duration_s, 3),
        width=info.width,
        height=info.height,
    )


def _first_picture(video: Video) -> Array:
    pictures: Iterator[Array] = read_frames(video.path)
    return next(pictures)


def _write_still(video: Video, target: Path) -> None:
    """Write the first picture, standing still for the length of the video, with the video's sound."""
    picture = _first_picture(video)
    height, width = (side - side % 2 for side in picture.shape[:2])
    picture = np.ascontiguousarray(picture[:height, :width])
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
        path = Path(folder) / "still.mp4"
        with VideoWriter(path, width, height, STILL_FPS, audio=AudioSource(video.path)) as writer:
            for _ in range(max(1, round(video.duration_s * STILL_FPS))):
                writer.write(picture)
        nameless_copy(path, target)
