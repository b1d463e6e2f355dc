"""Lists to be fetched, and a short way to fetch them, for the tests of download."""

import json
from pathlib import Path
from typing import Any

from talkvid.curation.download import DownloadConfig
from talkvid.curation.download_run import Downloaded, download
from talkvid.curation.materialise import MaterialiseConfig

QUICK = DownloadConfig(timeout_s=0.5, retries=1, backoff_s=0.0)
CUTTING = MaterialiseConfig(preset="ultrafast")


def listed(folder: Path, lines: list[str], name: str = "list.txt") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def clips_of(folder: Path, entries: list[dict[str, Any]]) -> Path:
    (folder / "list.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder / "list.json"


def run(source: Path, out: Path, config: DownloadConfig = QUICK, **how: Any) -> Downloaded:
    return download(source, out, config, cutting=CUTTING, executor="inline", **how)


def results_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "downloads.jsonl").read_text().splitlines()]


def published(link: str, name: str, start: Any, end: Any) -> dict[str, Any]:
    info = {"Video Link": link, "Language": "English", "Person ID": "597"}
    return {"id": name, "start-time": start, "end-time": end, "info": info, "description": "Somebody speaks."}
