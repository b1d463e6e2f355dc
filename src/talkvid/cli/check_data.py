"""Check prepared data: frames, rates, sound lengths, face info, features, key frames, sound offset."""

import argparse
from pathlib import Path

from talkvid.cli.preprocess import add_run_arguments

MOST_ROWS = 60
"""A longer list is shown by its faulty clips only; the report holds all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("list", type=Path, help="training list, data/NAME.json")
    add_check_arguments(parser)
    add_run_arguments(parser.add_argument_group("run"))


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what counts as sound."""
    parser.add_argument("--gop", type=int, help="frames between key frames (what the clip was made with)")
    parser.add_argument("--sync", choices=("measure", "off"), default="measure", help="the offset (measure)")
    parser.add_argument("--report", type=Path, help="JSON report (NAME.check.json beside the list)")


def run(args: argparse.Namespace) -> int:
    """Return 0 when every clip is sound, else 1; the last line is the report's path."""
    return check_list(
        args.list,
        gop=args.gop,
        sync=args.sync != "off",
        report_path=args.report,
        workers=args.workers,
        executor=args.executor,
    )


def check_list(
    path: Path, *, gop: int | None, sync: bool, report_path: Path | None, workers: int, executor: str
) -> int:
    """Print the table of a training list's faults, write the JSON report, return the exit code."""
    from talkvid.dataset.check import check, table, write_report
    from talkvid.dataset.check_clip import CheckSettings

    report = check(path, CheckSettings(gop=gop, sync=sync), workers=workers, executor=executor)
    target = report_path or path.with_name(f"{path.stem}.check.json")
    write_report(target, report)
    print(table(report, only_bad=len(report.clips) > MOST_ROWS))
    print(target)
    return 0 if report.is_sound else 1
