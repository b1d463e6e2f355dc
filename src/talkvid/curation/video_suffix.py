"""The suffix of a video that came over the web, from its type or its address."""

import urllib.parse
from pathlib import Path

from talkvid.fetching.http_file import Part

SUFFIX_OF_TYPE = {
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
    "video/x-matroska": ".mkv",
    "video/mp2t": ".ts",
    "video/x-msvideo": ".avi",
}


def suffix_of(known: Part) -> str:
    """Return the file suffix that the server's type, or the address, tells; `.mp4` where neither does."""
    from talkvid.dataset.sources import VIDEO_SUFFIXES

    told = SUFFIX_OF_TYPE.get(known.type.split(";")[0].strip().lower(), "")
    suffix = Path(urllib.parse.urlsplit(known.address).path).suffix.lower()
    return told or (suffix if suffix in VIDEO_SUFFIXES else ".mp4")
