"""What is to be fetched: the videos a list asks for, each once, with the clips that are wanted of it."""

import hashlib
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from talkvid.curation.cut_files import file_name
from talkvid.curation.talkvid_json import LINK, TalkVidEntry, entry_of, read_entries
from talkvid.dataset.json_lists import YOUTUBE_ID

LIST_SUFFIXES = (".txt", ".json", ".jsonl")
WATCH = "https://www.youtube.com/watch?v="


@dataclass(frozen=True)
class ClipWanted:
    """One clip of a video."""

    id: str
    start_s: float = 0.0
    end_s: float | None = None
    """The span of the original, its first picture being time 0; None goes to the end."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the list says besides: info, description, language."""


@dataclass(frozen=True)
class VideoWanted:
    """One video, fetched once however many clips of it are wanted."""

    id: str
    """Name of its file; letters, digits and `_.+-` alone."""
    address: str
    """http(s) address, or absolute path of a local file."""
    clips: tuple[ClipWanted, ...] = ()
    problem: str = ""
    """Why it cannot be asked for; it then fails under its name instead of vanishing."""

    @property
    def is_local(self) -> bool:
        """Return whether it is a file of this machine."""
        return urllib.parse.urlsplit(self.address).scheme not in ("http", "https")

    @property
    def host(self) -> str:
        """Return whom the address asks, `local` for a file of this machine."""
        if self.address and self.is_local:
            return "local"
        return urllib.parse.urlsplit(self.address).hostname or "unknown"


def read_wanted(path: Path) -> list[VideoWanted]:
    """Return the videos that a list asks for, in its order: addresses a line each, or TalkVid's JSON.

    Local paths start at the list's folder. Raises FileNotFoundError, or ValueError for a list that cannot be
    read or is empty; an entry that cannot be used is a video with a `problem`.
    """
    if path.suffix not in LIST_SUFFIXES:
        raise ValueError(f"{path}: cannot tell what kind of list this is; use {', '.join(LIST_SUFFIXES)}")
    if path.suffix == ".txt":
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such list; give a file with an address a line")
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
        told = (line for line in lines if line and not line.startswith("#"))
        entries = [entry_of({"video-path": line}, number) for number, line in enumerate(told, start=1)]
        entries = [replace(entry, id="") for entry in entries]
    else:
        entries = read_entries(path)
    if not entries:
        raise ValueError(f"{path}: the list is empty")
    return grouped(entries, path.resolve().parent)


def grouped(entries: Iterable[TalkVidEntry], root: Path) -> list[VideoWanted]:
    """Return each video once with all its clips, in the order in which the videos first come."""
    videos: dict[str, VideoWanted] = {}
    taken: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        name, problem = file_name(entry.id) if entry.id else "", entry.problem
        if name and name in taken:
            problem = f"entry {number}: the id '{name}' is used by an earlier entry; give it another"
            name = f"{name}__entry-{number}"
        taken.add(name)
        address = "" if problem else address_of(entry, root)
        if not address:
            problem = problem or f"entry {number}: it has neither a link nor a path of a video"
            key = f"problem {number}"
            videos[key] = VideoWanted(name or f"entry-{number}", "", problem=problem)
            continue
        video = videos.get(address) or VideoWanted(video_name(address, entry.video_id), address)
        clip = ClipWanted(name, entry.start_s or 0.0, entry.end_s, _told(entry))
        videos[address] = replace(video, clips=(*video.clips, clip)) if name else video
    return _unique(videos.values())


def address_of(entry: TalkVidEntry, root: Path) -> str:
    """Return where the original of an entry is: an address of the web or an absolute path; "" unknown."""
    told = entry.video_path or entry.link
    if entry.start_s is not None and entry.link:
        told = entry.link  # the times of a published clip are those of the original
    scheme = urllib.parse.urlsplit(told).scheme
    if scheme in ("http", "https"):
        found = YOUTUBE_ID.search(told) if "youtu" in (urllib.parse.urlsplit(told).hostname or "") else None
        return WATCH + found.group(1) if found else told
    if scheme == "file":
        told = urllib.parse.unquote(urllib.parse.urlsplit(told).path)
    return str(root / told) if told else ""


def video_name(address: str, told: str) -> str:
    """Return the file name of a video, the same in every run: its told id, or its stem and a hash."""
    if told:
        return file_name(told)
    found = YOUTUBE_ID.search(address)
    if found and address.startswith(WATCH):
        return found.group(1).lstrip(".")
    stem = Path(urllib.parse.unquote(urllib.parse.urlsplit(address).path)).stem
    return file_name(f"{stem[:80]}-{_short(address)}")


def _unique(videos: Iterable[VideoWanted]) -> list[VideoWanted]:
    """Return the videos; where two addresses would share a file name, all but the first get a hash."""
    taken: set[str] = set()
    result = []
    for video in videos:
        name = video.id if video.id not in taken else file_name(f"{video.id[:120]}-{_short(video.address)}")
        taken.add(name)
        result.append(replace(video, id=name))
    return result


def _told(entry: TalkVidEntry) -> dict[str, Any]:
    told: dict[str, Any] = {"info": dict(entry.info)} if entry.info else {}
    if entry.link and LINK not in entry.info:
        told.setdefault("info", {})[LINK] = entry.link
    if entry.description:
        told["description"] = entry.description
    return told


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
