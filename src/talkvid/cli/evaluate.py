"""Evaluate finished videos, whoever made them: many measures, the truth and controls beside every run.

--generated names a folder of videos or one video, --reference, --audio and --portraits what they are judged
against, files paired by their names; --list says the same in JSON; --bench makes or takes the videos
of a whole bench. The last line printed is the report.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from talkvid.cli.evaluate_bench import add_bench_arguments, is_wanted
from talkvid.cli.preprocess import add_run_arguments

DEFAULT_OUTPUT = Path("output/evaluation")
DEFAULT_WEIGHTS = Path("model_ckpts/evaluation")
DEFAULT_DEADLINE_S = 1800.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    _add_input(parser.add_argument_group("what is judged (give --generated, --list or --bench)"))
    add_bench_arguments(parser)
    _add_measures(parser.add_argument_group("measures"))
    _add_weights(parser.add_argument_group("weights (default: what `talkvid models fetch NAME` brought)"))
    _add_protocols(parser.add_argument_group("protocols"))
    run_group = parser.add_argument_group("run")
    run_group.add_argument(
        "-o", "--output", type=Path, default=DEFAULT_OUTPUT,
        help=f"folder of the results; a run that was stopped goes on there ({DEFAULT_OUTPUT})",
    )  # fmt: skip
    add_run_arguments(run_group)
    run_group.add_argument(
        "--deadline_s", type=float, default=DEFAULT_DEADLINE_S, help="seconds one video may take (1800)"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 when every video could be opened, 1 when some failed; the last line is the report's path."""
    from talkvid.cli import evaluate_request, evaluate_results

    if args.list_metrics:
        print(evaluate_results.metrics_table(evaluate_request.metric_settings(args)))
        return 0
    if is_wanted(args):
        from talkvid.cli.evaluate_bench import run as run_bench

        return run_bench(args)
    request, scores = evaluate_request.read_request(args), evaluate_request.user_scores(args)
    from talkvid.evaluation.suite.run import evaluate

    for line in request.unpaired:
        print(f"unpaired: {line}", file=sys.stderr)
    evaluation = evaluate(
        request.pairs,
        request.names,
        request.metrics,
        output=request.output,
        views=request.views,
        workers=args.workers,
        executor=args.executor,
        deadline_s=args.deadline_s,
        told={"command": ["talkvid", *sys.argv[1:]], "unpaired": list(request.unpaired)},
    )
    text, page = evaluate_results.write_results(evaluation, request.output, user_scores=scores)
    print(text)
    print(page)
    return 1 if any(result.failure for result in evaluation.pairs) else 0


def _add_input(group: Any) -> None:
    group.add_argument(
        "--generated", nargs="+", action="extend", default=[], metavar="[NAME=]PATH",
        help="a folder of made videos, searched with its subfolders, or one video: a row of the table",
    )  # fmt: skip
    group.add_argument("--reference", type=Path, metavar="PATH", help="the true videos, a folder or one file")
    group.add_argument(
        "--audio", type=Path, metavar="PATH",
        help="the driving sounds, a folder or one file for all (the videos' own)",
    )  # fmt: skip
    group.add_argument(
        "--portraits", type=Path, metavar="PATH",
        help="the portraits, a folder or one file for all (the first picture of the true or the made video)",
    )  # fmt: skip
    group.add_argument(
        "--list", type=Path, metavar="JSON",
        help="objects with row, clip, made and, where there are any, truth, portrait, sound and groups; "
        "paths are relative to the list",
    )  # fmt: skip
    group.add_argument(
        "--user_scores", type=Path, metavar="JSON",
        help="user_scores.json of a study with raters, for the table of methods",
    )  # fmt: skip
    group.add_argument(
        "--allow_missing", action="store_true", help="go on with made videos that have no partner; list them"
    )
    group.add_argument(
        "--allow_length_mismatch", action="store_true",
        help="compare what is shared where a made video is over 10 %% shorter or longer than the true one",
    )  # fmt: skip


def _add_measures(group: Any) -> None:
    group.add_argument(
        "--metrics", nargs="+", default=["default"], metavar="NAME",
        help="names, by comma or blank: all, default, or of --list_metrics (default)",
    )  # fmt: skip
    group.add_argument(
        "--list_metrics", action="store_true", help="print all metrics and what each lacks here, and stop"
    )
    group.add_argument(
        "--yardstick", choices=("embedded", "mediapipe"), default="embedded",
        help="who finds faces and lips (embedded); the embedded model is judged by mediapipe",
    )  # fmt: skip
    group.add_argument("--yardstick_model", type=Path, metavar="FILE", help="MediaPipe's model file")
    group.add_argument(
        "--no_controls", action="store_true",
        help="leave out the rows of truth, shifted sound, wrong sound and still frame",
    )  # fmt: skip
    group.add_argument("--device", default="cpu", help="where Inception, I3D and LPIPS compute (cpu)")
    group.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="refuse models that do not allow commercial use, the embedded faces included",
    )  # fmt: skip


def _add_weights(group: Any) -> None:
    group.add_argument(
        "--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="DIR",
        help=f"folder of the files by their published names ({DEFAULT_WEIGHTS})",
    )  # fmt: skip
    for name, what in {
        "syncnet": "SyncNet, for LSE-D, LSE-C and the offset",
        "inception": "Inception, for FID",
        "i3d": "I3D, for FVD",
        "lpips_trunk": "AlexNet or VGG-16, for LPIPS",
        "lpips_heads": "the heads of LPIPS",
        "arcface": "ONNX file of ArcFace, for CSIM",
        "mobilefacenet": "MobileFaceNet, for a cosine that is not CSIM",
    }.items():
        group.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
    group.add_argument(
        "--trust_i3d", action="store_true", help="run an I3D file other than the published one: a program"
    )


def _add_protocols(group: Any) -> None:
    group.add_argument(
        "--sync_protocol", choices=("tracked", "whole_frame"), default="tracked",
        help="SyncNet sees faces found, followed and cropped, or the whole picture stretched (tracked)",
    )  # fmt: skip
    group.add_argument(
        "--lpips_network", choices=("alex", "vgg"), default="alex", help="trunk of LPIPS (alex)"
    )
    group.add_argument(
        "--ssim_rule", choices=("gaussian", "gaussian_mirrored", "uniform"), default="gaussian",
        help="window and border of SSIM (gaussian)",
    )  # fmt: skip
    group.add_argument("--fvd_fps", type=float, default=25.0, help="rate at which FVD sees all videos (25)")
    group.add_argument(
        "--allow_rank_deficient", action="store_true",
        help="tell FID and FVD for fewer samples than their covariance needs",
    )  # fmt: skip


if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("evaluate", prog="python -m talkvid.cli.evaluate"))
