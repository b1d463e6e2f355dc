"""Fetch the V-Express release or weights of measures into model_ckpts/, or export a checkpoint."""

import argparse
import logging
import os
import shutil
import sys
from pathlib import Path, PurePosixPath

from talkvid.cli import fetch_dover, fetch_metrics

RELEASE = "tk93/V-Express"
"""Hub id of the release: networks as `*.bin` at its top, the parts it stands on below `model_ckpts/`."""

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("fetch", "export"),
        default="fetch",
        help="fetch a model (the default), or export a checkpoint",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("v-express", "dover", *fetch_metrics.NAMES),
        default="v-express",
        help="what to fetch: the V-Express release (the default), DOVER's weights, or those a metric needs",
    )
    fetching = parser.add_argument_group("fetch")
    fetching.add_argument(
        "--folder", type=Path, default=Path("model_ckpts"), help="where the models go (model_ckpts)"
    )
    fetching.add_argument("--release", default=RELEASE, help=f"hub id to fetch from ({RELEASE})")
    fetching.add_argument(
        "--list", action="store_true", help="print what would be fetched, and fetch nothing"
    )
    fetch_dover.add_arguments(parser)
    exporting = parser.add_argument_group("export")
    exporting.add_argument(
        "--checkpoint", help="run folder (exp/NAME/stage_N), checkpoint folder or hub id to export"
    )
    exporting.add_argument("--output", type=Path, help="new folder of the export")
    exporting.add_argument(
        "--layout", choices=("talkvid", "v-express"), default="talkvid",
        help="config.json with safetensors, or the five .bin files of the V-Express release (talkvid)",
    )  # fmt: skip
    exporting.add_argument(
        "--dtype", choices=("fp16", "bf16", "fp32"), default="fp32", help="type of the stored weights (fp32)"
    )
    exporting.add_argument("--step", type=int, help="step of a run (its last complete one)")
    exporting.add_argument("--lora", type=Path, help="lora-<step>.safetensors to add to the weights")


def run(args: argparse.Namespace) -> int:
    """Return 0 when everything is written; the last line printed is the folder."""
    return export(args) if args.action == "export" else fetch(args)


def export(args: argparse.Namespace) -> int:
    """Return 0 when the checkpoint lies in its new folder."""
    if args.checkpoint is None or args.output is None:
        raise ValueError("talkvid models export needs --checkpoint and --output")
    from talkvid.inference.device import DTYPES
    from talkvid.training.export import export_checkpoint

    export_checkpoint(
        args.checkpoint,
        args.output,
        layout=args.layout,
        dtype=DTYPES[args.dtype],
        step=args.step,
        adapters=args.lora,
    )
    print(args.output)
    return 0


def fetch(args: argparse.Namespace) -> int:
    """Return 0 when every file is in its place; what is there already is not fetched again."""
    if args.checkpoint is not None or args.output is not None:
        raise ValueError("--checkpoint and --output belong to `talkvid models export`; say export")
    if args.what == "dover":
        return fetch_dover.fetch(args.folder, url=args.url, sha256=args.sha256, only_list=args.list)
    if args.what in fetch_metrics.NAMES:
        return fetch_metrics.fetch(
            args.what, args.folder, url=args.url, sha256=args.sha256, only_list=args.list
        )
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
