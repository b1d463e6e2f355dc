"""What is told of a packed clip: columns, their types as `datasets` names them, and the values."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from talkvid.curation.manifest import ClipRow
from talkvid.curation.materialise import clip_rate
from talkvid.curation.talkvid_entry import annotated, description_of, info_of
from talkvid.curation.talkvid_json import CATEGORY, LANGUAGE, LINK, PERSON

VIDEO = "video"
TEXTS = ("id", "clip_id", "video_id", "person_id", "language", "description", "transcript", "license")
FURTHER_TEXTS = ("video_link", "video_category", "sha256")
WHOLES = ("num_frames", "width", "height", "start_frame")
NUMBERS = ("fps", "duration", "start_time", "end_time")
CHUNK_BYTES = 1 << 20

Columns = dict[str, str]
"""Name -> dtype as `datasets` names it: video, string, int64, float64 or bool."""


def columns_of(rows: Sequence[ClipRow], *, with_video: bool) -> Columns:
    """Return the columns in their order; scores are `<stage>_<name>`, those that any of the clips has."""
    scores = {
        f"{stage}_{name}": "float64" for row in rows for stage, told in row.scores.items() for name in told
    }
    return {
        **({VIDEO: "video"} if with_video else {}),
        **dict.fromkeys(TEXTS, "string"),
        **dict.fromkeys(NUMBERS, "float64"),
        **dict.fromkeys(WHOLES, "int64"),
        "has_audio": "bool",
        **dict(sorted(scores.items())),
        **dict.fromkeys(FURTHER_TEXTS, "string"),
    }


def values_of(row: ClipRow, columns: Columns, *, clip: Path | None, license: str) -> dict[str, Any]:
    """Return a clip's values but its video; size and rate are those of the cut file where there is one.

    Times count in the original, from its first picture.
    """
    info = info_of(row)
    told: dict[str, Any] = {
        "id": row.name,
        "clip_id": row.clip_id,
        "video_id": row.video_id,
        "person_id": info[PERSON],
        "language": row.facts.get("language") or annotated(row, "language") or info[LANGUAGE],
        "description": description_of(row),
        "transcript": _text(annotated(row, "transcript")),
        "license": _text(row.facts.get("license")) or license or None,
        "video_link": info[LINK],
        "video_category": info[CATEGORY],
        "sha256": None if clip is None else file_hash(clip),
        "num_frames": row.num_frames,
        "width": row.width if clip is None else row.width // 2 * 2,
        "height": row.height if clip is None else row.height // 2 * 2,
        "start_frame": row.first_frame,
        "fps": row.fps if clip is None else float(clip_rate(row)),
        "duration": row.duration_s,
        "start_time": row.start_s,
        "end_time": row.end_s,
        "has_audio": row.has_audio,
    }
    told |= {f"{stage}_{name}": value for stage, names in row.scores.items() for name, value in names.items()}
    return {name: told.get(name) for name in columns if name != VIDEO}


def schema_of(pyarrow: Any, columns: Columns, marks: Mapping[str, str]) -> Any:
    """Return the Arrow schema, which also says in the way of `datasets` what the columns are."""
    video = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    kinds = {
        "video": video,
        "string": pyarrow.string(),
        "int64": pyarrow.int64(),
        "float64": pyarrow.float64(),
        "bool": pyarrow.bool_(),
    }
    features = {
        name: {"_type": "Video"} if kind == "video" else {"dtype": kind, "_type": "Value"}
        for name, kind in columns.items()
    }
    told = {"huggingface": json.dumps({"info": {"features": features}}), **marks}
    return pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()], metadata=told)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
