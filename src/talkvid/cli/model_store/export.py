"""`talkvid models export`: a trained checkpoint as a folder of its own."""

import argparse
import sys


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
    sys.stdout.write(f"{args.output}\n")
    return 0
