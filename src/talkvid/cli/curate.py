"""Curate: from raw videos to the clips worth training on; every reject and failure is a row with its reason.

run DIR -o OUT does everything; download, segment, quality, motion, head are its stages one by one, each with
the run folder of the one before as its input; decide judges anew with other rules; annotate, report, export,
materialise and pack work on a finished run; import-config reads settings written for the original code.
"""

import argparse
import importlib
import sys
from pathlib import Path

VERBS = {
    "run": ("curate_run", "run_all"),
    "segment": ("curate_run", "segment"),
    "quality": ("curate_run", "quality"),
    "motion": ("curate_run", "motion"),
    "head": ("curate_run", "head"),
    "decide": ("curate_run", "decide"),
    "download": ("curate_more", "download"),
    "annotate": ("curate_more", "annotate"),
    "export": ("curate_more", "export"),
    "materialise": ("curate_more", "materialise"),
    "report": ("curate_more", "report"),
    "pack": ("curate_pack", "pack"),
    "import-config": ("curate_more", "import_config"),
}
"""Verb -> the module of talkvid.cli and its function, which takes a Request and returns the exit code."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags, the same for all verbs; settings are `section.key=value`."""
    parser.add_argument("curate_verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    parser.add_argument(
        "words", nargs="*", metavar="INPUT|key=value",
        help="the input (a folder of videos, a list, a run folder) and settings such as run.workers=4, "
        "quality.backend=dover or rules.motion.cotracker_ratio='>=0.9'",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help="the run folder")
    parser.add_argument("--config", type=Path, action="append", default=[], metavar="YAML", help="settings")
    parser.add_argument("--workers", type=int, help="worker processes (run.workers, 2)")
    parser.add_argument("--executor", choices=("local", "inline", "ray"), help="(run.executor, local)")
    parser.add_argument("--limit", type=int, help="no more than that many source files (run.limit, all)")
    parser.add_argument("--score_all", action="store_true", help="score clips that are rejected already, too")
    parser.add_argument("--dry_run", action="store_true", help="list what would be done and stop")
    parser.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="refuse models that do not allow commercial use, the embedded faces included",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Return 0 when the verb did its work, however many clips it rejected; the last line names its result."""
    from talkvid.cli.curate_request import read_request

    module, function = VERBS[args.curate_verb]
    return int(getattr(importlib.import_module(f"talkvid.cli.{module}"), function)(read_request(args)))


if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("curate", prog="python -m talkvid.cli.curate"))
