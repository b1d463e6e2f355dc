"""The scan of one source file in a worker: its clips, or why it has none."""

import os
import platform
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from talkvid.curation.config import CurateConfig, digest, section
from talkvid.curation.scan import ScanConfig, scan_video
from talkvid.curation.sources import Unusable, VideoSource

SCAN_VERSION = 1
"""Raised with every change that alters clips."""


@dataclass(frozen=True)
class SourceItem:
    """A source file that waits to be scanned."""

    source: VideoSource
    signature: str
    """Settings of the scan, what the list says, and which file lies there."""

    @property
    def id(self) -> str:
        """Return the id of the source."""
        return self.source.id


def source_item(source: VideoSource, scan_settings: str) -> SourceItem:
    """Return the item of a source; `scan_settings` is the hash of all that a scan depends on."""
    parts = [repr(source), scan_settings]
    parts += [file_identity(path) for path in (source.path, source.audio, source.subtitles) if path]
    return SourceItem(source, digest({"parts": parts}))


def file_identity(path: str) -> str:
    """Return size and time of change of a file, so that another file under its name is noticed."""
    try:
        state = os.stat(path)
    except OSError:
        return "missing"
    return f"{state.st_size}:{state.st_mtime_ns}"


def scan_settings(config: CurateConfig) -> str:
    """Return the hash of all that every scan depends on."""
    return digest({"version": SCAN_VERSION, "scan": config.scan})


def scan_setup(config: CurateConfig) -> ScanConfig:
    """Return the settings that a worker scans with."""
    settings: ScanConfig = section(config, "scan")
    return settings


def scan_source(item: SourceItem, settings: ScanConfig) -> dict[str, Any]:
    """Return {spans, facts} of a file, or {code, reason} of one that gives no clips, with {seconds, host}."""
    begin = perf_counter()
    found: dict[str, Any]
    try:
        result = scan_video(item.source, settings)
    except Unusable as error:
        found = {"code": error.code, "reason": " ".join(str(error).split())}
    else:
        found = {"spans": [span.to_json() for span in result.spans], "facts": result.facts}
    return {**found, "seconds": round(perf_counter() - begin, 4), "host": platform.node()}
