"""Turn raw clips into training data: square crops, face info, speech features and a JSON list."""

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from talkvid import plugins
from talkvid.catalogue.commercial import refuse_face_backend, refuse_paths

DEFAULT_DEADLINE_S = 3600.0
MOST_DEFAULT_WORKERS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    _add_input(parser.add_argument_group("input (give a folder or a list)"))
    _add_output(parser.add_argument_group("output"))
    _add_picture(parser.add_argument_group("picture"))
    _add_models(parser.add_argument_group("models"))
    run_group = parser.add_argument_group("run")
    add_run_arguments(run_group)
    run_group.add_argument(
        "--deadline_s", type=float, default=DEFAULT_DEADLINE_S, help="seconds a clip may take (3600)"
    )
    _add_check(parser.add_argument_group("check (instead of preparing)"))


def run(args: argparse.Namespace) -> int:
    """Return 0 when every clip was prepared, 1 when some failed; the last line is the JSON list's path."""
    if args.check is not None:
        return _check(args)
    from talkvid.dataset import sources as raw
    from talkvid.dataset.prepare_settings import PrepareSettings
    from talkvid.dataset.preprocess import prepare
    from talkvid.dataset.source_lists import read_list

    if args.input_dir is None and args.input_list is None:
        raise ValueError("nothing to prepare: give --input_dir DIR or --input_list FILE")
    if args.commercial_safe:
        refuse_face_backend(args.face_backend)
        refuse_paths([args.speech_encoder], remedy="name another --speech_encoder, or log-mel")
    values = vars(args)
    known = {field.name for field in fields(PrepareSettings)}
    settings = PrepareSettings(
        **{name: value for name, value in values.items() if name in known and value is not None}
    )
    if args.input_list is not None:
        clips = read_list(args.input_list, root=args.input_dir, language=args.language, spans=args.spans)
    else:
        _refuse_nested(args.input_dir, args.output_dir)
        clips = raw.find_in_folder(args.input_dir, language=args.language)
    clips = raw.leave_out(clips, args.exclude)
    if args.sync_csv is not None:
        clips = raw.apply_sync(clips, args.sync_csv)
    name = args.name or (args.input_list.stem if args.input_list else args.input_dir.resolve().name)
    _announce(settings, len(clips), args.workers)
    summary = prepare(
        clips,
        settings,
        name=name,
        workers=args.workers,
        executor=args.executor,
        deadline_s=args.deadline_s if args.executor != "inline" else None,
    )
    _report(summary, settings.output_dir, name)
    return 1 if summary.failed else 0


def _announce(settings: Any, count: int, workers: int) -> None:
    print(
        f"preparing {count} clips with {workers} workers: {settings.size} px, {settings.fps:g} fps, "
        f"faces by {settings.face_backend}, speech by {settings.speech_encoder}, on {settings.device}",
        file=sys.stderr,
    )


def _report(summary: Any, output_dir: Path, name: str) -> None:
    reasons = f" (reasons in {output_dir / name}.failed.json)" if summary.failed else ""
    print(
        f"{summary.total} clips = {summary.done} done + {summary.skipped} done before + "
        f"{summary.failed} failed{reasons}",
        file=sys.stderr,
    )
    print(output_dir / f"{name}.json")


def _refuse_nested(input_dir: Path, output_dir: Path) -> None:
    """Results inside the input folder would be taken for raw clips by the next run."""
    inner, outer = output_dir.resolve(), input_dir.resolve()
    if inner == outer or outer in inner.parents:
        raise ValueError(
            f"{output_dir}: lies in the input folder {input_dir}; choose an output folder outside"
        )


