"""The command line that all training programs of the embedded model share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from talkvid.config import load_config

Schema = TypeVar("Schema")


def read_command(schema: type[Schema], arguments: Sequence[str] | None = None) -> Schema:
    """Return the settings from `--config FILE [section.key=value …]`."""
    parser = argparse.ArgumentParser(description=f"Settings: {schema.__name__}.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    parsed = parser.parse_args(arguments)
    return load_config(schema, parsed.config, overrides=parsed.overrides)
