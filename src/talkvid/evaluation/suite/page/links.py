"""Addresses of video and sound files as a page in some folder must write them."""

import os
from pathlib import Path
from urllib.parse import quote

from talkvid.page.marks import Html, name, safe, tag


def relative_url(path: Path, folder: Path) -> str:
    """Return the address of a file seen from a folder; letters that mean something in an address are coded.

    A name such as `javascript:x.mp4`, `50%.mp4` or `a#1?.mp4` stays the name of a file.
    """
    way = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    return quote(os.fsencode(Path(way).as_posix()))


def player(path: Path | None, folder: Path, *, caption: str, early: bool) -> Html:
    """Return a video player under its caption, or a box saying that there is no such file (any more).

    Args:
        early: whether the browser reads the beginning of the file before anyone presses play; it holds only
            some dozens of opened videos at a time.
    """
    if path is None:
        shown = tag("span", "none given", class_="player absent")
    elif not path.is_file():
        shown = tag("span", "the file is not there: ", name(str(path)), class_="player absent")
    else:
        source = f'src="{relative_url(path, folder)}" aria-label="{safe(caption)}"'
        preload = "metadata" if early else "none"
        shown = Html(f'<video class="player" controls playsinline preload="{preload}" {source}></video>')
    return tag("figure", shown, tag("figcaption", caption))


def listener(path: Path | None, folder: Path) -> Html:
    """Return a player of the driving sound; nothing where the video brings its own."""
    if path is None:
        return Html("")
    if not path.is_file():
        return tag("p", "driving sound: the file is not there: ", name(str(path)), class_="soft")
    source = f'src="{relative_url(path, folder)}"'
    return tag(
        "p", "driving sound ", Html(f'<audio controls preload="none" {source}></audio>'), class_="soft"
    )
