"""`talkvid models export`: a trained checkpoint as a folder of its own, or as a repository on the hub."""

import argparse
import sys
import tempfile
from pathlib import Path


def export(args: argparse.Namespace) -> int:
    """Return 0 when the checkpoint lies in its new folder, is on the hub, or both.

    The last line printed is the folder, or the address of the commit.
    """
    if args.checkpoint is None or (args.output is None and args.push_to_hub is None):
        raise ValueError("talkvid models export needs --checkpoint and --output (or --push_to_hub)")
    if args.private and args.push_to_hub is None:
        raise ValueError("--private belongs to --push_to_hub; say where to")
    from talkvid.inference.device import DTYPES
    from talkvid.model.hub import push_folder, split_hub_name
    from talkvid.training.export import export_checkpoint

    repo, branch = (None, None) if args.push_to_hub is None else split_hub_name(args.push_to_hub)
    with tempfile.TemporaryDirectory(prefix="talkvid-push-") as place:
        folder = args.output or Path(place) / "export"
        bundle = export_checkpoint(
            args.checkpoint,
            folder,
            layout=args.layout,
            dtype=DTYPES[args.dtype],
            step=args.step,
            adapters=args.lora,
        )
        result = str(folder)
        if repo is not None:
            message = f"Add {bundle.config.name}"
            result = push_folder(folder, repo, private=args.private or None, branch=branch, message=message)
    sys.stdout.write(f"{result}\n")
    return 0
