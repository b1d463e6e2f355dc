"""One file from the web into its place: whole, with the checksum it must have, or not at all."""

import hashlib
import logging
import urllib.error
import urllib.request
from pathlib import Path

from talkvid.files import atomic_path

CHUNK = 1 << 20
TIMEOUT_S = 60.0

logger = logging.getLogger(__name__)


def fetch_file(target: Path, *, url: str, sha256: str, licence: str) -> None:
    """Fetch what is at `url` into `target`, saying its licence.

    Raises ValueError for an address that is not http or https and for a file of another checksum, which is
    not kept; OSError when it cannot be fetched.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"--url {url} is not a web address; give one that begins with https://")
    logger.info("fetching %s (%s)", url, licence)
    with atomic_path(target) as temporary:
        found = _download(url, temporary)
        if found != sha256.lower():
            raise ValueError(
                f"{url}: the checksum is {found}, not {sha256} as recorded; "
                f"if you trust the file say --sha256 {found}"
            )


def _download(url: str, target: Path) -> str:
    """Write what is at an address to a file and return its SHA-256."""
    digest, received = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, target.open("wb") as stream:
            stated = answer.headers.get("Content-Length")
            while piece := answer.read(CHUNK):
                stream.write(piece)
                digest.update(piece)
                received += len(piece)
    except urllib.error.URLError as error:
        raise OSError(
            f"{url} cannot be fetched ({error.reason}); fetch it by hand and name its place"
        ) from error
    if stated is not None and received != int(stated):
        raise OSError(f"{url}: the connection broke off after {received} of {stated} bytes; try again")
    return digest.hexdigest()
