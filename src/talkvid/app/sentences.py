"""What a visitor is told when something went wrong: one sentence, no traceback, no path of the server."""

import errno
import logging
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from talkvid.media.ffmpeg import FfmpegError

logger = logging.getLogger(__name__)


class ServerTrouble(RuntimeError):
    """What went wrong on the server in words meant for the visitor, who can try again."""


USERS_ERRORS = (ValueError, OSError, ImportError, FfmpegError, ServerTrouble)
"""Errors whose message tells a user all that is needed; any other is a fault of the program."""
DISK_FULL = "The disk of the server is full; tell whoever runs it, or try again later."
PAGE_WORDS = {
    "choose one with --face largest or --face NUMBER": "choose one as “Which face” under Advanced",
}
"""Advice of the command line -> the same in terms of the page."""
ABSOLUTE_PATH = re.compile(r"(?<![\w.])/(?:[^\s/:;,'\"]+/)+([^\s/:;,'\"]*)")


def sentence(error: BaseException, *, files: Iterable[Path | str | None] = ()) -> str:
    """Return what a visitor is told; files are named without their folders.

    A fault of the program is logged with its traceback under a number, and only the number is told.
    """
    if not isinstance(error, USERS_ERRORS):
        number = secrets.token_hex(4)
        logger.error("fault %s", number, exc_info=error)
        return f"Something went wrong on the server; its log says more under {number}."
    if is_disk_full(error):
        logger.warning("the disk is full: %s", error)
        return DISK_FULL
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = " ".join(str(error).split()) or type(error).__name__
    for advice, words in PAGE_WORDS.items():
        message = message.replace(advice, words)
    return without_folders(message, files=files)


def is_disk_full(error: BaseException) -> bool:
    """Return whether there was no room left to write, for this process or for ffmpeg."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, FfmpegError) and os.strerror(errno.ENOSPC) in str(error)


def without_folders(text: str, *, files: Iterable[Path | str | None] = ()) -> str:
    """Return the text with every absolute path cut down to the name of its file."""
    for file in files:
        if file is not None:
            text = text.replace(str(file), Path(file).name)
    return ABSOLUTE_PATH.sub(lambda found: found[1], text)
