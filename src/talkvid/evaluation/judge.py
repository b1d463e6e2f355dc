"""Judges finished videos: a list of files in, the mouth report out, whoever made the videos.

    python -m talkvid.evaluation.judge --list videos.json --landmarker face_landmarker.task [--output FOLDER]

The list is JSON: objects with `row` (which row of the table), `clip` (which speech; the same in every row
that shows it), `made` (the video) and, where there are any, `truth` (the true clip), `portrait` (the picture
it was made from) and `sound` (default: the video's own). Paths are relative to the list.
"""

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from talkvid import log
from talkvid.evaluation.following import cache_name
from talkvid.evaluation.identity import ArcFaceEmbedder, FaceEmbedder
from talkvid.evaluation.mobilefacenet import MobileFaceNetEmbedder
from talkvid.evaluation.mouth_report import Case, mouth_report
from talkvid.evaluation.report_writer import as_markdown, write_report
from talkvid.evaluation.video_look import VideoLook, Yardstick, kept_look, look_at
from talkvid.evaluation.yardstick import FaceYardstick
from talkvid.media.audio import load_audio
from talkvid.media.image import load_image
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

logger = logging.getLogger("talkvid.evaluation.judge")

AUDIO_RATE_HZ = 16000
NUM_CONTROLS = 5
"""Sounds of other clips that the mel measure's control is made of."""


@dataclass(frozen=True)
class VideoFiles:
    """One finished video and what it is compared with."""

    row: str
    clip: str
    made: Path
    truth: Path | None = None
    portrait: Path | None = None
    sound: Path | None = None


def read_list(path: Path) -> list[VideoFiles]:
    """Return the videos of a JSON list; FileNotFoundError or ValueError naming the entry that is wrong."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a JSON list of videos")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: holds no list of videos; see python -m talkvid.evaluation.judge --help")
    return [_files(entry, f"{path}, entry {number}", path.parent) for number, entry in enumerate(entries, 1)]


def _files(entry: object, where: str, folder: Path) -> VideoFiles:
    names = [field.name for field in fields(VideoFiles)]
    if not isinstance(entry, dict) or not set(names[:3]) <= set(entry) <= set(names):
        raise ValueError(f"{where}: must have row, clip and made, and may have {', '.join(names[3:])}")
    paths = {name: folder / entry[name] for name in names[2:] if entry.get(name) is not None}
    absent = [str(path) for path in paths.values() if not path.is_file()]
    if absent:
        raise FileNotFoundError(f"{where}: {absent[0]} does not exist")
    return VideoFiles(row=str(entry["row"]), clip=str(entry["clip"]), **paths)


def cases_of(
    videos: Sequence[VideoFiles],
    yardstick: Yardstick,
    *,
    embedder: FaceEmbedder | None = None,
    cache: Path | None = None,
) -> Iterator[Case]:
    """Yield the case of every video; the folder `cache` keeps what was seen for later runs.

    The controls are the sounds of the next clips of the same row; with one clip the own sound, turned.
    """
    sounds = {video: load_audio(video.sound or video.made, rate=AUDIO_RATE_HZ) for video in videos}

    def look(path: Path | None) -> VideoLook | None:
        if path is None:
            return None
        told = f"{yardstick.name} {embedder.name if embedder else ''}"
        target = None if cache is None else cache / cache_name(path, told=told)
        return kept_look(target, lambda: _look(path, yardstick, embedder))

    for video in log.progress(videos, total=len(videos), description="videos"):
        made = look(video.made)
        assert made is not None
        truth, portrait = look(video.truth), _portrait(video.portrait, yardstick, embedder)
        others = _others(video, videos, sounds)
        yield Case(video.row, video.clip, made, sounds[video], truth=truth, portrait=portrait, others=others)


def _look(path: Path, yardstick: Yardstick, embedder: FaceEmbedder | None) -> VideoLook:
    return look_at(read_frames(path), yardstick, fps=probe(path).fps, embedder=embedder)


def _portrait(path: Path | None, yardstick: Yardstick, embedder: FaceEmbedder | None) -> VideoLook | None:
    return None if path is None else look_at([load_image(path)], yardstick, fps=1, embedder=embedder)


def _others(video: VideoFiles, videos: Sequence[VideoFiles], sounds: dict[VideoFiles, Array]) -> list[Array]:
    row = [other for other in videos if other.row == video.row]
    at = row.index(video)
    following = [*row[at + 1 :], *row[:at]]
    return [sounds[other] for other in following if other.clip != video.clip][:NUM_CONTROLS]


def main() -> None:
    """Print the table of a list of videos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", type=Path, required=True, help="JSON list of videos")
    parser.add_argument("--landmarker", type=Path, help="MediaPipe face_landmarker task file")
    parser.add_argument("--identity", type=Path, help="weights of MobileFaceNet, for the identity cosine")
    parser.add_argument("--arcface", type=Path, help="ONNX file of ArcFace (extra face), for CSIM")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was seen")
    parser.add_argument("--output", type=Path, help="folder for report.md, report.json and report.html")
    arguments = parser.parse_args()
    log.configure()
    try:
        _run(arguments)
    except (ValueError, FileNotFoundError, ImportError) as error:
        parser.exit(2, f"{error}\n")


def _run(arguments: argparse.Namespace) -> None:
    videos = read_list(arguments.list)
    embedder: FaceEmbedder | None = None
    if arguments.arcface is not None:
        embedder = ArcFaceEmbedder(arguments.arcface)
    elif arguments.identity is not None:
        embedder = MobileFaceNetEmbedder(arguments.identity)
    yardstick = FaceYardstick(arguments.landmarker)
    found = cases_of(videos, yardstick, embedder=embedder, cache=arguments.cache)
    name = "identity cosine" if embedder is None else embedder.measure
    report = mouth_report(found, identity_name=name)
    print(as_markdown(report))
    if arguments.output is not None:
        settings = {"list": str(arguments.list), "yardstick": yardstick.name}
        write_report(report, arguments.output, title="Mouth report", settings=settings)


if __name__ == "__main__":
    main()
