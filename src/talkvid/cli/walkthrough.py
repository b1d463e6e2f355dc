"""Walk from data to a score on the bundled samples alone: make videos, curate, prepare, train, generate,
evaluate, in minutes on a CPU and without a network; the last line printed is a page that shows all of it."""

import argparse
import os
import platform
import shlex
import sys
from pathlib import Path

from talkvid.cli.walkthrough_plan import CONFIGS, ROOT, SAMPLES, Settings, plan
from talkvid.cli.walkthrough_run import Journal, run_steps

DEFAULT = Path("output") / "walkthrough"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `talkvid walkthrough`."""
    usual = Settings()
    parser.add_argument(
        "-o", "--output", type=Path, default=DEFAULT, help="folder of everything made (output/walkthrough)"
    )
    parser.add_argument(
        "--steps", type=int, nargs=3, default=usual.steps, metavar="N", help="of training, stages 1 to 3 "
        f"({' '.join(map(str, usual.steps))})",
    )  # fmt: skip
    parser.add_argument(
        "--num_inference_steps", type=int, default=usual.denoising_steps,
        help=f"of the trained checkpoint's videos ({usual.denoising_steps})",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=usual.workers, help=f"processes of each step ({usual.workers})"
    )
    parser.add_argument("--dry_run", action="store_true", help="print the commands and stop")


def run(args: argparse.Namespace) -> int:
    """Walk all the way and return 0; what was done before is skipped."""
    for needed in (SAMPLES, CONFIGS):
        if not (ROOT / needed).is_dir():
            raise FileNotFoundError(f"{ROOT / needed}: the walk-through needs a checkout of the repository")
    settings = Settings(tuple(args.steps), args.num_inference_steps, args.workers)
    out = Path(os.path.abspath(args.output))
    told = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    steps = plan(told, settings)
    if args.dry_run:
        for step in steps:
            print(f"# {step.title}", *map(shlex.join, step.commands), sep="\n")
        return 0
    from talkvid.cli.walkthrough_page import write_page

    out.mkdir(parents=True, exist_ok=True)
    for _ in run_steps(steps, out):
        page = write_page(out, steps, Journal(out), machine=machine())
    print(page)
    return 0


def machine() -> str:
    """Return in words what this ran on."""
    import torch

    return (
        f"{os.cpu_count()} cores, {platform.machine()} {platform.system()}, "
        f"Python {'.'.join(map(str, sys.version_info[:3]))}, torch {torch.__version__}"
    )
