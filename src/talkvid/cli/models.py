"""Fetch the published V-Express release into model_ckpts/, in the layout that `--checkpoint_path` reads."""

import argparse
import logging
import os
import shutil
import sys
from pathlib import Path, PurePosixPath

RELEASE = "tk93/V-Express"
"""Hub id of the release: networks as `*.bin` at its top, the parts it stands on below `model_ckpts/`."""

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "--folder", type=Path, default=Path("model_ckpts"), help="where the models go (model_ckpts)"
    )
    parser.add_argument("--release", default=RELEASE, help=f"hub id to fetch from ({RELEASE})")
    parser.add_argument("--list", action="store_true", help="print what would be fetched, and fetch nothing")


def run(args: argparse.Namespace) -> int:
    """Return 0 when every file is in its place; what is there already is not fetched again."""
    from huggingface_hub import HfApi, hf_hub_download

    try:
        names = HfApi().list_repo_files(args.release)
    except Exception as error:
        raise OSError(
            f"{args.release} cannot be listed ({type(error).__name__}): is the hub reachable?"
        ) from error
    places = {name: args.folder / place for name in names if (place := place_of(name)) is not None}
    if not places:
        raise ValueError(f"{args.release} holds no file of the release layout (*.bin, model_ckpts/…)")
    staging = args.folder / ".fetching"
    for name, target in places.items():
        if args.list or target.exists():
            print(f"{target}{'' if target.exists() else ' (to fetch)'}")
            continue
        logger.info("fetching %s", name)
        try:
            fetched = hf_hub_download(args.release, name, local_dir=staging)
        except Exception as error:
            raise OSError(f"{name} cannot be fetched from {args.release}: {error}") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fetched, target)
        print(target)
    shutil.rmtree(staging, ignore_errors=True)
    sys.stdout.write(f"{args.folder}\n")
    return 0


def place_of(name: str) -> PurePosixPath | None:
    """Return where a file of the release goes below the models' folder; None for what is not a model."""
    path = PurePosixPath(name)
    if ".." in path.parts or path.is_absolute():
        return None
    if path.parts[0] == "model_ckpts" and len(path.parts) > 1:
        return PurePosixPath(*path.parts[1:])
    if len(path.parts) == 1 and path.suffix == ".bin":
        return PurePosixPath("v-express") / path
    return None
