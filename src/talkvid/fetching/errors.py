"""Why a file could not be fetched: a short closed list of classes, told from codes and messages."""

import http.client
import re
import socket
import ssl
import urllib.error

CLASSES = {
    "not_found": "the address leads nowhere (404)",
    "removed": "taken away by its owner or the site (410, terminated account, copyright)",
    "private": "only its owner may see it",
    "geo_blocked": "not shown in this country",
    "age_restricted": "asks for an age check",
    "login_needed": "asks for a login or thinks we are a robot: give cookies",
    "forbidden": "the server refuses (401, 403)",
    "rate_limited": "too many requests (429): lower the rate",
    "server_error": "the server failed (5xx)",
    "timeout": "no answer in time",
    "unreachable": "no such host, or the connection was refused or lost",
    "wrong_length": "the file ended before the length it states",
    "cannot_write": "the disk here is full or the folder not writable",
    "redirect_loop": "redirected in a circle or too often",
    "not_a_video": "what came is no video",
    "unsupported": "no way to fetch this kind of address",
    "missing_file": "the local file is not there",
    "bad_entry": "the entry of the list cannot be used",
    "worker_died": "the process that fetched it died",
    "other": "anything else",
}
"""Class -> meaning, in the order of the tables."""

GONE = frozenset({"not_found", "removed", "private", "geo_blocked", "age_restricted", "bad_entry"})
GONE_TOO = frozenset({"unsupported", "redirect_loop"})
PERMANENT = GONE | GONE_TOO | {"missing_file", "not_a_video", "forbidden", "login_needed", "cannot_write"}
"""Trying again at once is of no use for these."""

STATUS = {401: "forbidden", 403: "forbidden", 404: "not_found", 410: "removed", 429: "rate_limited"}
STATUS |= {408: "timeout", 451: "geo_blocked", 504: "timeout"}

_WORDS = (
    ("private", r"private video|video is private|members.only|join this channel"),
    ("geo_blocked", r"not (?:made this video )?available in your (?:country|region|location)|geo.?restrict"),
    ("age_restricted", r"confirm your age|age.restricted|inappropriate for some users"),
    ("login_needed", r"sign in|log ?in|not a bot|cookies|authentication"),
    ("removed", r"removed|terminated|deleted|copyright|no longer available|violat"),
    ("rate_limited", r"too many requests|\b429\b|rate.?limit"),
    ("not_found", r"\b404\b|not found|video unavailable|does not exist|isn't available"),
    ("removed", r"\b410\b|gone"),
    ("forbidden", r"\b40[13]\b|forbidden|unauthorized"),
    ("timeout", r"timed? ?out"),
    ("server_error", r"\b5\d\d\b|internal server error|bad gateway|service unavailable"),
    ("unreachable", r"connection|name resolution|unreachable|reset by peer|getaddrinfo|name or service"),
    ("unsupported", r"unsupported url|no suitable extractor|requested format|drm"),
    ("wrong_length", r"incomplete|content too short|did not get any data"),
)
"""First match wins: the more telling ones come before the general ones."""


class FetchError(ValueError):
    """A file could not be fetched; `kind` is one of CLASSES, the message one sentence."""

    def __init__(self, kind: str, reason: str) -> None:
        assert kind in CLASSES, kind
        super().__init__(reason)
        self.kind = kind

    @property
    def permanent(self) -> bool:
        """Return whether trying again at once is of no use."""
        return self.kind in PERMANENT

    def __reduce__(self) -> tuple[type["FetchError"], tuple[str, str]]:
        return type(self), (self.kind, str(self))


def of_message(text: str) -> str:
    """Return the class that the message of a downloader speaks of."""
    return next((kind for kind, words in _WORDS if re.search(words, text, re.IGNORECASE)), "other")


def of_status(code: int) -> str:
    """Return the class of an HTTP status."""
    return STATUS.get(code, "server_error" if code >= 500 else "redirect_loop" if code < 400 else "other")


def of_exception(error: BaseException) -> FetchError:
    """Return the error that urllib, a socket or the TLS layer raised as one of ours."""
    if isinstance(error, FetchError):
        return error
    if isinstance(error, urllib.error.HTTPError):
        off_the_web = error.code < 400 and "not allowed" in str(error.reason)
        kind = "unsupported" if off_the_web else of_status(error.code)
        return FetchError(kind, f"HTTP {error.code} {error.reason}"[:200])
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = str(cause) or type(cause).__name__
    if isinstance(cause, TimeoutError | socket.timeout):
        return FetchError("timeout", f"no answer in time ({text})")
    if isinstance(cause, http.client.IncompleteRead):
        return FetchError("wrong_length", "the connection ended before the file did")
    if isinstance(cause, socket.gaierror):
        return FetchError("unreachable", f"no such host ({text})")
    if isinstance(cause, ssl.SSLError):
        return FetchError("unreachable", f"no secure connection ({text})")
    if isinstance(cause, OSError | http.client.HTTPException):
        return FetchError("unreachable", f"the connection failed ({text})")
    return FetchError("other", f"{type(error).__name__}: {text}")
