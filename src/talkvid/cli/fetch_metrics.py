"""Fetch weights that metrics stand on; each belongs to its authors and comes under their terms."""

import sys
from pathlib import Path

from talkvid.cli.fetch_file import fetch_file

NAMES = ("syncnet", "inception", "i3d", "alexnet", "vgg16", "lpips-alex", "lpips-vgg", "arcface")
FOLDER = "evaluation"


def fetch(name: str, folder: Path, *, url: str | None, sha256: str | None, only_list: bool) -> int:
    """Return 0 when the weights `name` lie below `folder`; the licence and the place are printed.

    `url` and `sha256` replace what is recorded. Raises ValueError for a file of another checksum, which is
    not kept, and OSError when it cannot be fetched.
    """
    from talkvid.evaluation import weight_files

    known = (
        weight_files.SYNCNET,
        weight_files.FID_INCEPTION,
        weight_files.I3D_KINETICS,
        weight_files.ALEXNET,
        weight_files.VGG16,
        weight_files.LPIPS_ALEX,
        weight_files.LPIPS_VGG,
        weight_files.ARCFACE,
    )
    files = {file.fetched_as: file for file in known}
    assert set(files) == set(NAMES)
    file = files[name]
    target = folder / FOLDER / file.name
    sys.stdout.write(f"{file.name}: licence: {file.licence}\n")
    if target.exists() or only_list:
        sys.stdout.write(f"{target}{'' if target.exists() else ' (to fetch)'}\n")
        return 0
    fetch_file(target, url=url or file.url, sha256=sha256 or file.sha256, licence=file.licence)
    sys.stdout.write(f"{target}\n")
    return 0