def _add_input(group: Any) -> None:
    group.add_argument("--input_dir", type=Path, help="folder of raw clips, searched with its subfolders")
    group.add_argument(
        "--input_list",
        type=Path,
        help="text (a path per line), JSON or JSON lines (video-path, audio-path, …); paths from --input_dir "
        "or from the list's folder",
    )
    group.add_argument(
        "--exclude", nargs="+", default=[], metavar="PATTERN",
        help="clips to leave out: ids, paths or *-patterns, or a text file of them",
    )  # fmt: skip
    group.add_argument(
        "--sync_csv", type=Path, help="table of sound offsets: file, mouth_late_s (or mel_lag), verdict"
    )
    group.add_argument(
        "--sync", choices=("measure", "correct", "off"), default="measure",
        help="the offset of mouth and sound: measure, correct (where sure) or off (measure)",
    )  # fmt: skip
    group.add_argument(
        "--spans", action="store_true",
        help="the videos of --input_list are the uncut originals: take its start-time and end-time of each",
    )  # fmt: skip
    group.add_argument("--language", default="", help="language of clips that do not say theirs")


def _add_output(group: Any) -> None:
    group.add_argument(
        "--output_dir", "--output_path", type=Path, default=Path("data"), help="folder of the results (data)"
    )
    group.add_argument("--name", help="name of the JSON list (the input's own name)")


def _add_picture(group: Any) -> None:
    group.add_argument("--size", type=int, default=512, help="width and height of the crops (512)")
    group.add_argument("--fps", type=float, default=24.0, help="frame rate; the embedded model has 25 (24)")
    group.add_argument(
        "--crop", choices=("fixed", "follow"), default="fixed",
        help="one square for the whole clip, or one that follows the head smoothly (fixed)",
    )  # fmt: skip
    group.add_argument(
        "--framing", choices=("head", "upper_body"), default="head", help="what the square holds (head)"
    )
    group.add_argument("--crop_scale", type=float, default=1.0, help="widens the square (1)")
    group.add_argument(
        "--border", choices=("edge", "reflect", "black", "inside"), default="edge",
        help="what is put beyond the picture, or inside: move the square into it instead (edge)",
    )  # fmt: skip
    group.add_argument("--min_frames", type=int, default=24, help="shorter clips fail (24)")
    group.add_argument(
        "--min_found", type=float, default=0.5, help="least share of frames with the face (0.5)"
    )
    group.add_argument("--gop", type=int, help="frames between key frames (12)")
    group.add_argument("--crf", type=int, default=16, help="H.264 quality, smaller is better (16)")


def _add_models(group: Any) -> None:
    group.add_argument(
        "--face_backend", default="embedded",
        choices=plugins.choices("face_backend", ("embedded", "insightface", "mediapipe")),
        help="face detector (embedded)",
    )  # fmt: skip
    group.add_argument("--face_model_path", default="", help="insightface's or MediaPipe's model files")
    group.add_argument(
        "--speech_encoder", "--audio_encoder_path", default="model_ckpts/wav2vec2-base-960h",
        help="folder or hub id of a transformers speech encoder, or log-mel (model_ckpts/wav2vec2-base-960h)",
    )  # fmt: skip
    group.add_argument("--device", default="cpu", help="cpu or cuda, for encoder and insightface (cpu)")
    group.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="refuse models that do not allow commercial use, the embedded faces included",
    )  # fmt: skip


def add_run_arguments(group: Any) -> None:
    """Add how many processes work, and where."""
    workers = min(MOST_DEFAULT_WORKERS, os.cpu_count() or 1)
    group.add_argument("--workers", type=int, default=workers, help=f"worker processes ({workers})")
    group.add_argument(
        "--executor", choices=("local", "inline", "ray"), default="local",
        help="local processes, this process, or a ray cluster (local)",
    )  # fmt: skip


def _add_check(group: Any) -> None:
    group.add_argument(
        "--check", type=Path, metavar="LIST",
        help="look for faults in prepared data (data/NAME.json); exit code 1 when there are",
    )  # fmt: skip
    group.add_argument("--report", type=Path, help="JSON report of --check (NAME.check.json)")


def _check(args: argparse.Namespace) -> int:
    from talkvid.cli.check_data import check_list

    return check_list(
        args.check,
        gop=args.gop,
        sync=args.sync != "off",
        report_path=args.report,
        workers=args.workers,
        executor=args.executor,
    )
