"""`talkvid generate --manifest LIST`: many videos by several workers."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from talkvid.inference.many_devices import gpu_numbers
from talkvid.inference.settings import GenerateSettings, LoadOptions

ONLY_WITH_MANIFEST = ("workers", "executor", "deadline_s")


def add_many_arguments(group: Any) -> None:
    """Add the flags of a list of samples."""
    group.add_argument(
        "--manifest", type=Path, metavar="LIST",
        help="JSON lines with reference_image, audio, output and any setting; paths from the list's folder",
    )  # fmt: skip
    group.add_argument("--workers", type=int, help="processes, each with its own model (one per GPU, else 1)")
    group.add_argument(
        "--executor", choices=("local", "inline", "ray"),
        help="local processes, this process, or a ray cluster (local)",
    )  # fmt: skip
    group.add_argument("--deadline_s", type=float, metavar="SECONDS", help="time one video may take (any)")


def is_wanted(args: argparse.Namespace) -> bool:
    """Return whether a list is given; ValueError for flags that do not go together."""
    if args.manifest is None:
        for name in ONLY_WITH_MANIFEST:
            if getattr(args, name) is not None:
                raise ValueError(f"--{name} belongs to a list of samples: give --manifest LIST")
        for name in ("reference_image_path", "audio_path"):
            if getattr(args, name) is None:
                raise ValueError(f"--{name} is missing; give both inputs, or --manifest LIST")
        return False
    for name in ("reference_image_path", "audio_path", "output_path"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} does not go with --manifest, whose lines say it")
    if args.do_multi_devices_inference:
        raise ValueError(
            "--do_multi_devices_inference does not go with --manifest: its workers take a sample each"
        )
    return True


def run(args: argparse.Namespace, options: dict[str, Any], settings: GenerateSettings) -> int:
    """Return 0 when every sample has its video, 1 when some failed; the paths of the videos are printed."""
    from talkvid.inference.manifest import read_manifest

    numbers = gpu_numbers(options.pop("gpu_id", None))
    loading = LoadOptions(**options)
    samples = read_manifest(args.manifest, settings)

    from talkvid.cli.bench_generator import ModelSetup
    from talkvid.inference.api import TalkVidInference
    from talkvid.inference.many_samples import Crew, make_samples

    devices = _devices(loading, numbers)
    model = TalkVidInference.from_options(replace(loading, device=devices[0]))
    for sample in samples:
        try:
            model.check(sample.settings)
        except ValueError as error:
            raise ValueError(f"{args.manifest}: {sample.id}: {error}") from error
    crew = Crew(
        loading,
        devices=("cuda",) if args.executor == "ray" and devices[0].startswith("cuda") else devices,
        workers=(1 if args.executor == "inline" else len(devices)) if args.workers is None else args.workers,
        executor=args.executor or "local",
        deadline_s=args.deadline_s,
        resume=args.resume,
    )
    journal = args.manifest.with_suffix(".journal.jsonl")
    signature = ModelSetup(model.options, settings).signature()
    summary = make_samples([sample.signed(signature) for sample in samples], crew, journal=journal)
    reasons = f" (reasons in {journal})" if summary.failed else ""
    print(
        f"{summary.total} samples = {summary.done} done + {summary.skipped} done before + "
        f"{summary.failed} failed{reasons}",
        file=sys.stderr,
    )
    for result in summary.results.values():
        print(result["output"])
    return 1 if summary.failed else 0


def _devices(options: LoadOptions, numbers: list[int]) -> tuple[str, ...]:
    """Return the devices to share the samples out to: the GPUs named, or all of this machine, else one."""
    import torch

    from talkvid.inference.device import choose_device

    first = choose_device(options.device, numbers[0] if numbers else None)
    if first.type != "cuda" or options.device not in ("auto", "cuda"):
        return (str(first),)
    chosen = numbers or list(range(torch.cuda.device_count()))
    return tuple(str(choose_device("cuda", number)) for number in chosen)
