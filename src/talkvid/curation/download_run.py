"""The download stage: a list in; videos or exact clips, the next stage's list and the link-rot table out."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.curation import link_rot
from talkvid.curation.cut_files import CLIPS
from talkvid.curation.download import DownloadConfig, check_methods, fetch_videos, method_for
from talkvid.curation.download_clips import cut_wanted, wanted_clips
from talkvid.curation.download_wanted import VideoWanted, read_wanted
from talkvid.curation.export import write_lines
from talkvid.curation.materialise import MaterialiseConfig
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

SOURCES = "sources.jsonl"
DOWNLOADS = "downloads.jsonl"
NO_CUT = runner.Summary()


@dataclass(frozen=True)
class Downloaded:
    """What became of a list: videos = ok + failed, and of its clips where they were asked for."""

    folder: Path
    num_ok: int
    num_failed: int
    kinds: Mapping[str, int]
    """Class -> number of videos that failed for it."""
    clips: runner.Summary = NO_CUT

    @property
    def sources(self) -> Path:
        """Return the list that the next stage takes."""
        return self.folder / SOURCES


def download(
    wanted_list: Path,
    folder: Path,
    config: DownloadConfig,
    *,
    cutting: MaterialiseConfig | None = None,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
    limit: int | None = None,
) -> Downloaded:
    """Return what became of a list's videos after writing files and tables to `folder`.

    `limit` counts videos. A second call fetches only what is missing. Raises FileNotFoundError or ValueError
    for the list, ImportError where yt-dlp is wanted and missing; nothing was fetched then.
    """
    videos = read_wanted(wanted_list)[: limit or None]
    check_methods(videos, config)
    how = {"workers": workers, "executor": executor, "deadline_s": deadline_s}
    results = fetch_videos(videos, config, folder, **how)  # type: ignore[arg-type]
    cut = NO_CUT
    if config.what == "clips":
        fetched = list(zip(videos, results, strict=True))
        cut = cut_wanted(fetched, folder, cutting or MaterialiseConfig(), **how)  # type: ignore[arg-type]
    write_lines(folder / DOWNLOADS, results)
    write_lines(folder / SOURCES, _source_lines(videos, results, cut, config))
    table = link_rot.link_rot(results)
    _write(folder / "link_rot.csv", link_rot.as_csv(table))
    _write(folder / "link_rot.md", link_rot.as_markdown(table))
    if config.what == "clips" and not config.keep_videos and not cut.failed:
        _drop_videos(folder, results)
    kinds = Counter(str(result["kind"]) for result in results if result["status"] != "ok")
    return Downloaded(folder, len(results) - kinds.total(), kinds.total(), dict(kinds), cut)


def plan_lines(wanted_list: Path, config: DownloadConfig, *, limit: int | None = None) -> Iterator[str]:
    """Yield what would be fetched and how, a line per video, asking nobody."""
    for video in read_wanted(wanted_list)[: limit or None]:
        how = f"cannot: {video.problem}" if video.problem else f"{method_for(video, config)} {video.address}"
        yield f"{video.id}: {how} ({len(video.clips)} clips)"


def report_lines(done: Downloaded) -> list[str]:
    """Return what was done in a few lines for a person."""
    lines = [f"{done.num_ok + done.num_failed} videos = {done.num_ok} there + {done.num_failed} failed"]
    lines += [f"  {count} {kind}" for kind, count in sorted(done.kinds.items())]
    if done.clips.total:
        lines.append(
            f"{done.clips.total} clips = {done.clips.done} cut + {done.clips.skipped} cut before + "
            f"{done.clips.failed} failed"
        )
        lines += [f"  {name}: {reason}" for name, reason in done.clips.failures.items()]
    return lines


def _source_lines(
    videos: Sequence[VideoWanted],
    results: Sequence[Mapping[str, Any]],
    cut: runner.Summary,
    config: DownloadConfig,
) -> Iterator[dict[str, Any]]:
    """Yield the entries of the next stage's list; what failed is in downloads.jsonl, not here."""
    for video, result in zip(videos, results, strict=True):
        if result["status"] != "ok":
            continue
        if config.what == "videos" and not video.clips:
            yield {"id": video.id, "video-id": video.id, "video-path": result["path"], "link": video.address}
            continue
        for clip in wanted_clips(video):
            if config.what == "clips" and clip.id not in cut.results:
                continue
            path = f"{CLIPS}/{clip.id}.mp4" if config.what == "clips" else result["path"]
            line = {"id": clip.id, "video-id": video.id, "video-path": path, "link": video.address}
            if config.what == "videos" and (clip.start_s or clip.end_s is not None):
                line |= {"start_s": clip.start_s, "end_s": clip.end_s}
            yield {**line, **clip.told}


def _drop_videos(folder: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Remove the fetched videos, whose clips are all cut; files that were local to begin with stay."""
    for result in results:
        if result["status"] == "ok" and result["method"] != "local":
            (folder / str(result["path"])).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
