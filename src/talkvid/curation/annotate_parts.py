"""The parts of annotation that look at or listen to a clip, each on its own: settings, loading, work."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from talkvid.curation.caption import TEMPLATE, load_caption_model, model_caption
from talkvid.curation.faces_insight import BY as INSIGHTFACE
from talkvid.curation.faces_insight import age_and_gender, identity_vector, load_face_models
from talkvid.curation.look import look_at
from talkvid.curation.manifest import ClipRow
from talkvid.curation.transcript import annotate_speech, load_speech_model

OFF = "off"
LOOK, SPEECH, CAPTION, IDENTITY, AGE_GENDER = "look", "speech", "caption", "identity", "age_gender"
VERSION = 1
"""Part of every signature."""


@dataclass(frozen=True)
class AnnotateConfig:
    """What is written about a clip; parts that need a model of the user's are off until one is named."""

    speech_model: str = ""
    """Name or folder of a faster-whisper model for language and transcript; empty: neither."""
    transcript: bool = True
    """With a speech model, write the words too."""
    caption: str = TEMPLATE
    """`template` (of measured facts), `off`, or name or folder of a vision-language model of transformers."""
    caption_prompt: str = "Describe the person and the scene in one sentence."
    caption_pictures: int = 1
    caption_tokens: int = 80
    persons: str = ""
    """Biometric: `insightface`, or a file of identity vectors; empty: no person ids."""
    same_person: float = 0.45
    """Least cosine of two identity vectors of one person."""
    age_gender: str = ""
    """Biometric: `insightface`; empty: neither."""
    face_model_path: str = ""
    """insightface's models, see `talkvid preprocess --face_model_path`."""
    duplicates: bool = True
    reject_duplicates: bool = False
    """Reject clips with the pictures of another one (code DUPLICATE) instead of noting it."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.age_gender not in ("", INSIGHTFACE):
            raise ValueError(f"annotate.age_gender is {self.age_gender!r}: choose {INSIGHTFACE} or nothing")
        if not -1 < self.same_person < 1:
            raise ValueError(f"annotate.same_person must be a cosine, got {self.same_person}")
        if not 1 <= self.caption_pictures <= 8:
            raise ValueError(f"annotate.caption_pictures must be from 1 to 8, got {self.caption_pictures}")
        if self.reject_duplicates and not self.duplicates:
            raise ValueError("annotate.reject_duplicates needs annotate.duplicates")


@dataclass(frozen=True)
class AnnotateJob:
    """One clip in one part."""

    id: str
    row: ClipRow
    signature: str


@dataclass(frozen=True)
class _Part:
    """How one part is done; `settings` are the names of what its result depends on."""

    settings: tuple[str, ...]
    load: Callable[[AnnotateConfig], Any]
    work: Callable[[ClipRow, Any], Any]


def _load_nothing(_config: AnnotateConfig) -> None:
    return None


def _load_speech(config: AnnotateConfig) -> Any:
    return load_speech_model(config.speech_model, device=config.device, words=config.transcript)


def _load_captioner(config: AnnotateConfig) -> Any:
    return load_caption_model(
        config.caption,
        prompt=config.caption_prompt,
        num_pictures=config.caption_pictures,
        most_tokens=config.caption_tokens,
        device=config.device,
    )


def _load_recognition(config: AnnotateConfig) -> Any:
    return load_face_models(config.face_model_path, modules=("recognition",), device=config.device)


def _load_genderage(config: AnnotateConfig) -> Any:
    return load_face_models(config.face_model_path, modules=("genderage",), device=config.device)


def _look(row: ClipRow, _nothing: None) -> Any:
    return look_at(row)


def _caption(row: ClipRow, captioner: Any) -> Any:
    return {"caption": model_caption(row, captioner)}


def _identity(row: ClipRow, models: Any) -> Any:
    return {"vector": identity_vector(row, models), "by": models.by, "version": models.version}


_CAPTION_SETTINGS = ("caption", "caption_prompt", "caption_pictures", "caption_tokens")
_PARTS = {
    LOOK: _Part((), _load_nothing, _look),
    SPEECH: _Part(("speech_model", "transcript"), _load_speech, annotate_speech),
    CAPTION: _Part(_CAPTION_SETTINGS, _load_captioner, _caption),
    IDENTITY: _Part(("face_model_path",), _load_recognition, _identity),
    AGE_GENDER: _Part(("face_model_path",), _load_genderage, age_and_gender),
}


def active_parts(config: AnnotateConfig) -> list[str]:
    """Return the parts that the settings ask for, in the order in which they are done."""
    asked = {
        LOOK: config.duplicates or config.caption == TEMPLATE,
        SPEECH: bool(config.speech_model),
        CAPTION: config.caption not in (TEMPLATE, OFF, ""),
        IDENTITY: config.persons == INSIGHTFACE,
        AGE_GENDER: config.age_gender == INSIGHTFACE,
    }
    return [name for name, wanted in asked.items() if wanted]


def load_part(name: str, config: AnnotateConfig) -> tuple[Any]:
    """Return what a part's work needs, loaded once per worker."""
    return (_PARTS[name].load(config),)


def do_part(job: AnnotateJob, loaded: tuple[Any], *, name: str) -> Any:
    """Return what one part says of one clip, as plain values."""
    return _PARTS[name].work(job.row, loaded[0])


def job_of(row: ClipRow, name: str, config: AnnotateConfig) -> AnnotateJob:
    """Return a clip as an item of one part; its signature changes with its source and the part's settings."""
    settings: Mapping[str, Any] = {key: getattr(config, key) for key in _PARTS[name].settings}
    told = [VERSION, name, row.clip_id, row.path, row.first_frame, row.num_frames, _state(row.path), settings]
    text = json.dumps(told, sort_keys=True)
    return AnnotateJob(row.clip_id, row, hashlib.sha256(text.encode()).hexdigest()[:16])


def _state(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
