"""A run folder made by the project's own writer, without a single video: what report tests look at."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.decide import StageResult, decide
from talkvid.curation.manifest import CLIPS, ClipRow, span_columns, write_clips
from talkvid.curation.profiles import Rule
from talkvid.curation.records import FAILED, Span

RULES = {
    "scan": (
        Rule("scan", "duration_s", ">=", 3.0, "DUR_SHORT"),
        Rule("scan", "speech_ratio", ">=", 0.25, "NO_SPEECH"),
    ),
    "head": (
        Rule("head", "avg_movement", ">=", 80.0, "HEAD_MOVEMENT"),
        Rule("head", "min_rotation", ">=", 60.0, "HEAD_ROTATION"),
        Rule("head", "avg_resolution", ">=", 50.0, "HEAD_RESOLUTION"),
    ),
    "quality": (Rule("quality", "classical_quality", ">=", 0.5, "QUALITY_LOW"),),
    "motion": (
        Rule("motion", "point_track_ratio", ">=", 0.85, "MOTION_LOW"),
        Rule("motion", "point_track_ratio", "<=", 0.999, "MOTION_STATIC"),
    ),
}  # fmt: skip
FURTHER = (
    *(f"score.{stage}.{name}" for stage, name in (
        ("head", "avg_movement"), ("head", "avg_resolution"), ("head", "min_rotation"), ("head", "num_looks"),
        ("motion", "point_track_ratio"), ("quality", "classical_quality"), ("quality", "classical_sharpness"),
    )),
    *(f"backend.{stage}" for stage in ("head", "motion", "quality")),
    *(f"signature.{stage}" for stage in ("head", "motion", "quality")),
)  # fmt: skip
LANGUAGES = ("en", "en", "en", "zh", "fr", "")


def write_run(
    out: Path, *, videos: int = 40, clips: int = 5, paths: Sequence[str] = (), seed: int = 0
) -> list[ClipRow]:
    """Write `clips.parquet`, events and settings of a run that was never made; return its rows."""
    rows = list(_rows(videos, clips, paths, np.random.default_rng(seed)))
    out.mkdir(parents=True, exist_ok=True)
    write_clips(out / CLIPS, rows, further=FURTHER)
    (out / "config.yaml").write_text("profile: default\nscan:\n  min_s: 3\n", encoding="utf-8")
    with (out / "events.jsonl").open("w", encoding="utf-8") as stream:
        for row in rows:
            event = {"stage": "score", "id": row.clip_id, "video_id": row.video_id, "state": "done",
                     "wall_s": round(row.duration_s / 7, 3), "attempts": 1, "host": "one"}  # fmt: skip
            stream.write(json.dumps(event) + "\n")
    return rows


def _rows(videos: int, clips: int, paths: Sequence[str], draw: np.random.Generator) -> Iterator[ClipRow]:
    for video in range(videos):
        path = paths[video] if video < len(paths) else f"/nowhere/video{video:05d}.mp4"
        if video % 13 == 12:
            yield broken_file(f"video{video:05d}", path)
            continue
        start = 0
        for number in range(1, clips + 1):
            frames = int(draw.integers(40, 500))
            span = _span(f"video{video:05d}", path, number, start, frames, draw)
            start += frames
            yield judged(span, _results(span, draw))


def broken_file(video_id: str, path: str, *, code: str = "DECODE_FAIL", reason: str = "") -> ClipRow:
    """Return the row of a file that failed whole."""
    span = Span(video_id, path, 0, 0, 0, (1, 25), 0, 0, 0, 0, 0.0)
    told = reason or f"{path}: no frame of this video can be decoded (Invalid data); copy it again"
    return ClipRow(**span_columns(span), status=FAILED, code=code, reason=told, failed_stage="scan")


def judged(span: Span, results: dict[str, StageResult]) -> ClipRow:
    """Return the row of a clip as the project's rules decide on it."""
    verdict, stage = decide(span, results, RULES)
    return ClipRow(
        **span_columns(span),
        status=verdict.status,
        code=verdict.code,
        reason=verdict.reason,
        failed_stage=stage,
        scores={name: result.scores for name, result in results.items()},
        backends={name: result.backend for name, result in results.items()},
        signatures={name: result.signature for name, result in results.items()},
        checks=verdict.checks,
    )


def _span(video_id: str, path: str, number: int, start: int, frames: int, draw: np.random.Generator) -> Span:
    width, height = ((1920, 1080), (1280, 720), (512, 512), (3840, 2160))[int(draw.integers(4))]
    facts: dict[str, Any] = {"speech_s": 2.0, "speech_ratio": float(draw.uniform(0.1, 1.0))}
    language = LANGUAGES[int(draw.integers(len(LANGUAGES)))]
    if language:
        facts["language"] = language
    return Span(
        video_id, path, number, start, start + frames, (1, 25), start, frames, width, height, 25.0,
        has_audio=True, facts=facts,
    )  # fmt: skip


def _results(span: Span, draw: np.random.Generator) -> dict[str, StageResult]:
    """Return scores stage by stage until one rejects, as a run makes them."""
    head = {
        "avg_movement": float(np.clip(draw.normal(90, 7), 0, 100)),
        "min_rotation": float(np.clip(draw.normal(80, 12), 0, 100)),
        "avg_resolution": float(abs(draw.normal(160, 90))),
        "num_looks": float(span.num_frames // 25 + 1),
    }
    quality = {"classical_quality": float(draw.beta(5, 2)), "classical_sharpness": float(draw.uniform())}
    motion = {"point_track_ratio": float(1 - draw.beta(1.3, 18))}
    results: dict[str, StageResult] = {}
    for stage, scores in (("head", head), ("quality", quality), ("motion", motion)):
        if decide(span, results, RULES)[0].status == "rejected":
            break
        if stage == "head" and draw.uniform() < 0.05:
            reason = "of 9 looks none shows exactly one face: 9 show no face, 0 several"
            results[stage] = StageResult("embedded", "a1b2c3", {}, "NO_FACE", reason)
            continue
        results[stage] = StageResult("embedded", "a1b2c3", scores)
    return results
