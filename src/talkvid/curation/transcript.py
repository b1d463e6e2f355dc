"""Language and words of a clip by faster-whisper (extra `annotate`), with the name of the model as author."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from talkvid.curation.annotations import field
from talkvid.curation.manifest import ClipRow
from talkvid.extras import require
from talkvid.media.audio import load_audio

RATE_HZ = 16000
LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "th": "Thai", "tr": "Turkish", "vi": "Vietnamese", "yue": "Cantonese", "zh": "Chinese",
}  # fmt: skip
"""Names of the codes a data set mostly meets; another code stays as it is."""


@dataclass(frozen=True)
class SpeechModel:
    """A loaded faster-whisper model."""

    model: Any
    by: str
    version: str
    words: bool
    """Write the transcript, not the language alone."""


def load_speech_model(name: str, *, device: str = "cpu", words: bool = True) -> SpeechModel:
    """Return the model with this name or path; raise ImportError naming the extra where it is missing."""
    library = require("faster_whisper", extra="annotate")
    compute = "float16" if device.startswith("cuda") else "int8"
    model = library.WhisperModel(name, device=device.partition(":")[0], compute_type=compute)
    return SpeechModel(model, f"faster-whisper {name}", str(library.__version__), words)


def annotate_speech(row: ClipRow, speech: SpeechModel) -> dict[str, Any]:
    """Return the fields `language` and `transcript` of a clip with sound, {} of one without.

    language: its code, with `probability` and `name`; transcript: the text, with `segments` {start_s, end_s,
    text} in seconds of the clip.
    """
    if not row.has_audio:
        return {}
    waveform = load_audio(
        str(row.facts.get("audio") or row.path),
        rate=RATE_HZ,
        start_s=float(row.span.start_s),
        length_s=float(row.span.duration_s),
    )
    segments, info = speech.model.transcribe(
        waveform, vad_filter=True, temperature=0.0, condition_on_previous_text=False
    )
    fields = {
        "language": field(
            info.language,
            speech.by,
            speech.version,
            name=LANGUAGES.get(info.language, info.language),
            probability=round(float(info.language_probability), 4),
        )
    }
    if speech.words:
        told = _segments(list(segments))
        text = " ".join(segment["text"] for segment in told)
        fields["transcript"] = field(text, speech.by, speech.version, segments=told)
    return fields


def _segments(segments: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what was said when, without empty segments."""
    told = [
        {"start_s": round(float(one.start), 3), "end_s": round(float(one.end), 3), "text": one.text.strip()}
        for one in segments
    ]
    return [segment for segment in told if segment["text"]]
