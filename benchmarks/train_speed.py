"""Steps per second and peak memory of the three stages, with and without cached latents.

    python -m benchmarks.train_speed --size sd15 --gpu 0 --precision fp16 bf16        an NVIDIA GPU
    python -m benchmarks.train_speed data.num_workers=0 --pixels 64 --steps 6         anywhere, small networks

Makes drawn clips and a folder of random weights in --folder, then starts each training as
`scripts/train.sh` does (GPU, ENGINE, STAGE) with the batch of src/configs/stage_N.yaml and no saving. The
rate is the median of the steps behind the first fifth; memory is the highest the run reports.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.drawn_clips import draw_clips
from benchmarks.results import made_by, paragraph, table, write_section
from benchmarks.train_arithmetic import SD_VAE
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.unet_config import UNetConfig
from talkvid.training.logbook import read_losses

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1, "norm_num_groups": 8}
UNETS: dict[str, dict[str, Any]] = {"sd15": {}, "small": SMALL}
SPEECH_DIM = 768


def main() -> None:
    """Run every combination asked for and print one row each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("exp/train_speed"), help="work folder")
    parser.add_argument("--size", choices=UNETS, default="small")
    parser.add_argument("--gpu", default="cpu", help="as GPU of scripts/train.sh (cpu)")
    parser.add_argument("--engine", default="single", help="as ENGINE of scripts/train.sh (single)")
    parser.add_argument("--stages", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--precision", nargs="+", default=["fp32"])
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--print_only", action="store_true", help="leave RESULTS.md as it is")
    parser.add_argument("settings", nargs="*", metavar="section.key=value", help="more settings of the runs")
    args = parser.parse_args()
    data = draw_clips(args.folder / "data", count=4, num_frames=96, size=args.pixels, speech_dim=SPEECH_DIM)
    start = make_start(args.folder / "start", args.size)
    rows: list[tuple[str, ...]] = []
    for stage, precision, cached in product(args.stages, args.precision, (False, True)):
        rate, memory = measure(args, stage, precision=precision, cached=cached, data=data, start=start)
        latents = "cached" if cached else "encoded"
        rows.append((f"{stage}", precision, latents, f"{rate:.3f}", f"{memory:.2f}"))
        print("| {} |".format(" | ".join(rows[-1])), flush=True)
    text = section(rows, args)
    print(text)
    if not args.print_only:
        kind = "cpu" if args.gpu.startswith("cpu") else "gpu"
        write_section(text, "train_speed", f"{args.size} {kind} {args.engine}")


def section(rows: list[tuple[str, ...]], args: argparse.Namespace) -> str:
    """Return the section of RESULTS.md."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    about = paragraph(
        "Random weights, drawn clips, the batches of src/configs/stage_N.yaml, Stable Diffusion's",
        "autoencoder; started through the door of scripts/train.sh. Small networks on a CPU show that the",
        "command works and that the cache takes the autoencoder out of the step, not how fast a GPU is.",
        "Wall-clock seconds; the memory is the GPU's, or without one the process's.",
    )
    heads = ("stage", "precision", "latents", "it/s", "memory GB")
    return "\n\n".join((
        f"## Training steps per second: {args.size}, {args.pixels} px, {args.engine}, {device}",
        made_by(f"python -m benchmarks.train_speed {shlex.join(sys.argv[1:])}"),
        about, table(heads, rows),
    ))  # fmt: skip


def make_start(folder: Path, size: str) -> Path:
    """Write a model of random weights to start every stage from, and return its folder."""
    if not (folder / "config.json").is_file():
        config = BundleConfig.published(UNetConfig(**UNETS[size]), speech_dim=SPEECH_DIM)
        modules = {**config.modules, "vae": ModuleSpec("autoencoder_kl", SD_VAE)}
        torch.manual_seed(0)
        save_bundle(build_bundle(replace(config, modules=modules)), folder, dtype=torch.half)
    return folder


def measure(
    args: argparse.Namespace, stage: int, *, precision: str, cached: bool, data: Path, start: Path
) -> tuple[float, float]:
    """Train one combination; return steps per second and the peak memory in GB."""
    runs = args.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    settings = [
        f"run.output_root={runs.absolute()}",
        f"run.max_steps={args.steps}",
        f"run.precision={precision}",
        "run.save_every=0",
        "run.trackers=[]",
        "optimizer.name=adamw",
        f"model.start_from={start.absolute()}",
        *(f"model.{name}=" for name in ("unet_config_path", "vae_path", "reference_net_path")),
        *(f"model.{name}=" for name in ("denoising_unet_path", "motion_module_path")),
        f"data.meta_paths=[{data.absolute()}]",
        f"data.width={args.pixels}",
        f"data.height={args.pixels}",
        "data.languages=[]",
        f"data.latent_cache={(args.folder / 'latents').absolute() if cached else ''}",
        *args.settings,
    ]
    command = [sys.executable, str(ROOT / "src/talkvid/cli/launch.py"), "train", *settings]
    variables = {"STAGE": str(stage), "TRAIN": "speed", "GPU": args.gpu, "ENGINE": args.engine}
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    rows = read_losses(runs / "speed" / f"stage_{stage}" / "losses.csv")
    seconds = [row["seconds"] for row in rows[len(rows) // 5 :]]
    return 1 / statistics.median(seconds), max(row.get("memory_gb", float("nan")) for row in rows)


if __name__ == "__main__":
    main()
