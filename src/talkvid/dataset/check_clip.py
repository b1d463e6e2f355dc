"""One prepared clip under the glass: what its files hold, and what about them does not fit together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from talkvid.dataset.face_info import FaceInfo, load_face_info, stored_metadata
from talkvid.dataset.face_track import read_pickled_faces
from talkvid.dataset.speech_rows import load_audio_features
from talkvid.dataset.sync_offset import NO_MATCH, OFFSET, lip_opening, measure_offset
from talkvid.media.audio import load_audio, probe_audio
from talkvid.media.container import open_media, video_stream
from talkvid.media.files import require_file
from talkvid.media.video_stream import decoded_frames
from talkvid.records import Array, SampleEntry
from talkvid.speech.log_mel import LogMelEncoder

AAC_FRAME = 1024
"""Samples by which an encoder may lengthen the sound."""
TIME_SLACK_S = 0.001
ROWS_SLACK = 2
"""Rows of features: encoders without padding drop the last window."""
PICKLED = (".pt", ".pth")
UNSTATED_RATE_HZ = 50.0
"""Rows per second of features whose file does not say: those of wav2vec2 and its relatives."""
SAMPLE_RATE = 16000

T = TypeVar("T")


@dataclass(frozen=True)
class CheckSettings:
    """What counts as sound."""

    gop: int | None = None
    """Largest distance of key frames; None takes what the clip was prepared with."""
    sync: bool = True
    """Whether the offset of mouth and sound is measured."""


@dataclass(frozen=True)
class ClipReport:
    """What one clip's files hold; `problems` is empty when they are sound."""

    id: str
    frames: int = 0
    """Decoded."""
    fps: float = 0.0
    """Measured from the time stamps."""
    size: str = ""
    sound_s: float = 0.0
    face_rows: int = 0
    rows: int = 0
    """Of speech features."""
    dim: int = 0
    gop: int = 0
    """Largest distance of two key frames."""
    found: float = 0.0
    """Share of frames in which the face was seen."""
    mouth_late_s: float = 0.0
    sync: str = ""
    """Verdict on the sound offset."""
    problems: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Pictures:
    times: Array
    keys: Array
    width: int
    height: int

    @property
    def fps(self) -> float:
        """Return the frame rate by the time stamps; 0 for a single picture."""
        span = float(self.times[-1] - self.times[0])
        return (len(self.times) - 1) / span if span > 0 else 0.0

    @property
    def gop(self) -> int:
        """Return the largest number of pictures from one key frame to the next, or to the end."""
        return int(np.diff([*np.flatnonzero(self.keys), len(self.keys)]).max(initial=0))


@dataclass(frozen=True)
class _Faces:
    info: FaceInfo
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class _Features:
    rows: Array
    """(T, D)."""
    rate_hz: float
    is_rate_stated: bool


def check_clip(entry: SampleEntry, root: Path, settings: CheckSettings) -> ClipReport:
    """Return what the files of one entry hold and what is wrong with them; never raises for their faults."""
    problems: dict[str, str] = {}
    notes: list[str] = []
    pictures = _try(_pictures, root / entry.video, "video", problems)
    faces = _try(_faces, root / entry.face_info, "face info", problems)
    features = _try(_features, root / entry.audio_embeds, "features", problems)
    sound = _try(load_audio, root / entry.video, "sound", problems)
    values: dict[str, Any] = {}
    if pictures is not None:
        values |= _judge_pictures(pictures, entry, problems)
    if faces is not None:
        values |= _judge_faces(faces, entry, problems)
    if features is not None:
        values |= _judge_features(features, entry, problems, notes)
    if sound is not None:
        values |= _judge_sound(sound, entry, root, problems)
    if pictures is not None and faces is not None:
        _judge_place(pictures, faces, problems)
        _judge_gop(pictures, faces, settings, problems, notes)
    if settings.sync and sound is not None and faces is not None:
        values |= _judge_sync(sound, faces, entry, problems, notes)
    return ClipReport(entry.id, problems=problems, notes=notes, **values)


def _try(read: Callable[[Path], T], path: Path, kind: str, problems: dict[str, str]) -> T | None:
    """Return what `read` makes of the file; None, and a problem of that kind, when it cannot."""
    try:
        return read(path)
    except (ValueError, OSError) as error:
        problems[kind] = " ".join(str(error).split())
        return None


def least_threads() -> None:
    """Keep each worker on one core."""
    import torch

    torch.set_num_threads(1)


def _judge_pictures(pictures: _Pictures, entry: SampleEntry, problems: dict[str, str]) -> dict[str, Any]:
    count, fps = len(pictures.times), pictures.fps
    if count != entry.num_frames:
        problems["frames"] = f"{count} frames can be decoded, the list says {entry.num_frames}"
    if fps and abs(fps / entry.fps - 1) > 1e-3:
        problems["fps"] = f"{fps:.3f} frames per second by the time stamps, the list says {entry.fps:g}"
    steps = np.diff(pictures.times)
    if len(steps) and np.abs(steps - np.median(steps)).max() > TIME_SLACK_S:
        problems["fps"] = f"frames lie {steps.min():.4f} to {steps.max():.4f} s apart: no constant rate"
    if pictures.width != pictures.height:
        problems["square"] = f"the picture is {pictures.width}x{pictures.height}, not a square"
    size = f"{pictures.width}x{pictures.height}"
    return {"frames": count, "fps": round(fps, 4), "size": size, "gop": pictures.gop}


