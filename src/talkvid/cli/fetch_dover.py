"""Fetch DOVER's weights, which may not be used commercially; `talkvid.curation.dover_convert` needs them."""

import argparse
import hashlib
import logging
import sys
import urllib.error
import urllib.request
from pathlib import Path

from talkvid.files import atomic_path

URL = "https://github.com/QualityAssessment/DOVER/releases/download/v0.1.0/DOVER.pth"
RECORDED_SHA256 = "f4a42c0bbc94c94dd7409e7f40887d44c5c30314d1d09e7edf03cc35813b4838"
"""DOVER's authors publish no checksum. This one stands in public projects that fetched the file from URL."""
PLACE = Path("dover") / "DOVER.pth"
LICENCE = "S-Lab License 1.0: non-commercial use only"
CHUNK = 1 << 20
TIMEOUT_S = 60.0

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `talkvid models fetch dover`."""
    group = parser.add_argument_group("fetch dover")
    group.add_argument("--url", default=URL, help="address of DOVER.pth, for a mirror (that of its authors)")
    group.add_argument(
        "--sha256",
        default=RECORDED_SHA256,
        help="checksum that the file must have; its authors publish none, and the default is the one that "
        "other public projects recorded",
    )


def fetch(folder: Path, *, url: str = URL, sha256: str = RECORDED_SHA256, only_list: bool = False) -> int:
    """Return 0 when the weights lie below `folder`; the last line printed is the next command.

    Raises ValueError for an address that is not http or https and for a file of another checksum, which is
    not kept; OSError when it cannot be fetched.
    """
    target = folder / PLACE
    if target.exists() or only_list:
        sys.stdout.write(f"{target}{'' if target.exists() else ' (to fetch)'}\n")
        return 0
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"--url {url} is not a web address; give one that begins with https://")
    logger.info("fetching %s (%s)", url, LICENCE)
    with atomic_path(target) as temporary:
        found = _download(url, temporary)
        if found != sha256.lower():
            raise ValueError(
                f"{url}: the checksum is {found}, not {sha256} as recorded; "
                f"if you trust the file say --sha256 {found}"
            )
    sys.stdout.write(f"{target}\n")
    sys.stdout.write(
        f"python -m talkvid.curation.dover_convert --checkpoint {target} --repository DOVER "
        f"--output {target.with_name('dover.onnx')}\n"
    )
    return 0


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
