"""Fetch DOVER's weights, which may not be used commercially; `talkvid.curation.dover_convert` needs them."""

import argparse
import sys
from pathlib import Path

from talkvid.cli.fetch_file import fetch_file

URL = "https://github.com/QualityAssessment/DOVER/releases/download/v0.1.0/DOVER.pth"
RECORDED_SHA256 = "f4a42c0bbc94c94dd7409e7f40887d44c5c30314d1d09e7edf03cc35813b4838"
"""DOVER's authors publish no checksum. This one stands in public projects that fetched the file from URL."""
PLACE = Path("dover") / "DOVER.pth"
LICENCE = "S-Lab License 1.0: non-commercial use only"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `talkvid models fetch dover`, which other single files take too."""
    group = parser.add_argument_group("fetch dover, syncnet or another single file")
    group.add_argument("--url", help="address of the file, for a mirror (that of its authors)")
    group.add_argument(
        "--sha256",
        help="checksum that the file must have; where its authors publish none (dover, syncnet) the default "
        "is the one that other public projects recorded",
    )


def fetch(folder: Path, *, url: str | None = None, sha256: str | None = None, only_list: bool = False) -> int:
    """Return 0 when the weights lie below `folder`; the last line printed is the next command.

    Raises ValueError for an address that is not http or https and for a file of another checksum, which is
    not kept; OSError when it cannot be fetched.
    """
    target = folder / PLACE
    if target.exists() or only_list:
        sys.stdout.write(f"{target}{'' if target.exists() else ' (to fetch)'}\n")
        return 0
    fetch_file(target, url=url or URL, sha256=sha256 or RECORDED_SHA256, licence=LICENCE)
    sys.stdout.write(f"{target}\n")
    sys.stdout.write(
        f"python -m talkvid.curation.dover_convert --checkpoint {target} --repository DOVER "
        f"--output {target.with_name('dover.onnx')}\n"
    )
    return 0
