"""One packed cache of all clips for the embedded model: cropped pictures, landmarks and sound.

`prepare` makes it and takes up where it stopped; `load_clips` reads it. Per clip two files: `ID.npz`
(pictures and sound, see `mini_clips.pack_clip`) and `ID.tracks.npz` (landmarks in pixels of the crop).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from talkvid import log
from talkvid.face.detect import build_detector
from talkvid.face.lip_motion import FaceFrame, FaceShape, face_frame
from talkvid.face.mediapipe_backend import MediapipeDetector
from talkvid.files import atomic_path
from talkvid.media.video import probe, read_frames
from talkvid.records import Array
from talkvid.training.mini_clips import FPS, ClipSource, choose_box, find_clips, pack_clip

logger = logging.getLogger("talkvid.training.mini_data")

LOOKS_PER_S = 2.0
MOST_LOOKS = 12
TRACK_ARRAYS = ("points", "lips", "contour", "pose", "jaw_open", "found")


@dataclass(frozen=True)
class PackedClip:
    """One clip in memory: F pictures as JPEG, the sound, and where the face is in each picture."""

    source: ClipSource
    jpeg: Array
    ends: Array
    audio: Array
    """(N,) float32 at 16 kHz, fits the mouth."""
    size: int
    points: Array
    lips: Array
    contour: Array
    pose: Array
    jaw_open: Array
    found: Array

    def __len__(self) -> int:
        return len(self.ends)

    def picture(self, index: int) -> Array:
        """Return picture `index` as RGB (size size 3) uint8."""
        start = int(self.ends[index - 1]) if index else 0
        return decode_jpeg(self.jpeg[start : int(self.ends[index])])

    @cached_property
    def frames(self) -> list[FaceFrame]:
        """Return the face frame of every picture; meaningless where `found` is False."""
        return [face_frame(points) for points in self.points]

    @cached_property
    def usable(self) -> Array:
        """Return the indices (K,) of pictures whose face was found and lies inside the crop."""
        eyes = self.points[:, :2].mean(axis=1)
        inside = ((eyes > 0) & (eyes < self.size)).all(axis=1)
        return np.flatnonzero(self.found & inside)

    def shape(self, index: int) -> FaceShape:
        """Return the landmarks of picture `index` in its face frame."""
        frame = self.frames[index]
        return FaceShape(frame, frame.to_face(self.lips[index]), frame.to_face(self.contour[index]))


def prepare(
    media: Path,
    folder: Path,
    *,
    tracks: Path | None = None,
    landmarker: Path | None = None,
    limit: int | None = None,
) -> int:
    """Fill `folder` with every clip of `media` that is not there yet; return how many clips it then holds.

    Landmarks come from the teacher (MediaPipe, model file `landmarker`), or from `tracks`, a folder where a
    former run of the teacher on the whole videos left one npz per clip.
    """
    clips = find_clips(media)[:limit]
    teacher = None if tracks else MediapipeDetector(landmarker)
    finder = build_detector("embedded")
    count = 0
    for clip in log.progress(clips, total=len(clips), description="clips"):
        packed, tracked = folder / f"{clip.id}.npz", folder / f"{clip.id}.tracks.npz"
        if not packed.is_file():
            boxes = list(_face_boxes(clip, finder))
            if not boxes:
                logger.warning("%s: no face found, left out", clip.path)
                continue
            info = probe(clip.path)
            pack_clip(clip, choose_box(boxes, info.width, info.height), packed)
        if tracks and not tracked.is_file() and not tracks_of(clip, tracks).is_file():
            logger.warning("%s: no landmarks in %s, left out", clip.path, tracks)
            continue
        if not tracked.is_file():
            with np.load(packed) as data:
                jpeg, ends, box, size = data["jpeg"], data["ends"], data["box"], int(data["size"])
            found = (
                _tracks_of_crops(jpeg, ends, teacher)
                if teacher
                else _moved_tracks(clip, tracks, box, size, len(ends))
            )
            with atomic_path(tracked) as temporary:
                np.savez(temporary, allow_pickle=False, **found)
        count += 1
    return count


def tracks_of(clip: ClipSource, tracks: Path) -> Path:
    """Return the file of a clip's landmarks in the teacher's folder `tracks`."""
    return tracks / ("__".join(clip.path.parts[-3:]) + ".npz")


def load_clips(media: Path, folder: Path, split: str, *, synced_only: bool = False) -> list[PackedClip]:
    """Return the packed clips of `split` ("train" or "val"); FileNotFoundError when the cache is empty."""
    clips = []
    for source in find_clips(media):
        packed, tracked = folder / f"{source.id}.npz", folder / f"{source.id}.tracks.npz"
        if source.split != split or (synced_only and not source.synced) or not tracked.is_file():
            continue
        with np.load(packed) as data, np.load(tracked) as track:
            clip = PackedClip(
                source=source,
                jpeg=data["jpeg"],
                ends=data["ends"],
                audio=data["audio"].astype(np.float32) / 32767,
                size=int(data["size"]),
                **{name: track[name] for name in TRACK_ARRAYS},
            )
        if len(clip.usable) >= 2:
            clips.append(clip)
    if not clips:
        raise FileNotFoundError(
            f"{folder}: no packed {split} clip; run python -m talkvid.training.mini_data first"
        )
    return clips


def decode_jpeg(data: Array) -> Array:
    """Return the picture of JPEG bytes (N,) uint8 as RGB (H W 3) uint8."""
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None, "the cache holds bytes that are no JPEG"
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _face_boxes(clip: ClipSource, finder: object) -> Iterator[Array]:
    """Yield the box (4,) of the largest face in a few pictures of the clip."""
    for count, frame in enumerate(read_frames(clip.path, end_s=clip.end_s, fps=LOOKS_PER_S)):
        if count == MOST_LOOKS:
            return
        faces = finder.detect(frame)  # type: ignore[attr-defined]
        if faces:
            yield max(faces, key=lambda face: face.area).box


def _tracks_of_crops(jpeg: Array, ends: Array, teacher: MediapipeDetector) -> dict[str, Array]:
    """Return the teacher's landmarks for every picture, NaN and found=False without a face."""
    count = len(ends)
    arrays = {
        "points": np.full((count, 5, 2), np.nan, np.float32),
        "lips": np.full((count, 40, 2), np.nan, np.float32),
        "contour": np.full((count, 105, 2), np.nan, np.float32),
        "pose": np.full((count, 3), np.nan, np.float32),
        "jaw_open": np.full(count, np.nan, np.float32),
        "found": np.zeros(count, bool),
    }
    starts = [0, *ends[:-1]]
    box: Array | None = None
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        picture = decode_jpeg(jpeg[start:end])
        if box is None:
            faces = teacher.detect(picture)
            box = faces[0].box if faces else None
        look = teacher.look(picture, box) if box is not None else None
        box = look.face.box if look else None
        if look is None:
            continue
        arrays["jaw_open"][index], arrays["found"][index] = look.jaw_open, True
        for name in ("points", "lips", "contour", "pose"):
            arrays[name][index] = getattr(look.face, name)
    return arrays


