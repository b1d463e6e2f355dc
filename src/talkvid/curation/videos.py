"""`videos.parquet`: one row per source file, what it held and what became of its clips."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from talkvid.curation.manifest import ClipRow
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.results import Results
from talkvid.extras import require
from talkvid.files import atomic_path

COLUMNS = {
    "video_id": "string",
    "path": "string",
    "status": "string",
    "code": "string",
    "reason": "string",
    "duration_s": "float64",
    "num_frames": "int64",
    "width": "int64",
    "height": "int64",
    "fps": "float64",
    "vfr": "bool_",
    "has_audio": "bool_",
    "num_clips": "int64",
    **dict.fromkeys((KEPT, REJECTED, FAILED, UNSCORED), "int64"),
    "kept_s": "float64",
    "facts": "string",
}
"""`status` is `scanned`, `failed` or `unscored`; `facts` is a JSON object as text."""


class Videos:
    """Counts the clips of each source file while they go by, for `videos.parquet`."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._rows: list[dict[str, Any]] = []

    def counted(self, rows: Iterable[ClipRow]) -> Iterator[ClipRow]:
        """Yield the rows of the clips, which come file by file."""
        for video_id, group in groupby(rows, lambda row: row.video_id):
            clips = list(group)
            self._rows.append(_video(self._results, video_id, clips))
            yield from clips

    def write(self, path: Path) -> None:
        """Write one row per source file."""
        pyarrow = require("pyarrow", extra="curation")
        parquet = require("pyarrow.parquet", extra="curation")
        schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()])
        with atomic_path(path) as temporary:
            table = pyarrow.Table.from_pylist(self._rows, schema=schema)
            parquet.write_table(table, temporary, compression="zstd", compression_level=3)


def _video(results: Results, video_id: str, clips: list[ClipRow]) -> dict[str, Any]:
    scan = results.scan_of(video_id)
    facts = (scan.result or {}).get("facts", {}) if scan is not None else {}
    counts = Counter(row.status for row in clips)
    first = clips[0]
    whole = first.number == 0
    return {
        "video_id": video_id,
        "path": first.path,
        "status": first.status if whole else "scanned",
        "code": first.code if whole else "",
        "reason": first.reason if whole else "",
        "duration_s": facts.get("duration_s"),
        "num_frames": facts.get("num_frames"),
        **{name: getattr(first, name) for name in ("width", "height", "fps", "vfr", "has_audio")},
        "num_clips": 0 if whole else len(clips),
        **{name: counts[name] for name in (KEPT, REJECTED, FAILED, UNSCORED)},
        "kept_s": sum(row.duration_s for row in clips if row.status == KEPT),
        "facts": json.dumps(facts, ensure_ascii=False, sort_keys=True),
    }
