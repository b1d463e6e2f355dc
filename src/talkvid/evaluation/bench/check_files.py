"""Can the files of a clip be opened at all? A look at their beginnings, cheap enough for every start."""

from pathlib import Path

from talkvid.evaluation.bench.clips import BenchClip
from talkvid.media.audio import probe_audio
from talkvid.media.container import open_media, video_stream
from talkvid.media.files import require_file
from talkvid.media.image import probe_image


def problem_of(clip: BenchClip) -> str:
    """Return what is wrong with the clip's files, in one line; empty when all can be opened.

    Only their heads are read: a file that is damaged further in fails when it is used, by name.
    """
    for path, check in (
        (clip.portrait, probe_image),
        (clip.reference, _probe_video),
        (clip.sound, probe_audio),
        (clip.keypoints, require_file),
    ):
        if path is not None:
            try:
                check(path)
            except (ValueError, FileNotFoundError) as error:
                return str(error)
    return ""


def _probe_video(path: Path) -> None:
    with open_media(path, what="video") as container:
        video_stream(container, path)