def _moved_tracks(
    clip: ClipSource, tracks: Path | None, box: Array, size: int, count: int
) -> dict[str, Array]:
    """Return tracks of the whole video, at its own frame rate, as `count` pictures of the crop at 25 fps."""
    assert tracks is not None
    with np.load(tracks_of(clip, tracks)) as data:
        fps = float(data["fps"])
        index = np.minimum(np.rint(np.arange(count) / FPS * fps).astype(int), len(data["found"]) - 1)
        arrays: dict[str, Array] = {key: data[key][index] for key in TRACK_ARRAYS}
    scale = size / float(box[2] - box[0])
    for key in ("points", "lips", "contour"):
        arrays[key] = ((arrays[key] - box[:2]) * scale).astype(np.float32)
    return arrays


def main() -> None:
    """Make the cache from the command line."""
    import argparse

    parser = argparse.ArgumentParser(description="Pack the training clips of the embedded model.")
    parser.add_argument("--media", type=Path, required=True, help="folder with split.csv and the clips")
    parser.add_argument("--out", type=Path, default=Path("exp/talkvid-mini/data"))
    parser.add_argument(
        "--tracks", type=Path, help="folder of the teacher's tracks; without it the teacher is run"
    )
    parser.add_argument("--landmarker", type=Path, help="MediaPipe face_landmarker task file")
    parser.add_argument("--limit", type=int, help="only the first clips")
    parser.add_argument("--packed", type=Path, help="take the clips from this folder of mini_travel instead")
    arguments = parser.parse_args()
    log.configure()
    if arguments.packed:
        from talkvid.training.mini_travel import unpack_folder

        logger.info("%d clips in %s", unpack_folder(arguments.packed, arguments.out), arguments.out)
        return
    count = prepare(
        arguments.media,
        arguments.out,
        tracks=arguments.tracks,
        landmarker=arguments.landmarker,
        limit=arguments.limit,
    )
    logger.info("%d clips in %s", count, arguments.out)


if __name__ == "__main__":
    main()
