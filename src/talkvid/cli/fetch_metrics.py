"""Fetch weights that metrics stand on; each belongs to its authors and comes under their terms."""

import sys
from pathlib import Path

from talkvid.cli.fetch_file import fetch_file

NAMES = ("syncnet", "inception", "i3d", "alexnet", "vgg16", "lpips-alex", "lpips-vgg")
FOLDER = "evaluation"


def fetch(name: str, folder: Path, *, url: str | None, sha256: str | None, only_list: bool) -> int:
    """Return 0 when the weights `name` lie below `folder`; the licence and the place are printed.

    `url` and `sha256` replace what is recorded. Raises ValueError for a file of another checksum, which is
    not kept, and OSError when it cannot be fetched.
    """
    from talkvid.evaluation import weight_files

    files = {
        "syncnet": weight_files.SYNCNET,
        "inception": weight_files.FID_INCEPTION,
        "i3d": weight_files.I3D_KINETICS,
        "alexnet": weight_files.ALEXNET,
        "vgg16": weight_files.VGG16,
        "lpips-alex": weight_files.LPIPS_ALEX,
        "lpips-vgg": weight_files.LPIPS_VGG,
    }
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
