"""What a `talkvid evaluate` command asks for: pairs, metrics, settings, a folder, checked at the door."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from talkvid.catalogue.commercial import refuse_face_backend
from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.controls import with_controls
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.pair_list import read_pair_list
from talkvid.evaluation.suite.pairing import Pairing, find_pairs, read_generated
from talkvid.evaluation.suite.registry import refuse_non_commercial, resolved
from talkvid.evaluation.suite.run import ViewSettings
from talkvid.evaluation.suite.user_scores import read_user_scores
from talkvid.evaluation.suite.weights import MetricSettings


@dataclass(frozen=True)
class Request:
    """One command line."""

    pairs: tuple[Pair, ...]
    """Controls included."""
    unpaired: tuple[str, ...]
    names: tuple[str, ...]
    metrics: MetricSettings
    views: ViewSettings
    output: Path


def read_request(args: argparse.Namespace) -> Request:
    """Return what is asked for; ValueError or FileNotFoundError, one line each, for what cannot be done."""
    names, settings = metric_names(args), metric_settings(args)
    found = _pairing(args)
    generated = [read_generated(text).path for text in args.generated]
    check_output(args.output, [*generated, args.reference, args.audio, args.portraits])
    pairs = found.pairs if args.no_controls else with_controls(found.pairs)
    return Request(tuple(pairs), found.unpaired, names, settings, view_settings(args), args.output)


def metric_names(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the metrics asked for, each once; ValueError for an unknown one or one that may not be used."""
    names = [name for word in args.metrics for name in word.split(",") if name]
    if args.commercial_safe:
        refuse_non_commercial(names)
    return resolved(names)


def user_scores(args: argparse.Namespace) -> dict[str, UserScore] | None:
    """Return what raters gave each system; FileNotFoundError or ValueError for a file that does not say."""
    return None if args.user_scores is None else read_user_scores(args.user_scores)


def view_settings(args: argparse.Namespace) -> ViewSettings:
    """Return who looks at the pictures, and what is let through."""
    if args.commercial_safe:
        refuse_face_backend(args.yardstick, setting="--yardstick")
    return ViewSettings(args.yardstick, args.yardstick_model, args.allow_length_mismatch)


def metric_settings(args: argparse.Namespace) -> MetricSettings:
    """Return the weights and protocols of the command; FileNotFoundError for weights that are not there."""
    known = {field.name for field in fields(MetricSettings)}
    values = {name: value for name, value in vars(args).items() if name in known and value is not None}
    return MetricSettings(weights_dir=args.weights, **values)


def _pairing(args: argparse.Namespace) -> Pairing:
    sides = {"reference": args.reference, "audio": args.audio, "portraits": args.portraits}
    if args.list is not None:
        given = [name for name, value in {"generated": args.generated, **sides}.items() if value]
        if given:
            raise ValueError(f"--list says all that is judged; leave out --{' --'.join(given)}")
        return Pairing(tuple(read_pair_list(args.list)))
    if not args.generated:
        raise ValueError("nothing to evaluate: give --generated DIR|FILE or --list FILE")
    generated = [read_generated(text) for text in args.generated]
    return find_pairs(generated, **sides, allow_missing=args.allow_missing)


def check_output(output: Path, inputs: Sequence[Path | None]) -> None:
    """Refuse an output that cannot be written, or whose files the next run would take for videos."""
    folders = [path for path in inputs if path is not None and path.is_dir()]
    inner = output.resolve()
    for folder in folders:
        if inner == folder.resolve() or folder.resolve() in inner.parents:
            raise ValueError(f"{output}: lies in {folder}, which is judged; choose another --output")
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: the output is a file; give a folder with --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{output}: cannot be made ({error.strerror}); choose another --output") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise ValueError(f"{output}: is not writable; choose another --output")
