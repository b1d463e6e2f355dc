"""User study: blind side-by-side or five-point trials for real raters, and what their answers say.

make writes a folder of web pages to hand to raters, and the key that says which video is whose; analyse reads
the answers they hand back. Nothing is sent anywhere: the pages work opened from disk.
"""

import argparse
import sys
from pathlib import Path

ACTIONS = ("make", "analyse")
KINDS = ("ab", "mos")
FOR = {
    "make": ("videos", "reference", "kind", "questions", "raters", "trials", "catch", "seed", "reencode",
             "allow_length_mismatch"),
    "analyse": ("key", "answers", "least_share", "failed_catches", "draws"),
}  # fmt: skip
"""Which flags belong to which action."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of both actions; one of the other action's is refused."""
    parser.add_argument("action", choices=ACTIONS, help="make the pages, or analyse the answers")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a new folder")
    make = parser.add_argument_group("make")
    make.add_argument(
        "--videos",
        action="append",
        metavar="NAME=DIR",
        help="a system and its videos; once for each system",
    )
    make.add_argument(
        "--reference", type=Path, metavar="DIR",
        help="the true videos: shows raters who the person is, and makes the catch trials",
    )  # fmt: skip
    make.add_argument("--kind", choices=KINDS, help="two videos side by side, or one on a scale (ab)")
    make.add_argument("--questions", metavar="A,B", help="of lip_sync,naturalness,identity,overall (all)")
    make.add_argument("--raters", type=int, help="how many codes to make (20)")
    make.add_argument("--trials", type=int, help="of each rater (about 30, evenly over the systems)")
    make.add_argument("--catch", type=int, help="attention checks of each rater (3)")
    make.add_argument("--seed", type=int, help="of the order and the sides (0)")
    make.add_argument("--reencode", action="store_true", default=None, help="encode all videos anew, alike")
    make.add_argument(
        "--allow_length_mismatch",
        action="store_true",
        default=None,
        help="take videos of a clip that differ by > 10 %%",
    )
    read = parser.add_argument_group("analyse")
    read.add_argument("--key", type=Path, help="the key.json of `study make`")
    read.add_argument(
        "--answers", type=Path, nargs="+", metavar="DIR|FILE", help="what the raters handed back"
    )
    read.add_argument("--least_share", type=float, help="of the trials a rater must have answered (0.5)")
    read.add_argument("--failed_catches", type=int, help="attention checks a rater may fail (0)")
    read.add_argument("--draws", type=int, help="of the bootstrap (2000)")


def run(args: argparse.Namespace) -> int:
    """Return 0 when it is done; the last line is the page to open."""
    for action, names in FOR.items():
        given = [name for name in names if getattr(args, name) is not None]
        if action != args.action and given:
            raise ValueError(f"--{given[0]} belongs to `talkvid study {action}`, not to `{args.action}`")
    return _make(args) if args.action == "make" else _analyse(args)


def _given(args: argparse.Namespace, *names: str) -> dict[str, int]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _make(args: argparse.Namespace) -> int:
    from talkvid.evaluation.raters.make import CODES_NAME, RATERS_FOLDER, StudyRequest, make_study

    questions = None
    if args.questions is not None:
        questions = tuple(part.strip() for part in args.questions.split(",") if part.strip())
    key = make_study(
        StudyRequest(
            videos=named_folders(args.videos or []),
            output=args.output,
            kind=args.kind or "ab",
            reference=args.reference,
            questions=questions,
            reencode=bool(args.reencode),
            allow_length_mismatch=bool(args.allow_length_mismatch),
            **_given(args, "raters", "trials", "catch", "seed"),
        )
    )
    each = len(key.trials) // len(key.raters)
    print(
        f"{len(key.raters)} raters, {each} trials each, {len(key.files)} videos; hand out {RATERS_FOLDER}/ "
        f"and one code of {CODES_NAME} to each rater, keep key.json",
        file=sys.stderr,
    )
    print(args.output / RATERS_FOLDER / "index.html")
    return 0


def named_folders(given: list[str]) -> dict[str, Path]:
    """Return folder by name from NAME=DIR; ValueError for anything else."""
    if not given:
        raise ValueError("no videos are given: --videos NAME=DIR, once for each system")
    folders: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or not name.strip() or not folder:
            raise ValueError(f"--videos {text}: give the name and the folder as NAME=DIR")
        if name.strip() in folders:
            raise ValueError(f"--videos {text}: {name.strip()} is given twice; each system has one folder")
        folders[name.strip()] = Path(folder)
    return folders


def _analyse(args: argparse.Namespace) -> int:
    from talkvid.evaluation.raters.analysis import analyse
    from talkvid.evaluation.raters.analysis_files import write_analysis
    from talkvid.evaluation.raters.answers import read_answers
    from talkvid.evaluation.raters.key import read_key
    from talkvid.evaluation.raters.screening import Rules

    if args.key is None or not args.answers:
        raise ValueError("give the key with --key FILE and the raters' files with --answers DIR or FILE …")
    key = read_key(args.key)
    rules = Rules(**_given(args, "least_share", "failed_catches"))
    analysis = analyse(key, read_answers(args.answers, key), rules=rules, **_given(args, "draws"))
    page = write_analysis(analysis, args.output)
    for line in analysis.summary_lines():
        print(line, file=sys.stderr)
    print(page)
    return 0


if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("study", prog="python -m talkvid.cli.study"))
