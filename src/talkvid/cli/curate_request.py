"""What a `talkvid curate` command asks for: its input, its run folder and its settings."""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

from talkvid.curation.config import CurateConfig, load_curate_config
from talkvid.curation.run_folder import RunFolder, is_run_folder

DECIDED_BY = ("rules.", "profile=", "score_all=", "stages=")
"""Settings that a verdict depends on beside the scores."""


@dataclass(frozen=True)
class Request:
    """One command line."""

    verb: str
    input: str
    output: str
    yaml_paths: tuple[Path, ...]
    overrides: tuple[str, ...]
    dry_run: bool = False

    def settings(self) -> CurateConfig:
        """Return the settings of a command that makes or goes on with a run folder.

        Without an input and settings, a run folder goes on with those that it was made with.
        """
        paths = list(self.yaml_paths)
        if not paths and not self.input and self.output and is_run_folder(self.output):
            paths = [RunFolder(Path(self.output)).config]
        config = load_curate_config(*paths, overrides=self.overrides)
        named = self.input or config.input
        place = os.path.abspath(named) if named else ""  # so that later commands may run in other folders
        return replace(config, input=place, output=self.output or config.output)

    def run_folder(self) -> RunFolder:
        """Return the finished run folder that a command works on."""
        path = (
            self.input or self.output or load_curate_config(*self.yaml_paths, overrides=self.overrides).input
        )
        if not path:
            raise ValueError(f"which run? talkvid curate {self.verb} RUN_FOLDER")
        if not is_run_folder(path):
            raise FileNotFoundError(
                f"{path} is not the folder of a run; make one: talkvid curate run DIR -o OUT"
            )
        return RunFolder(Path(path))

    def judged_anew(self, folder: RunFolder) -> CurateConfig:
        """Return the settings of a run with other rules; raise ValueError for settings that rules are not."""
        for override in self.overrides:
            if not override.startswith(DECIDED_BY):
                raise ValueError(
                    f"{override}: decide takes rules.…, profile=… and stages=…; for others: curate run"
                )
        paths = [folder.config, *self.yaml_paths]
        config = load_curate_config(*paths, overrides=self.overrides)
        if any(override.startswith("profile=") for override in self.overrides):
            fresh = load_curate_config(*self.yaml_paths, overrides=self.overrides)
            config = replace(config, rules=fresh.rules)
        return replace(config, output=str(folder.path))


def read_request(args: argparse.Namespace) -> Request:
    """Return the command line in order; raise ValueError when it names two inputs."""
    overrides = [word for word in args.words if "=" in word and not Path(word).exists()]
    inputs = [word for word in args.words if word not in overrides]
    if len(inputs) > 1:
        raise ValueError(f"one input is expected, got {len(inputs)}: {', '.join(inputs)}")
    for key in ("workers", "executor", "limit"):
        if getattr(args, key) is not None:
            overrides.append(f"run.{key}={getattr(args, key)}")
    if args.score_all:
        overrides.append("score_all=true")
    if args.commercial_safe:
        overrides.append("commercial_safe=true")
    return Request(
        verb=args.curate_verb,
        input=inputs[0] if inputs else "",
        output=str(args.output) if args.output else "",
        yaml_paths=tuple(args.config),
        overrides=tuple(overrides),
        dry_run=args.dry_run,
    )
