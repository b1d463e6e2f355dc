"""Fetching the videos of a list: each once, by the way that suits its address, all of it resumable.

Files of a download folder: `videos/` (whole videos), `clips/` (exact clips, when asked for), `sources.jsonl`
(the list for the next stage), `downloads.jsonl` (what became of every video: size, sha256, or why not),
`link_rot.csv`, `link_rot.md`, and `journal/`.
"""

import hashlib
import json
import logging
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from talkvid import runner
from talkvid.curation.download_clips import missing_clips
from talkvid.curation.download_pace import Pace
from talkvid.curation.download_wanted import VideoWanted
from talkvid.curation.download_ytdlp import PageSettings, check_installed, fetch_page
from talkvid.curation.video_suffix import suffix_of
from talkvid.dataset.sources import VIDEO_SUFFIXES
from talkvid.fetching.errors import GONE, GONE_TOO, FetchError, of_message
from talkvid.fetching.http_file import HttpSettings, fetch_http
from talkvid.media.video import probe

logger = logging.getLogger(__name__)

JOURNAL = "journal/download.jsonl"
VIDEOS = "videos"
PARTIAL = ".partial"


@dataclass(frozen=True)
class DownloadConfig:
    """How videos are fetched."""

    what: Literal["videos", "clips"] = "videos"
    """Keep whole videos, or cut the wanted clips out of them exactly."""
    keep_videos: bool = True
    """With `what: clips`, keep the fetched videos too."""
    method: Literal["auto", "direct", "yt-dlp"] = "auto"
    """`auto`: addresses that end like a video file directly, all others by yt-dlp."""
    format: str = PageSettings.format
    """Which of a page's formats, in yt-dlp's words."""
    cookies: str = ""
    """File with cookies in Netscape's form, for pages that ask for a login."""
    rate_limit_bytes_per_s: float = 0.0
    """Of all workers together; 0: none."""
    interval_s: float = 0.0
    """Least time between two requests to one host, of all workers together."""
    timeout_s: float = 30.0
    """Longest silence of a server."""
    retries: int = 4
    backoff_s: float = 1.0
    """Wait before the second try; doubled each time."""
    retry_gone: bool = False
    """Ask again for what was gone (404, removed, private …) in an earlier run."""

    def __post_init__(self) -> None:
        for name in ("rate_limit_bytes_per_s", "interval_s", "retries", "backoff_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"download.{name} must be 0 or more, got {getattr(self, name)}")
        if not self.timeout_s > 0:
            raise ValueError(f"download.timeout_s must be above 0, got {self.timeout_s}")
        if self.cookies and not Path(self.cookies).is_file():
            raise FileNotFoundError(f"{self.cookies}: no such file of cookies (download.cookies)")


@dataclass(frozen=True)
class FetchJob:
    """One video on its way to a file."""

    id: str
    video: VideoWanted
    signature: str


def fetch_videos(
    videos: Sequence[VideoWanted],
    config: DownloadConfig,
    folder: Path,
    *,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
) -> list[dict[str, Any]]:
    """Return what became of each video, in order: id, address, host, status and path, size, hash or reason.

    What is there in its size is not fetched again; what was gone is not asked for again unless `retry_gone`;
    any other failure is tried again by the next run, from the byte it had reached.
    """
    jobs = [FetchJob(video.id, video, _signature(video, config)) for video in videos]
    summary = runner.run(
        jobs,
        partial(fetch_one, config=config, folder=folder, workers=workers),
        journal=folder / JOURNAL,
        workers=workers,
        executor=executor,
        deadline_s=deadline_s,
        description="fetching videos",
        is_intact=partial(_is_settled, folder, config),
    )
    found = []
    for video in videos:
        result = summary.results.get(video.id)
        if result is None:
            reason = summary.failures[video.id]
            kind = "worker_died" if "the worker" in reason else of_message(reason)
            kind = "timeout" if reason.startswith("not finished") else kind
            result = _failure(video, FetchError(kind, reason))
        found.append(result)
    return found


def fetch_one(job: FetchJob, *, config: DownloadConfig, folder: Path, workers: int) -> dict[str, Any]:
    """Return what became of one video; the reasons of the web are results, not exceptions."""
    video = job.video
    try:
        if video.problem:
            raise FetchError("bad_entry", video.problem)
        path, method = _fetch(video, config, folder, workers)
    except FetchError as error:
        logger.warning("%s: %s (%s)", video.id, error, error.kind)
        return _failure(video, error)
    return {
        **_about(video),
        "status": "ok",
        "method": method,
        "path": str(path) if video.is_local else f"{VIDEOS}/{path.name}",
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }


def method_for(video: VideoWanted, config: DownloadConfig) -> str:
    """Return how a video is fetched: `local`, `direct` or `yt-dlp`."""
    if video.is_local:
        return "local"
    if config.method != "auto":
        return config.method
    suffix = Path(urllib.parse.urlsplit(video.address).path).suffix.lower()
    return "direct" if suffix in VIDEO_SUFFIXES else "yt-dlp"


def check_methods(videos: Sequence[VideoWanted], config: DownloadConfig) -> None:
    """Raise ImportError before anything is fetched where yt-dlp is wanted and missing."""
    if any(method_for(video, config) == "yt-dlp" and not video.problem for video in videos):
        logger.info("yt-dlp %s", check_installed())


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(video: VideoWanted, config: DownloadConfig, folder: Path, workers: int) -> tuple[Path, str]:
    """Return the finished file and the way it came; raise FetchError."""
    method = method_for(video, config)
    if method == "local":
        path = Path(video.address)
        if not path.is_file():
            raise FetchError("missing_file", f"{path}: the file is not there")
        _check_video(path)
        return path, method
    pace = Pace(folder / "journal" / "pace", config.rate_limit_bytes_per_s, config.interval_s)
    partial_folder = folder / VIDEOS / PARTIAL
    partial_folder.mkdir(parents=True, exist_ok=True)
    if method == "direct":
        part = partial_folder / f"{video.id}.part"
        patience = HttpSettings(config.timeout_s, config.retries, config.backoff_s)
        known = fetch_http(video.address, part, pace=pace, settings=patience)
        got, suffix = part, suffix_of(known)
    else:
        page = PageSettings(
            format=config.format, cookies=config.cookies, timeout_s=config.timeout_s, retries=config.retries,
            bytes_per_s=config.rate_limit_bytes_per_s / workers, sleep_s=config.interval_s,
        )  # fmt: skip
        got = fetch_page(video.address, partial_folder / video.id, video.id, pace=pace, settings=page)
        suffix = got.suffix
    try:
        _check_video(got)
    except FetchError:
        _forget(got, partial_folder / video.id)
        raise
    target = folder / VIDEOS / f"{video.id}{suffix}"
    os.replace(got, target)
    _forget(got, partial_folder / video.id)
    return target, method


def _forget(got: Path, own_folder: Path) -> None:
    """Remove what stood beside a file while it was being fetched."""
    got.unlink(missing_ok=True)
    got.with_name(got.name + ".json").unlink(missing_ok=True)
    if own_folder.is_dir():
        for path in own_folder.iterdir():
            path.unlink()
        own_folder.rmdir()


def _check_video(path: Path) -> None:
    try:
        probe(path)
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise FetchError(
            "not_a_video", f"what came is no video that can be decoded ({reason})"[:300]
        ) from error


def _about(video: VideoWanted) -> dict[str, Any]:
    return {"id": video.id, "address": video.address, "host": video.host}


def _failure(video: VideoWanted, error: FetchError) -> dict[str, Any]:
    return {**_about(video), "status": "failed", "kind": error.kind, "reason": str(error)}


def _signature(video: VideoWanted, config: DownloadConfig) -> str:
    method = method_for(video, config)
    told = [video.address, method, config.format if method == "yt-dlp" else "", video.problem]
    if method == "local" and Path(video.address).is_file():
        state = os.stat(video.address)
        told += [str(state.st_size), str(state.st_mtime_ns)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _is_settled(folder: Path, config: DownloadConfig, job: FetchJob, result: Mapping[str, Any]) -> bool:
    """Return whether there is nothing more to do for a video that an earlier run has met."""
    if result["status"] != "ok":
        return not config.retry_gone and str(result["kind"]) in GONE | GONE_TOO
    if config.what == "clips" and not config.keep_videos and not missing_clips(job.video, folder):
        return True
    path = folder / str(result["path"])
    return path.is_file() and path.stat().st_size == int(result["bytes"])
