"""The `talkvid` command: finds the verb, runs it and turns a user's mistake into one line."""

import argparse
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from talkvid import log

VERBS = {
    "generate": "turn one portrait and one speech file into a talking-head video",
    "preprocess": "turn raw clips into crops, face records, speech features and a training list",
    "curate": "turn raw videos into the clips worth training on, every reject with its reason",
    "evaluate": "score finished videos, the truth and controls beside them, with a report",
    "train": "train one of the three stages",
    "app": "serve the web page: generate in a browser, browse a curated data set, read a report",
    "study": "ask real raters: blind trials as web pages, and what their answers say",
    "models": "list, fetch, import and verify models for model_ckpts/, or export a trained one",
    "walkthrough": "from raw video to a score on the bundled samples, step by step, in minutes on a CPU",
    "doctor": "say what is installed, what will be used and what is missing",
}
"""Each verb lives in `talkvid/cli/<verb>.py` with `add_arguments(parser)` and `run(args) -> exit code`."""

USER_ERROR = 2
INTERRUPTED = 130
OPENCV_LIBRARIES = ("libGL.so", "libgthread", "libglib")
OPENCV_REMEDY = "OpenCV needs two system libraries: apt install libgl1 libglib2.0-0"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2 and one line that points to the help."""
        self.exit(USER_ERROR, f"talkvid: error: {message}; see: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of `talkvid VERB …`: 0 done, 1 a verb's own no, 2 a mistake, 130 stopped."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(prog="talkvid", description="Audio-driven talking heads.", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, help_line in VERBS.items():
        verbs.add_parser(name, help=help_line, add_help=False)
    if arguments and arguments[0] in VERBS:
        return run_verb(arguments[0], arguments[1:])
    parser.parse_args(arguments)
    parser.print_help()
    return 0


def run_verb(verb: str, argv: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Return the exit code of one verb; `prog` is the name shown in its help (`python src/inference.py`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbose = "--verbose" in arguments
    log.configure(verbose=verbose)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    try:
        module = importlib.import_module(f"talkvid.cli.{verb}")
        parser = Parser(prog=prog or f"talkvid {verb}", description=module.__doc__, allow_abbrev=False)
        module.add_arguments(parser)
        parser.add_argument("--verbose", action="store_true", help="show debug messages and tracebacks")
        return int(module.run(parser.parse_intermixed_args(arguments)))
    except KeyboardInterrupt:
        print("talkvid: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; the flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if not is_user_error(error):
            raise
        if verbose:
            traceback.print_exc()
        print(f"talkvid: error: {one_line(error)}", file=sys.stderr)
        return USER_ERROR


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave as after an error, so that half-written files are removed and child processes end."""
    raise SystemExit(128 + number)


def is_user_error(error: Exception) -> bool:
    """Return whether the message of `error` says all a user needs; anything else is a fault of ours."""
    from talkvid.media.ffmpeg import FfmpegError

    return isinstance(error, ValueError | OSError | ImportError | FfmpegError)


def one_line(error: Exception) -> str:
    """Return the message of `error` in one line, with the remedy where the system lacks a library."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ImportError) and any(name in message for name in OPENCV_LIBRARIES):
        return f"{message}; {OPENCV_REMEDY}"
    return message


if __name__ == "__main__":
    sys.exit(main())
