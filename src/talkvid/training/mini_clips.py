"""The clips the embedded model learns from: which ones, how their sound is shifted, one packed file each."""

import csv
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from talkvid.files import atomic_path
from talkvid.media.audio import load_audio
from talkvid.media.video import read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

FPS = 25.0
AUDIO_RATE_HZ = 16000
UNSYNCED = ("undecided", "no match")
# A lag measured in clips that were already corrected is noise below this (s).
SURE_LAG_S = 0.15


@dataclass(frozen=True)
class ClipSource:
    """One clip of the training media."""

    id: str
    path: Path
    person: str
    split: str
    synced: bool
    """Whether the sound is known to belong to the mouth."""
    mouth_late_s: float
    """How much later than the sound the mouth moves; the sound is moved by this much."""
    end_s: float | None = None
    """Where the first cut is, None for one single shot."""


def find_clips(media: Path) -> list[ClipSource]:
    """Return every `train` and `val` clip named by `media`/split.csv, sorted by id.

    Sound that does not match the mouth (`SYNC.csv`: undecided, no match) is marked, not dropped: the
    picture can still teach the image networks.
    """
    if not (media / "split.csv").is_file():
        raise FileNotFoundError(
            f"{media}/split.csv: no such file; pass the folder that holds the training media"
        )
    sync = {f"train/{row['file']}": row for row in _rows(media / "train" / "SYNC.csv")}
    extra = {f"train_extra/{row['file']}": row for row in _rows(media / "train_extra" / "SOURCES.csv")}
    cuts = {row["file"]: row["scene_cuts_s"] for row in _rows(media / "train" / "SOURCES.csv")}
    clips = []
    for row in _rows(media / "split.csv"):
        name = row["file"]
        if row["split"] not in ("train", "val"):
            continue
        synced, late_s = True, 0.0
        if name in sync:
            verdict = sync[name]["verdict"]
            synced = verdict not in UNSYNCED
            late_s = float(sync[name]["mel_lag"]) if verdict == "offset" else 0.0
        elif name in extra:
            lag = float(extra[name]["mel_lag"])
            late_s = lag if abs(lag) >= SURE_LAG_S else 0.0
        cut = cuts.get(name, "").replace("[", "").replace("]", "").replace(";", ",").split(",")[0].strip()
        clips.append(
            ClipSource(
                id=Path(name).stem.replace("@", "_"),
                path=media / name,
                person=row["person"],
                split=row["split"],
                synced=synced,
                mouth_late_s=late_s,
                end_s=float(cut) if cut else None,
            )
        )
    return sorted(clips, key=lambda clip: clip.id)


def pack_clip(clip: ClipSource, box: Array, target: Path, *, size: int = 320, quality: int = 95) -> int:
    """Write the frames inside the square `box` as JPEG pictures together with the sound; return the frames.

    `box` (4,) x0 y0 x1 y1 pixels of the clip. The file is an npz: `jpeg` (bytes,) uint8, `ends` (F,) int64,
    `audio` (N,) int16 at 16 kHz moved so that it fits the mouth, `box`, `size`.
    """
    scale = size / float(box[2] - box[0])
    matrix = np.array([[scale, 0.0, -box[0] * scale], [0.0, scale, -box[1] * scale]])
    pieces: list[bytes] = []
    for frame in read_frames(clip.path, end_s=clip.end_s, fps=FPS):
        crop = warp_frame(frame, matrix, size)
        pieces.append(encode_picture(crop, quality=quality))
    audio = fit_sound(load_audio(clip.path, rate=AUDIO_RATE_HZ), clip.mouth_late_s, len(pieces))
    with atomic_path(target) as temporary:
        np.savez(
            temporary,
            jpeg=np.frombuffer(b"".join(pieces), np.uint8),
            ends=np.cumsum([len(piece) for piece in pieces]),
            audio=(audio.clip(-1, 1) * 32767).astype(np.int16),
            box=np.asarray(box, np.float32),
            size=np.int64(size),
        )
    return len(pieces)


def encode_picture(picture: Array, *, quality: int = 95) -> bytes:
    """Return a picture (H W 3) uint8 as JPEG with full colour resolution."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    assert done
    return data.tobytes()


def warp_frame(frame: Array, matrix: Array, size: int) -> Array:
    """Return `frame` (H W 3) resampled by the 2x3 `matrix` (frame to crop) into (size size 3)."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # bilinear sampling would skip pixels
        frame = cv2.GaussianBlur(frame, (0, 0), 0.4 / scale)
    return cv2.warpAffine(
        frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def fit_sound(audio: Array, mouth_late_s: float, num_frames: int) -> Array:
    """Return the sound (N,) moved `mouth_late_s` later and cut or padded to `num_frames` video frames."""
    shift = round(mouth_late_s * AUDIO_RATE_HZ)
    moved = np.concatenate([np.zeros(shift, np.float32), audio]) if shift >= 0 else audio[-shift:]
    length = round(num_frames / FPS * AUDIO_RATE_HZ)
    return np.pad(moved[:length], (0, max(0, length - len(moved))))


def choose_box(boxes: Sequence[Array], width: int, height: int, *, scales: float = 1.75) -> Array:
    """Return the square (4,) that holds the head in all `boxes` (K, (4,)), `scales` face heights wide.

    A head that moves makes the square larger, up to 1.5 times; it may reach over the border of the picture.
    """
    faces = np.stack(boxes)
    face_size = float(np.median(np.maximum(faces[:, 3] - faces[:, 1], faces[:, 2] - faces[:, 0])))
    centres = np.stack([(faces[:, 0] + faces[:, 2]) / 2, (faces[:, 1] + faces[:, 3]) / 2], axis=1)
    low, high = np.percentile(centres, 5, axis=0), np.percentile(centres, 95, axis=0)
    side = min(max(face_size * scales, float((high - low).max()) + face_size * 1.7), face_size * scales * 1.5)
    side = min(side, 1.0 * max(width, height))
    x, y = (low + high) / 2
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
