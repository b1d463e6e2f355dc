"""Raw clips become training clips: a square crop that keeps time, face info, speech features, one list."""

import csv
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from talkvid import plugins, runner
from talkvid.dataset.face_info import stored_metadata
from talkvid.dataset.prepare_clip import Tools, prepare_clip
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.face.detect import build_detector
from talkvid.files import atomic_path
from talkvid.records import SampleEntry

SYNC_COLUMNS = ("verdict", "mouth_late_s", "correlation", "score", "margin", "moved_s", "reason")
logger = logging.getLogger(__name__)

VERSION = 1
"""Part of every signature: a change of what the files mean makes all clips be done again."""


def prepare(
    sources: Sequence[Source],
    settings: PrepareSettings,
    *,
    name: str,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
) -> runner.Summary:
    """Return what became of the clips; write the lists and each clip's three files.

    Lists: OUT/NAME.json, NAME.failed.json and, unless it is off, NAME.sync.csv with the sound offsets.

    What an earlier run has done, with the same settings and unchanged sources, is kept as it is.
    """
    signed = [replace(source, signature=signature(source, settings)) for source in sources]
    summary = runner.run(
        signed,
        partial(prepare_clip, settings=settings),
        setup=partial(load_tools, settings, single_thread=workers > 1),
        journal=settings.output_dir / f"{name}.journal.jsonl",
        workers=workers,
        executor=executor,
        deadline_s=deadline_s,
        description=f"preparing {name}",
        is_intact=partial(_is_intact, settings.output_dir),
    )
    entries = [summary.results[key]["entry"] for key in sorted(summary.results)]
    videos = {source.id: str(source.video) for source in sources}
    failed = [
        {"id": key, "video": videos[key], "reason": summary.failures[key]} for key in sorted(summary.failures)
    ]
    _write_json(settings.output_dir / f"{name}.json", entries)
    _write_json(settings.output_dir / f"{name}.failed.json", failed)
    if settings.sync != "off":
        _write_sync(settings.output_dir / f"{name}.sync.csv", summary.results)
    return summary


def signature(source: Source, settings: PrepareSettings) -> str:
    """Return a short hash of everything the prepared files depend on."""
    told = {**asdict(settings), "output_dir": "", "version": VERSION, "source": source.describe()}
    for kind in ("face_backend", "speech_encoder"):
        if own := plugins.describe(kind, getattr(settings, kind)):
            told[f"{kind}_plugin"] = own
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def load_tools(settings: PrepareSettings, *, single_thread: bool = False) -> Tools:
    """Return the detector and the speech encoder, loaded; raise what is missing for them."""
    from talkvid.speech.features import build_speech_encoder

    if single_thread:
        import cv2
        import torch

        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    detector = build_detector(
        settings.face_backend, model_path=settings.face_model_path or None, device=settings.device
    )
    try:
        encoder = build_speech_encoder(settings.speech_encoder, device=settings.device)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; for the embedded model, or without any download, give --speech_encoder log-mel"
        ) from error
    return Tools(detector, encoder)


def _is_intact(output_dir: Path, source: Source, result: dict[str, Any]) -> bool:
    """Return whether the clip's files are there and come from the run the journal remembers."""
    entry = SampleEntry(**result["entry"])
    stored = (stored_metadata(output_dir / path) for path in (entry.face_info, entry.audio_embeds))
    same = all(metadata.get("signature") == source.signature for metadata in stored)
    return same and (output_dir / entry.video).is_file()


def _write_sync(path: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the measured sound offsets, one row per clip; `--sync_csv` reads this form."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("file", *SYNC_COLUMNS))
        writer.writeheader()
        for key in sorted(results):
            writer.writerow({"file": key, **{name: results[key]["sync"][name] for name in SYNC_COLUMNS}})


def _write_json(path: Path, value: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