def _judge_faces(faces: _Faces, entry: SampleEntry, problems: dict[str, str]) -> dict[str, Any]:
    if len(faces.info) != entry.num_frames:
        problems["face rows"] = f"{len(faces.info)} rows of face info for {entry.num_frames} frames"
    bad = sorted(name for name, rows in faces.info.values.items() if not np.isfinite(rows).all())
    if bad:
        problems["face values"] = f"not a number in {', '.join(bad)}"
    return {"face_rows": len(faces.info), "found": round(float(faces.info.found.mean()), 4)}


def _judge_place(pictures: _Pictures, faces: _Faces, problems: dict[str, str]) -> None:
    """The middle of the five points must lie in the picture wherever the face was found."""
    middle = faces.info.values["points"][faces.info.found].mean(axis=1)
    outside = ((middle < 0) | (middle >= [pictures.width, pictures.height])).any(axis=1)
    if outside.any():
        problems["face place"] = f"the face lies outside the picture in {outside.sum()} frames"


def _judge_gop(
    pictures: _Pictures, faces: _Faces, settings: CheckSettings, problems: dict[str, str], notes: list[str]
) -> None:
    stated = faces.metadata.get("gop")
    limit = settings.gop or (int(stated) if stated else None)
    if limit is None:
        notes.append(f"key frames are up to {pictures.gop} frames apart; no limit is stated")
    elif pictures.gop > limit:
        problems["gop"] = f"key frames are up to {pictures.gop} frames apart, {limit} are allowed"


def _judge_features(
    features: _Features, entry: SampleEntry, problems: dict[str, str], notes: list[str]
) -> dict[str, Any]:
    rows = features.rows
    wanted = entry.num_frames / entry.fps * features.rate_hz
    if abs(len(rows) - wanted) > ROWS_SLACK:
        problems["feature rows"] = (
            f"{len(rows)} rows at {features.rate_hz:g} per second, the frames need {wanted:.1f}"
        )
    if not np.isfinite(rows).all():
        problems["feature values"] = "not a number in the speech features"
    if not features.is_rate_stated:
        notes.append(f"the features do not state their rate; {features.rate_hz:g} rows per second are taken")
    return {"rows": len(rows), "dim": int(rows.shape[-1])}


def _judge_sound(sound: Array, entry: SampleEntry, root: Path, problems: dict[str, str]) -> dict[str, Any]:
    length_s, wanted_s = len(sound) / SAMPLE_RATE, entry.num_frames / entry.fps
    slack_s = AAC_FRAME / probe_audio(root / entry.video).rate + 1 / entry.fps
    if abs(length_s - wanted_s) > slack_s:
        problems["sound length"] = f"{length_s:.3f} s of sound for {wanted_s:.3f} s of pictures"
    return {"sound_s": round(length_s, 4)}


def _judge_sync(
    sound: Array, faces: _Faces, entry: SampleEntry, problems: dict[str, str], notes: list[str]
) -> dict[str, Any]:
    opening = lip_opening(faces.info.values)
    if opening is None:
        return {}
    log_mel = LogMelEncoder().encode(sound).numpy()
    offset = measure_offset(opening, log_mel, fps=entry.fps, found=faces.info.found)
    if offset.verdict == OFFSET:
        how = "late" if offset.mouth_late_s > 0 else "early"
        problems["sync"] = f"the mouth is {abs(offset.mouth_late_s):.2f} s {how} (score {offset.score:.1f})"
    elif offset.verdict == NO_MATCH:
        notes.append(f"sound and mouth do not seem to belong together: {offset.reason}")
    return {"mouth_late_s": offset.mouth_late_s, "sync": offset.verdict}


def _pictures(path: Path) -> _Pictures:
    """Decode every picture, converting none; raise ValueError where one does not decode."""
    with open_media(path, what="video") as container:
        stream = video_stream(container, path)
        times = [frame.time_s for frame in decoded_frames(container, stream, str(path), on_damage="raise")]
        width, height = stream.width, stream.height
    if not times:
        raise ValueError(f"{path}: no picture of this video can be decoded; prepare the clip again")
    return _Pictures(np.array(times), _key_frames(path), width, height)


def _key_frames(path: Path) -> Array:
    """Return whether each picture, in showing order, is a key frame."""
    with open_media(path, what="video") as container:
        packets = container.demux(video_stream(container, path))
        stamps = [(Fraction(p.pts), p.is_keyframe) for p in packets if p.pts is not None and p.size]
    return np.array([is_key for _, is_key in sorted(stamps)], bool)


def _faces(path: Path) -> _Faces:
    """Return the face info of our files or of the reference's pickled ones, read without running anything."""
    if path.suffix in PICKLED:
        values = read_pickled_faces(require_file(path, what="face info"))
        return _Faces(FaceInfo(values["score"] > 0, values), {})
    return _Faces(*load_face_info(path))


def _features(path: Path) -> _Features:
    rows = load_audio_features(require_file(path, what="file of speech features")).numpy()
    stated = stored_metadata(path).get("rate_hz")
    return _Features(rows, float(stated or UNSTATED_RATE_HZ), stated is not None)
