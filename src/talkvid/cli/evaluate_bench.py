"""`talkvid evaluate --bench DIR`: a bench's videos made by our model or taken as finished, then scored."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

GENERATE_DEADLINE_S = 3600.0
ATTEMPTS = 2
"""A clip whose worker died is tried once more, after the others."""
ONLY_WITH_BENCH = (
    "generate", "no_generate", "checkpoint_path", "generate_flags", "no_vkps", "system", "generate_workers",
    "generate_deadline_s", "outputs", "metadata", "groups", "limit", "common_clips",
)  # fmt: skip


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a bench; all but --bench are None where they are not given."""
    group: Any = parser.add_argument_group("bench (instead of --generated)")
    group.add_argument(
        "--bench", type=Path, metavar="DIR",
        help="TalkVid-Bench, or any folder of portraits and sounds of the same names; see docs/bench.md",
    )  # fmt: skip
    group.add_argument(
        "--generate", action="store_true", default=None,
        help="make the videos with our model below --output/videos (what happens without --no_generate)",
    )  # fmt: skip
    group.add_argument(
        "--no_generate", action="store_true", default=None, help="score --outputs alone, make nothing"
    )
    group.add_argument("--checkpoint_path", help="the model that makes the videos (the embedded one)")
    group.add_argument("--system", metavar="NAME", help="its row in the table (talkvid)")
    group.add_argument(
        "--generate_flags", metavar="FLAGS",
        help="flags of `talkvid generate` in one word, such as --generate_flags='--seed 7 --framing full'",
    )  # fmt: skip
    group.add_argument(
        "--no_vkps", action="store_true", default=None,
        help="leave the bench's key points aside: the head moves as the model lets it",
    )  # fmt: skip
    group.add_argument(
        "--generate_workers", type=int, help="processes that make videos, each with a model of its own (1)"
    )
    group.add_argument(
        "--generate_deadline_s", type=float, metavar="SECONDS", help="time that one video may take (3600)"
    )
    group.add_argument(
        "--outputs", nargs="+", action="extend", metavar="NAME=DIR",
        help="finished videos of other systems, named as the clips: one row each",
    )  # fmt: skip
    group.add_argument(
        "--metadata", type=Path, metavar="FILE", help="table of subgroups (metadata.* in the bench)"
    )
    group.add_argument("--groups", metavar="A,B", help="columns that make subgroups (age, gender, …)")
    group.add_argument("--limit", type=int, help="no more than that many clips, the first by name")
    group.add_argument(
        "--common_clips", action="store_true", default=None, help="score only clips that every system has"
    )


def is_wanted(args: argparse.Namespace) -> bool:
    """Return whether a bench is asked for; ValueError for a flag that needs one, or that none goes with."""
    if args.bench is None:
        given = next((name for name in ONLY_WITH_BENCH if getattr(args, name) is not None), None)
        if given is not None:
            raise ValueError(f"--{given} belongs to a bench: give --bench DIR")
        return False
    for name in ("generated", "list"):
        if getattr(args, name):
            raise ValueError(
                f"--{name} does not go with --bench; other systems' videos are --outputs NAME=DIR"
            )
    if args.generate and args.no_generate:
        raise ValueError("--generate and --no_generate contradict each other")
    if args.no_generate:
        given = next((name for name in ONLY_WITH_BENCH[2:8] if getattr(args, name) is not None), None)
        if given is not None:
            raise ValueError(f"--{given} says how videos are made, and --no_generate that none are")
    if args.executor == "inline" and args.workers != 1:
        raise ValueError("--executor inline has one worker; add --workers 1")
    return True


def run(args: argparse.Namespace) -> int:
    """Return 0 when every clip could be used, made and opened, else 1; the last line is the report's path."""
    from talkvid.cli import evaluate_request, evaluate_results
    from talkvid.evaluation.bench.report import coverage_lines, write_bench_report
    from talkvid.evaluation.bench.run import run_bench
    from talkvid.evaluation.bench.systems import read_outputs
    from talkvid.evaluation.suite.registry import build_suite
    from talkvid.evaluation.suite.run import build_eye, evaluate
    from talkvid.evaluation.suite.summary import summarise

    outputs = [read_outputs(text) for text in args.outputs or []]
    names, settings = evaluate_request.metric_names(args), evaluate_request.metric_settings(args)
    views, scores = evaluate_request.view_settings(args), evaluate_request.user_scores(args)
    given = [_scanned(args.bench), args.portraits, args.audio, args.reference]
    evaluate_request.check_output(args.output, [*given, *(folder for _, folder in outputs)])
    bench = _bench(args)
    generator = None if args.no_generate else _generator(args)
    if generator is not None:
        # Weights that do not fit are noticed before hours go into videos.
        build_suite(names, settings)
        build_eye(views)
    done = run_bench(
        bench,
        partial(
            evaluate,
            names=names,
            settings=settings,
            output=args.output,
            views=views,
            workers=args.workers,
            executor=args.executor,
            deadline_s=args.deadline_s,
            told={"command": ["talkvid", *sys.argv[1:]]},
        ),
        output=args.output,
        generator=generator,
        outputs=outputs,
        controls=not args.no_controls,
        common=bool(args.common_clips),
    )
    write_bench_report(done, summarise(done.evaluation), args.output, user_scores=scores)
    text, page = evaluate_results.write_results(
        done.evaluation, args.output, title=f"Bench {bench.root.name}", user_scores=scores
    )
    print("\n".join(coverage_lines(done)), text, page, sep="\n")
    is_whole = not done.bench.broken and not any(system.missing for system in done.systems)
    return 0 if is_whole and not done.describe()["failed_videos"] else 1


def _bench(args: argparse.Namespace) -> Any:
    from talkvid.evaluation.bench.layout import find_bench

    return find_bench(
        args.bench,
        portraits=args.portraits,
        audio=args.audio,
        reference=args.reference,
        metadata=args.metadata,
        groups=None if args.groups is None else [name for name in args.groups.split(",") if name],
    ).limited(args.limit)


def _generator(args: argparse.Namespace) -> Any:
    from talkvid.cli.bench_generator import load_generator, model_setup
    from talkvid.evaluation.bench.run import Generator

    flags = f"{args.generate_flags or ''}{' --commercial_safe' if args.commercial_safe else ''}"
    setup = model_setup(args.checkpoint_path, flags, use_keypoints=not args.no_vkps)
    workers = 1 if args.generate_workers is None else args.generate_workers
    deadline_s = GENERATE_DEADLINE_S if args.generate_deadline_s is None else args.generate_deadline_s
    return Generator(
        system=args.system or "talkvid",
        setup=partial(load_generator, setup, single_thread=workers > 1),
        signature=setup.signature(),
        workers=workers,
        executor=args.executor,
        deadline_s=None if args.executor == "inline" else deadline_s,
        attempts=ATTEMPTS,
    )


def _scanned(bench: Path) -> Path:
    """Return the folder whose files are looked through."""
    return bench / "data" if (bench / "data").is_dir() else bench
