"""A row of the manifest as an entry of TalkVid's JSON: the published form and the older one with paths."""

from collections.abc import Mapping
from typing import Any

from talkvid.curation.manifest import ClipRow
from talkvid.curation.talkvid_json import (
    AGE_GROUP,
    GENDER,
    HEAD_SCORES,
    INFO,
    LANGUAGE,
    PERSON,
)

PUBLISHED_SCORES = {"quality": ("dover", "dover_scores"), "motion": ("cotracker", "cotracker_ratio")}
"""Stage -> the backend whose score has a key of its own in the published form, and that key."""
OWN_SCORES = {"quality": "classical_quality", "motion": "point_track_ratio"}
"""Stage -> the score of the embedded backend; it measures something else and keeps its own name."""
ANNOTATED = {LANGUAGE: "language", PERSON: "person_id", AGE_GROUP: "age_group", GENDER: "gender"}
"""Key of `info` -> annotation that fills it where the source list does not."""
FACTS = {LANGUAGE: "language", PERSON: "speaker_id", AGE_GROUP: "age_group", GENDER: "gender"}
"""Key of `info` -> fact of a source list in the older form."""


def published_entry(row: ClipRow) -> dict[str, Any]:
    """Return a clip in the published form; times count from the original's first picture.

    `end-frame` is the first picture behind the clip. `dover_scores` and `cotracker_ratio` are null unless
    DOVER and CoTracker made them; what the embedded backends measured stands beside under its own name.
    """
    quality, motion = (_published_score(row, stage) for stage in PUBLISHED_SCORES)
    return {
        "id": row.name,
        "height": row.height,
        "width": row.width,
        "fps": row.fps,
        "start-time": row.start_s,
        "start-frame": row.first_frame,
        "end-time": row.end_s,
        "end-frame": row.first_frame + row.num_frames,
        "durations": f"{row.duration_s:.3f}s",
        "info": info_of(row),
        "description": description_of(row),
        "dover_scores": quality,
        "cotracker_ratio": motion,
        "head_detail": {"scores": {name: row.score("head", name) for name in HEAD_SCORES}},
        **_own_scores(row),
        "score_backends": dict(sorted(row.backends.items())),
        "annotated_by": annotators(row),
    }


def paths_entry(row: ClipRow, *, video_path: str, cut: bool, side_files: Mapping[str, str]) -> dict[str, Any]:
    """Return a clip in the older form, whose `video-path` is either the cut clip or the uncut original.

    For an original `start_s` and `end_s` say which part is meant; `talkvid preprocess` reads both.
    `side_files` holds description-path and subtitle-path where such files were written.
    """
    info = info_of(row)
    score, source = quality_score(row)
    span = {} if cut else {"start_s": row.start_s, "end_s": row.end_s}
    audio = str(row.facts.get("audio") or "")
    return {
        "id": row.name,
        "video-id": row.video_id,
        "video-path": video_path,
        "audio-path": (video_path if row.has_audio else None) if cut or not audio else audio,
        "description-path": side_files.get("description-path"),
        "subtitle-path": side_files.get("subtitle-path"),
        **span,
        "metadata": {
            "duration": round(row.duration_s, 6),
            "resolution": f"{row.width}x{row.height}",
            "fps": row.fps,
            "language": row.facts.get("language") or annotated(row, "language") or info[LANGUAGE],
            "speaker_id": info[PERSON],
            "age_group": info[AGE_GROUP],
            "quality_score": score,
            "quality_score_by": source,
        },
    }


def line_of(row: ClipRow) -> dict[str, Any]:
    """Return a clip with all that is known of it: one line of kept, rejected or failed.jsonl."""
    return {
        "id": row.name,
        "clip_id": row.clip_id,
        "video_id": row.video_id,
        "path": row.path,
        "number": row.number,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "duration_s": row.duration_s,
        "first_frame": row.first_frame,
        "num_frames": row.num_frames,
        "width": row.width,
        "height": row.height,
        "fps": row.fps,
        "vfr": row.vfr,
        "has_audio": row.has_audio,
        "language": row.facts.get("language") or annotated(row, "language") or info_of(row)[LANGUAGE],
        "status": row.status,
        "code": row.code,
        "reason": row.reason,
        "failed_stage": row.failed_stage,
        "scores": {stage: dict(scores) for stage, scores in row.scores.items()},
        "backends": dict(row.backends),
        "checks": [_check(check) for check in row.checks],
        "facts": dict(row.facts),
        "annotations": dict(row.annotations),
    }


def info_of(row: ClipRow) -> dict[str, str | None]:
    """Return `info` of the published form: as the source list told it, else as annotated, else null."""
    told = row.facts.get("info")
    told = told if isinstance(told, Mapping) else {}
    info: dict[str, str | None] = {}
    for key in INFO:
        fact = told.get(key) or row.facts.get(key) or row.facts.get(FACTS.get(key, key))
        value = fact or annotated(row, ANNOTATED.get(key, ""), words=True)
        info[key] = str(value) if value not in (None, "") else None
    return info


def description_of(row: ClipRow) -> str | None:
    """Return what the source list says of the clip, else its annotated caption, else None."""
    value = row.facts.get("description") or annotated(row, "caption")
    return str(value) if value else None


def annotated(row: ClipRow, name: str, *, words: bool = False) -> Any:
    """Return the value of one annotation, or None; with `words` its name where it has one: English for en."""
    field = row.annotations.get(name)
    if not isinstance(field, Mapping):
        return None
    return (words and field.get("name")) or field.get("value")


def annotators(row: ClipRow) -> dict[str, str]:
    """Return who wrote each annotation."""
    return {
        name: str(field.get("by", ""))
        for name, field in sorted(row.annotations.items())
        if isinstance(field, Mapping)
    }


def quality_score(row: ClipRow) -> tuple[float | None, str | None]:
    """Return a score from 0 to 100 and the name of the measure it comes from."""
    fused = row.score("quality", "dover_fused")
    if fused is not None:
        return round(100 * fused, 3), "100 * dover_fused"
    own = row.score("quality", OWN_SCORES["quality"])
    return (None, None) if own is None else (own, OWN_SCORES["quality"])


def _published_score(row: ClipRow, stage: str) -> float | None:
    backend, name = PUBLISHED_SCORES[stage]
    return row.score(stage, name) if row.backends.get(stage, "").startswith(backend) else None


def _own_scores(row: ClipRow) -> dict[str, float]:
    scores = {name: row.score(stage, name) for stage, name in OWN_SCORES.items()}
    return {name: value for name, value in scores.items() if value is not None}


def _check(check: Any) -> dict[str, Any]:
    names = ("stage", "score", "value", "op", "threshold", "margin", "passed")
    return {name: getattr(check, name) for name in names}
