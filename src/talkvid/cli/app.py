"""Serve the web page: generate in a browser, look through a curated data set, read a report."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from talkvid import plugins
from talkvid.inference.settings import FACE_BACKENDS, LoadOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to serve at (127.0.0.1: this machine only)"
    )
    parser.add_argument("--port", type=int, default=7860, help="0 takes any free one (7860)")
    parser.add_argument(
        "--share",
        action="store_true",
        help="open a public address through gradio's servers: anybody may use it",
    )
    parser.add_argument("--workers", type=int, default=1, help="videos made at the same time (1)")
    tabs = parser.add_argument_group("further tabs")
    tabs.add_argument(
        "--curated", type=Path, metavar="DIR", help="run folder of talkvid curate to look through"
    )
    tabs.add_argument("--report", type=Path, metavar="DIR", help="folder of talkvid evaluate to show")
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--longest_sound", type=float, default=60.0, metavar="S", help="seconds of speech (60)"
    )
    limits.add_argument("--largest_upload", type=float, default=50.0, metavar="MB", help="of one file (50)")
    limits.add_argument("--keep_minutes", type=float, default=60.0, help="of uploads and videos (60)")
    model = parser.add_argument_group("model (as talkvid generate takes it)")
    model.add_argument("--checkpoint_path", help="folder of a model or hub id (the embedded model)")
    model.add_argument("--device", default="auto", help="auto | cpu | cuda | cuda:N | mps (auto)")
    model.add_argument("--gpu_id", type=int, help="number of the GPU (0)")
    model.add_argument("--dtype", help="fp16 | fp32 | bf16 (fp16 on a GPU, fp32 on a CPU)")
    model.add_argument(
        "--save_gpu_memory", action="store_true", help="parts are on the GPU only while they work"
    )
    backends = plugins.choices("face_backend", FACE_BACKENDS)
    model.add_argument("--face_backend", choices=backends, help="who finds the face (embedded)")
    model.add_argument("--insightface_model_path", metavar="PATH", help="folder of the insightface models")
    model.add_argument(
        "--commercial_safe", "--commercial-safe", action="store_true",
        help="refuse models that do not allow commercial use, the embedded one and its faces included",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; the first line printed is the address."""
    names = {field.name for field in fields(LoadOptions)}
    given = {name: value for name, value in vars(args).items() if name in names and value not in (None, "")}
    options = LoadOptions(**given)

    # Torch and gradio are loaded here, after the flags were found to make sense.
    from talkvid.app.limits import Limits
    from talkvid.app.server import LOOPBACK, AppServer, AppSettings, logger

    limits = Limits(args.longest_sound, args.largest_upload, keep_minutes=args.keep_minutes)
    settings = AppSettings(
        options, limits, args.host, args.port, args.share, args.workers, args.curated, args.report
    )
    server = AppServer(settings)
    try:
        if args.share or args.host not in LOOPBACK:
            logger.warning("whoever reaches this address can use the page; there is no password")
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        server.wait()
    finally:
        server.close()
    return 0
