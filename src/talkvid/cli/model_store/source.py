"""Where a file of the catalogue can be fetched now, and what vouches for what comes."""

import logging
import os
import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from talkvid.catalogue.record import HUB, HubFile, ModelFile, ModelRecord
from talkvid.fetching.errors import STATUS, FetchError, of_status
from talkvid.fetching.http_file import HttpSettings

MIRROR = "TALKVID_MIRROR"
"""Address of a copy of the models' folder; every file is asked for at its place below it."""
ENDPOINT = "HF_ENDPOINT"
"""Address of a hub other than huggingface.co."""
TOKEN = "HF_TOKEN"
AGAIN = frozenset({"rate_limited", "server_error", "timeout", "unreachable"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """One file as it can be asked for now."""

    file: ModelFile
    address: str
    size: int | None = None
    """Bytes, by the catalogue or the server."""
    sha256: str = ""
    git_sha1: str = ""
    """What the hub states of small files: the checksum that git gives their content."""
    by: str = ""
    """What vouches for the content, see `presence.Note.by`; empty: nothing does."""
    source: str = ""
    """What is written down of where it came from."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    hub: str = ""
    """The repository on the hub whose terms may have to be accepted."""


def wanted(
    record: ModelRecord,
    file: ModelFile,
    *,
    url: str | None,
    sha256: str | None,
    settings: HttpSettings,
    sleep: Callable[[float], None] = time.sleep,
) -> Wanted:
    """Return how a file is asked for: at `url`, at the mirror, or where the catalogue says.

    `sha256` replaces the recorded checksum. ValueError or FetchError when that cannot be told.
    """
    assert file.source is not None, file.place
    pinned, by = (sha256, "--sha256") if sha256 else (file.sha256, "catalogue" if file.sha256 else "")
    mirror = os.environ.get(MIRROR, "")
    if url is not None or mirror:
        address = url or f"{mirror.rstrip('/')}/{urllib.parse.quote(file.place)}"
        _check_address(address, "--url" if url else f"${MIRROR}")
        return Wanted(file, address, None if sha256 else file.size, pinned, by=by, source=address)
    if isinstance(file.source, HubFile):
        return _at_hub(record, file, file.source, pinned, by, settings=settings, sleep=sleep)
    return Wanted(
        file, file.source.url, None if sha256 else file.size, pinned, by=by, source=file.source.told
    )


def _check_address(address: str, name: str) -> None:
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{name} {address} is not a web address; give one that begins with https://")


def _at_hub(
    record: ModelRecord,
    file: ModelFile,
    source: HubFile,
    pinned: str,
    by: str,
    *,
    settings: HttpSettings,
    sleep: Callable[[float], None],
) -> Wanted:
    from huggingface_hub import get_token, hf_hub_url

    endpoint = os.environ.get(ENDPOINT) or None
    address = hf_hub_url(source.repository, source.path, revision=source.revision, endpoint=endpoint)
    token = get_token()
    told = _metadata(address, token, source.repository, settings=settings, sleep=sleep)
    stated = told.etag or ""
    sha256 = stated if re.fullmatch(r"[0-9a-f]{64}", stated) else ""
    if pinned and sha256 and by == "catalogue" and pinned.lower() != sha256:
        raise ValueError(
            f"{record.name}: {source.told} now has the checksum {sha256}, not {pinned} as recorded; "
            f"if you trust it say --sha256 {sha256}"
        )
    git_sha1 = stated if re.fullmatch(r"[0-9a-f]{40}", stated) else ""
    return Wanted(
        file,
        address,
        size=told.size if told.size is not None else file.size,
        sha256=pinned or sha256,
        git_sha1="" if pinned else git_sha1,
        by=by or ("server" if sha256 or git_sha1 else ""),
        source=f"{source.repository}@{told.commit_hash or source.revision}:{source.path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        hub=source.repository,
    )


def _metadata(
    address: str,
    token: str | None,
    repository: str,
    *,
    settings: HttpSettings,
    sleep: Callable[[float], None],
) -> Any:
    """Return what the hub states of a file; again and again while the hub is at fault."""
    from huggingface_hub import get_hf_file_metadata

    for attempt in range(settings.retries + 1):
        try:
            return get_hf_file_metadata(address, token=token, timeout=settings.timeout_s)
        except Exception as problem:  # the library's transport has errors of its own
            error = _hub_error(problem, address, repository)
            if error.kind not in AGAIN or attempt == settings.retries:
                raise error from problem
        wait_s = min(settings.backoff_most_s, settings.backoff_s * 2**attempt)
        logger.info("%s: %s; again in %.1f s", address, error, wait_s)
        sleep(wait_s)
    raise AssertionError("the loop returns or raises")


def _hub_error(problem: Exception, address: str, repository: str) -> FetchError:
    status = getattr(getattr(problem, "response", None), "status_code", None)
    if status is None:
        reason = (str(problem) or type(problem).__name__).splitlines()[0][:200]
        return FetchError("unreachable", f"{address} cannot be reached ({reason})")
    if status in STATUS and of_status(status) == "forbidden":
        return FetchError("forbidden", forbidden(repository, status))
    reason = f"{address}: the hub answered {status}"
    return FetchError(of_status(status), reason)


def forbidden(repository: str, status: int | str) -> str:
    """Return the sentence for a repository whose terms have to be accepted first."""
    return (
        f"the hub refuses {repository} ({status}): open {HUB}/{repository}, accept its terms, "
        f"make a token at {HUB}/settings/tokens and set {TOKEN}"
    )
