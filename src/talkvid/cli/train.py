"""Train one of the three stages: `talkvid train --config FILE [section.key=value …]`."""

import argparse
import logging
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument(
        "--config",
        action="append",
        required=True,
        metavar="FILE",
        help="YAML of the stage; repeat it to lay files over one another",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="section.key=value", help="settings that win over the files"
    )
    parser.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="refuse first weights that do not allow commercial use (run.commercial_safe=true)",
    )  # fmt: skip
    parser.add_argument(
        "--print_config", action="store_true", help="print the settings that all this comes to, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Run the training; its files go to exp/<run.train>/stage_<run.stage>."""
    from talkvid.config import load_config, to_yaml
    from talkvid.training.config import TrainConfig

    safe = ["run.commercial_safe=true"] if args.commercial_safe else []
    config = load_config(TrainConfig, *args.config, overrides=[*args.overrides, *safe])
    if args.print_config:
        print(to_yaml(config), end="")
        return 0

    from talkvid.training.run import run_training

    if int(os.environ.get("RANK") or 0):
        logging.getLogger("talkvid").setLevel(logging.WARNING)  # the first process speaks for all
    run_training(config)
    return 0
