"""One raw clip becomes three files: a square crop that keeps time, face info, speech features."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from talkvid.dataset.face_follow import follow_face
from talkvid.dataset.face_info import FaceInfo, collect, save_face_info, stored_metadata
from talkvid.dataset.prepare_settings import INSIDE, PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.dataset.sync_offset import OFFSET, UNDECIDED, SoundOffset, lip_opening, measure_offset
from talkvid.dataset.tensor_files import save_arrays
from talkvid.face.crop import (
    Square,
    clip_square,
    fit_inside,
    following_squares,
    square_crop,
)
from talkvid.face.detect import FaceDetector
from talkvid.files import short_name
from talkvid.media.audio import AudioSource, load_audio
from talkvid.media.files import require_file
from talkvid.media.video import probe, read_frames
from talkvid.media.writer import VideoWriter
from talkvid.records import Array, Face, SampleEntry
from talkvid.speech.log_mel import LogMelEncoder

if TYPE_CHECKING:
    from torch import Tensor

    from talkvid.speech.features import SpeechEncoder

AUDIO_RATE_HZ = 16000
MOST_TILT_DEG = 60.0


@dataclass(frozen=True)
class Tools:
    """What a worker loads once."""

    detector: FaceDetector
    encoder: "SpeechEncoder"


def prepare_clip(source: Source, tools: Tools, *, settings: PrepareSettings) -> dict[str, Any]:
    """Return the training entry of one clip, and what was seen, after writing its three files.

    Pass one finds the faces, pass two crops; pictures are never held. Raises ValueError saying why not.
    """
    entry = _entry(source, settings)
    if source.problem:
        raise ValueError(source.problem)
    _check_target(source, settings, entry)
    require_file(source.video, what="video")
    _check_length(source)
    # The sound is opened first: a clip without any fails before its faces are looked for.
    sound = AudioSource(source.audio or source.video, source.start_s - source.mouth_late_s)
    waveform = _load(sound, source)
    faces, num_people = find_faces(source, tools.detector, fps=settings.fps)
    info = collect(faces)
    _check_faces(info, settings)
    offset, moved_s = None, 0.0
    if settings.sync != "off":
        offset = sound_offset(info, waveform, fps=settings.fps)
        moved_s = offset.mouth_late_s if settings.sync == "correct" and offset.verdict == OFFSET else 0.0
    if moved_s:
        sound = replace(sound, start_s=sound.start_s - moved_s)
        waveform = _load(sound, source)
    squares = choose_squares(info.known_boxes, settings)
    if settings.border == INSIDE:
        video = probe(source.video)
        squares = [fit_inside(square, video.width, video.height) for square in squares]
    features = tools.encoder.encode(fit_length(waveform, len(info), settings.fps))

    about = _metadata(source, settings, squares, len(info)) | _sync_metadata(offset, moved_s)
    _write_files(source, settings, entry, tools, info=info, squares=squares, sound=sound, features=features,
                 about=about)  # fmt: skip
    return {
        "entry": asdict(replace(entry, num_frames=len(info))),
        "found": round(float(info.found.mean()), 4),
        "faces_seen": num_people,
        "source_px": round(float(np.median([square.side for square in squares])), 1),
        "sync": None if offset is None else {**asdict(offset), "moved_s": moved_s},
    }


def _write_files(
    source: Source,
    settings: PrepareSettings,
    entry: SampleEntry,
    tools: Tools,
    *,
    info: FaceInfo,
    squares: Sequence[Square],
    sound: AudioSource,
    features: "Tensor",
    about: dict[str, str],
) -> None:
    """Write the three files of a clip, each complete or not at all.

    Face info comes first and features last: the next run then sees when a redone clip was interrupted.
    """
    output, encoder = settings.output_dir, tools.encoder
    cropped = info.in_windows(squares, settings.size)
    save_face_info(output / entry.face_info, cropped, {**about, "detector": tools.detector.name})
    border = "edge" if settings.border == INSIDE else settings.border
    with VideoWriter(
        output / entry.video, settings.size, settings.size, settings.fps,
        audio=sound, crf=settings.crf, gop=settings.gop,
    ) as writer:  # fmt: skip
        for picture, square in zip(_frames(source, settings.fps), squares, strict=True):
            writer.write(square_crop(picture, square, settings.size, border=border))
    save_features(
        output / entry.audio_embeds,
        features.numpy(),
        {**about, "speech_encoder": encoder.name, "rate_hz": f"{encoder.rate_hz:g}", "dim": str(encoder.dim)},
    )


def sound_offset(info: FaceInfo, waveform: Array, *, fps: float) -> SoundOffset:
    """Return how late the mouth is against the 16 kHz waveform (N,); undecided without lips."""
    opening = lip_opening(info.values)
    if opening is None:
        return SoundOffset(UNDECIDED, 0.0, reason="the face backend gives no lips")
    fitted = fit_length(waveform, len(info), fps)
    return measure_offset(opening, LogMelEncoder().encode(fitted).numpy(), fps=fps, found=info.found)


def find_faces(source: Source, detector: FaceDetector, *, fps: float) -> tuple[list[Face | None], int]:
    """Return the followed face of every frame of the resampled clip, and the number of faces in it."""
    return follow_face((picture, detector.detect(picture)) for picture in _frames(source, fps))


def choose_squares(boxes: Array, settings: PrepareSettings) -> list[Square]:
    """Return the square window of each frame from face boxes (F 4), NaN where no face was found."""
    if settings.crop == "fixed":
        square = clip_square(boxes, framing=settings.framing, scale=settings.crop_scale)
        return [square] * len(boxes)
    squares = following_squares(boxes, smooth_frames=settings.fps / 2, framing=settings.framing)
    return [_scaled(square, settings.crop_scale) for square in squares]


def fit_length(waveform: Array, num_frames: int, fps: float) -> Array:
    """Return the 16 kHz waveform (N,) cut or padded with silence to exactly the length of the frames."""
    length = round(num_frames / fps * AUDIO_RATE_HZ)
    return np.pad(waveform[:length], (0, max(0, length - len(waveform))))


def save_features(path: Path, features: Array, metadata: dict[str, str]) -> None:
    """Write speech features (T D) as `global_embeds` (T 1 D) float32 with what they are."""
    save_arrays(path, {"global_embeds": features[:, None, :].astype(np.float32)}, metadata)


def _frames(source: Source, fps: float) -> Iterator[Array]:
    return read_frames(source.video, start_s=source.start_s, end_s=source.end_s, fps=fps)


def _load(sound: AudioSource, source: Source) -> Array:
    length_s = None if source.end_s is None else source.end_s - source.start_s
    return load_audio(sound.path, rate=AUDIO_RATE_HZ, start_s=sound.start_s, length_s=length_s)


def _scaled(square: Square, scale: float) -> Square:
    grow = square.side * (scale - 1) / 2
    return Square(square.left - grow, square.top - grow, square.side * scale)


def _check_length(source: Source) -> None:
    """Refuse a video that is much longer than its list says: then it is not the cut clip."""
    if source.stated_s is None or source.end_s is not None:
        return
    length_s = probe(source.video).duration_s
    if length_s is not None and length_s > source.stated_s * 1.2 + 1:
        raise ValueError(
            f"the list says the clip lasts {source.stated_s:.2f} s, this video {length_s:.2f} s; "
            "if the videos are the uncut originals give --spans"
        )


def _check_faces(info: FaceInfo, settings: PrepareSettings) -> None:
    if len(info) < settings.min_frames:
        raise ValueError(f"too short: {len(info)} frames, at least {settings.min_frames} are asked for")
    share = float(info.found.mean())
    if share < settings.min_found:
        raise ValueError(
            f"the face is seen in {share:.0%} of the frames, at least {settings.min_found:.0%} is asked for"
        )
    eyes = info.values["points"][:, 1] - info.values["points"][:, 0]
    tilt = float(np.median(np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))))
    if abs(tilt) > MOST_TILT_DEG:
        raise ValueError(f"the head lies on its side (tilted by {tilt:.0f} degrees); turn the video upright")


def _check_target(source: Source, settings: PrepareSettings, entry: SampleEntry) -> None:
    """Refuse to write over a source, and sweep up what a killed run left half-written."""
    target = settings.output_dir / entry.video
    inputs = [path.resolve() for path in (source.video, source.audio) if path is not None]
    if target.resolve() in inputs:
        raise ValueError(f"{target}: would be written over its own source; choose another output folder")
    other = stored_metadata(settings.output_dir / entry.face_info).get("source", str(source.video))
    if other != str(source.video) and Path(other).is_file():
        raise ValueError(f"its id is taken by {other} in this output folder; choose another folder or id")
    pattern = re.compile(
        rf"\.{re.escape(short_name(source.id))}\.[0-9a-f]{{8}}(\.pictures)?\.(mp4|safetensors)"
    )
    for folder in {(settings.output_dir / path).parent for path in _files(entry)}:
        for path in folder.glob(".*") if folder.is_dir() else ():
            if pattern.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _entry(source: Source, settings: PrepareSettings) -> SampleEntry:
    return SampleEntry(
        id=source.id,
        video=f"videos/{source.id}.mp4",
        face_info=f"face_info/{source.id}.safetensors",
        audio_embeds=f"audio_embeds/{source.id}.safetensors",
        num_frames=0,
        fps=settings.fps,
        language=source.language,
        speaker_id=source.speaker_id,
    )


def _files(entry: SampleEntry) -> tuple[str, str, str]:
    return entry.video, entry.face_info, entry.audio_embeds


def _metadata(
    source: Source, settings: PrepareSettings, squares: Sequence[Square], count: int
) -> dict[str, str]:
    first = squares[0]
    return {
        "id": source.id,
        "source": str(source.video),
        "signature": source.signature,
        "num_frames": str(count),
        "fps": f"{settings.fps:g}",
        "size": str(settings.size),
        "crop": settings.crop,
        "crop_left_top_side": f"{first.left:.2f} {first.top:.2f} {first.side:.2f}",
        "gop": str(settings.gop),
        "start_s": f"{source.start_s:g}",
        "mouth_late_s": f"{source.mouth_late_s:g}",
    }


def _sync_metadata(offset: SoundOffset | None, moved_s: float) -> dict[str, str]:
    """Return what was measured as strings; `sync_moved_s` of it has been taken out of the files."""
    if offset is None:
        return {}
    return {
        "sync_verdict": offset.verdict,
        "sync_mouth_late_s": f"{offset.mouth_late_s:g}",
        "sync_correlation": f"{offset.correlation:g}",
        "sync_score": f"{offset.score:g}",
        "sync_margin": f"{offset.margin:g}",
        "sync_moved_s": f"{moved_s:g}",
    }
