"""Say what is installed, what will be used and what is missing; exit code 0 when the job can run, else 1."""

import argparse
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from talkvid.cli.checkup import (
    defaults,
    environment,
    folders,
    jobs,
    machine,
    models,
    packages,
    processors,
    programs,
    quick_run,
    report,
)
from talkvid.cli.checkup.check import JOBS, Check, one_line
from talkvid.cli.checkup.probing import probe
from talkvid.cli.checkup.wanted import checkout, install_command, installed_version, requirements

FACTS = ("facts:torch", "facts:pyav", "facts:device", "facts:embedded", "facts:curate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "--for", dest="job", choices=JOBS, default=JOBS[0], help="the job that shall run (generate)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON (docs/doctor.md)")
    parser.add_argument(
        "--imports", action="store_true", help="import every installed package, not only those of the job"
    )
    parser.add_argument(
        "--run", "--quick_test", dest="run", action="store_true", help="make one second of video as well"
    )
    parser.add_argument("--portrait", type=Path, help="picture for --run (that of the samples)")
    parser.add_argument(
        "--model_ckpts", type=Path, default=Path("model_ckpts"), help="folder of fetched models (model_ckpts)"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 when the job can run, else 1, after printing the report."""
    checks = list(all_checks(args))
    if args.json:
        print(json.dumps(report.as_json(checks, job=args.job), indent=1))
    else:
        print("\n".join(report.home_shortened(line) for line in report.as_lines(checks, job=args.job)))
    return 1 if any(args.job in check.stops for check in checks) else 0


def all_checks(args: argparse.Namespace) -> list[Check]:
    """Return every finding; a topic that cannot be examined is a finding too."""
    root = checkout()
    groups = requirements(root)
    probed = probe(topics(args, groups))
    install = install_command(root=root)
    found: list[Check] = []
    examinations: tuple[tuple[str, Callable[[], Iterable[Check]]], ...] = (
        ("machine", machine.check_machine),
        ("folders", lambda: folders.check_folders(args.model_ckpts)),
        ("torch", lambda: processors.check_torch(probed, install=install)),
        ("media", lambda: programs.check_programs(probed)),
        ("core packages", lambda: packages.check_core(groups, probed, root)),
        ("extras", lambda: packages.check_extras(groups, probed, root)),
        ("conflicts", lambda: packages.check_conflicts(groups)),
        ("embedded model", lambda: [models.check_embedded(probed)]),
        ("models on disk", lambda: models.check_models(args.model_ckpts, probed)),
        ("defaults", lambda: defaults.check_defaults(probed, asked=args.job)),
        ("training", lambda: processors.check_training(probed)),
        ("environment", environment.check_environment),
        *([(quick_run.TOPIC, lambda: [quick_run.check_run(args.portrait)])] if args.run else []),
    )
    for topic, examine in examinations:
        found += guarded(topic, examine)
    return [*found, *packages.check_jobs(found, root)]


def topics(args: argparse.Namespace, groups: packages.Groups) -> list[str]:
    """Return what the probe shall try: the job's imports, or every installed module, and the facts."""
    wanted = list(jobs.TABLE[args.job].imports)
    if args.imports:
        asked = [one for group in groups.values() for one in group if installed_version(one.name) is not None]
        wanted += [one.module for one in asked if one.module]
    facts = [*FACTS, *(["facts:metrics"] if args.job == "evaluate" else [])]
    if os.environ.get("TALKVID_PLUGINS"):
        facts.append("facts:plugins")
    if models.has_release(args.model_ckpts):
        facts.append(f"facts:release={args.model_ckpts}")
    return list(dict.fromkeys([*wanted, *facts]))


def guarded(topic: str, examine: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield the findings, and instead of an exception one that tells it: the rest of the report is wanted."""
    try:
        yield from examine()
    except Exception as error:  # the doctor is what one runs when nothing else does
        yield Check(topic, "examination", "broken", f"failed: {type(error).__name__}: {one_line(error)}")
