"""The only file that knows yt-dlp (extra `download`): one video by its page's address."""

import logging
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.curation.download_pace import Pace
from talkvid.extras import require
from talkvid.fetching.errors import FetchError, of_message
from talkvid.media import ffmpeg

logger = logging.getLogger(__name__)

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PREFIX = re.compile(r"^ERROR:\s*(\[[^\]]*\]\s*)?")


@dataclass(frozen=True)
class PageSettings:
    """What yt-dlp is told."""

    format: str = "bv*[height<=1080]+ba/b[height<=1080]/b"
    """Which of a page's formats, in yt-dlp's words."""
    cookies: str = ""
    """File with cookies in Netscape's form, for pages that ask for a login."""
    bytes_per_s: float = 0.0
    """Rate of this worker alone; yt-dlp cannot share one."""
    timeout_s: float = 30.0
    retries: int = 4
    sleep_s: float = 0.0
    """Least time between the requests it makes for one video."""


def check_installed() -> str:
    """Return yt-dlp's version; raise ImportError naming the extra where it is missing."""
    return str(require("yt_dlp.version", extra="download").__version__)


def fetch_page(address: str, folder: Path, name: str, *, pace: Pace, settings: PageSettings) -> Path:
    """Return the file `folder/name.<suffix>` that yt-dlp made; what a broken run left is taken up again.

    Raises FetchError with the class that yt-dlp's message speaks of, ImportError where it is missing.
    """
    library = require("yt_dlp", extra="download")
    folder.mkdir(parents=True, exist_ok=True)
    pace.before_request(urllib.parse.urlsplit(address).hostname or "")
    messages = _Messages()
    try:
        with library.YoutubeDL({**_options(settings, folder, name), "logger": messages}) as downloader:
            info = downloader.extract_info(address, download=True)
    except library.utils.DownloadError as error:
        text = plain(str(error) or messages.last)
        raise FetchError(of_message(text), text[:300]) from error
    files = [Path(one["filepath"]) for one in (info or {}).get("requested_downloads") or []]
    path = next((path for path in files if path.is_file()), None)
    if path is None:
        raise FetchError(
            "not_a_video", f"no video came from this page ({messages.last or 'no message'})"[:300]
        )
    if path.resolve().parent != folder.resolve():
        raise FetchError("other", f"yt-dlp wrote to {path}, outside of {folder}")
    return path


def plain(message: str) -> str:
    """Return a message of yt-dlp as one line without colours and its own prefix."""
    return PREFIX.sub("", COLOURS.sub("", " ".join(message.split())))


def _options(settings: PageSettings, folder: Path, name: str) -> dict[str, Any]:
    """Return the options of yt-dlp; `%` in the name would be a field of its templates."""
    options: dict[str, Any] = {
        "format": settings.format,
        "outtmpl": {
            "default": str(folder / f"{name}.%(ext)s").replace("%", "%%").replace("%%(ext)s", "%(ext)s")
        },
        "noplaylist": True,
        "playlist_items": "1",
        "continuedl": True,
        "overwrites": False,
        "retries": settings.retries,
        "fragment_retries": settings.retries,
        "socket_timeout": settings.timeout_s,
        "sleep_interval_requests": settings.sleep_s or None,
        "ffmpeg_location": ffmpeg.executable(),
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "cachedir": False,
        "ignoreerrors": False,
        "updatetime": False,
    }
    if settings.bytes_per_s > 0:
        options["ratelimit"] = settings.bytes_per_s
    if settings.cookies:
        options["cookiefile"] = settings.cookies
    return options


class _Messages:
    """Takes what yt-dlp would print."""

    def __init__(self) -> None:
        self.last = ""

    def debug(self, message: str) -> None:
        """Pass on what is of interest to a developer."""
        logger.debug("%s", message)

    info = debug

    def warning(self, message: str) -> None:
        """Pass on a warning."""
        self.last = plain(message)
        logger.debug("%s", self.last)

    def error(self, message: str) -> None:
        """Keep an error; it is raised as well."""
        self.last = plain(message)
