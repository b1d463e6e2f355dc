"""How fast a video is made, part by part, with random weights; writes its own section of RESULTS.md.

    python -m benchmarks.generate_speed --size sd15 --gpu 0    512 px, 24-frame windows
    python -m benchmarks.generate_speed --size tiny            rehearsal on a CPU

Every setting is one video of `--windows` windows, timed from the drawn portrait to the last picture in
memory, after one video that warms up. FLOPs are counted on torch's meta device (matrix products, convolutions
and attention); the fraction is theirs of the rate at which the device multiplies two square matrices.
"""

import argparse
import json
import platform
import resource
import shlex
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cfg_step import Step, count_flops
from benchmarks.results import write_section
from talkvid.inference.device import DTYPES, Placement, dtype_name, keep_freed_memory, use_huge_pages
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.inference.timing import Timings
from talkvid.model.bundle import ModelBundle, build_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import ImageAutoencoder

CONFIGS = Path(__file__).parents[1] / "tests" / "data" / "parity" / "configs.json"
SD_VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
SETTINGS = {"25 steps, guided": (25, 3.5), "8 steps, unguided": (8, 1.0), "4 steps, unguided": (4, 1.0)}
OVERLAP = 4


@dataclass(frozen=True)
class Row:
    """One setting's figures."""

    name: str
    frames: int
    seconds: float
    parts: dict[str, float]
    tflop: float
    """Of the whole video."""
    memory_gib: float


def build_model(size: str, device: torch.device, dtype: torch.dtype) -> ModelBundle:
    """Return random networks on the device, of Stable Diffusion 1.5's size or of the tests'."""
    tiny = json.loads(CONFIGS.read_text())
    unet = UNetConfig() if size == "sd15" else UNetConfig.from_dict(tiny["denoising_unet"])
    config = BundleConfig.published(unet, name=size)
    vae = ModuleSpec("autoencoder_kl", SD_VAE if size == "sd15" else tiny["vae"])
    torch.manual_seed(0)
    with device:
        bundle = build_bundle(BundleConfig(name=size, modules={**config.modules, "vae": vae}))
    for module in bundle.modules.values():
        module.to(dtype=dtype).eval().requires_grad_(False)
    return bundle


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the TFLOP per second of a product of square matrices, the best of five."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(6):
        _wait(device)
        start = time.perf_counter()
        matrix @ matrix
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best / 1e12


def count_video(size: str, *, pixels: int, window: int, windows: int, frames: int, setting: str) -> float:
    """Return the TFLOP of a video: every window's steps and every frame's decoding."""
    steps, scale = SETTINGS[setting]
    config = build_model(size, torch.device("meta"), torch.float32).denoising_unet.config
    step = Step(config, pixels=pixels, frames=window, device="meta")
    call = count_flops(step.ours if scale != 1 else step.conditional)
    vae = cast(ImageAutoencoder, build_model(size, torch.device("meta"), torch.float32).vae)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        vae.decode(torch.zeros(1, 4, pixels // 8, pixels // 8, device="meta"))
    return call * steps * windows + counter.get_total_flops() / 1e12 * frames


def measure(bundle: ModelBundle, placement: Placement, setting: str, args: argparse.Namespace) -> Row:
    """Return the figures of one setting."""
    steps, scale = SETTINGS[setting]
    window, frames = args.window, args.window + (args.windows - 1) * (args.window - OVERLAP)
    settings = resolve(
        GenerateSettings(
            num_inference_steps=steps,
            guidance_scale=scale,
            context_frames=window,
            context_overlap=OVERLAP,
            image_width=args.pixels,
            image_height=args.pixels,
        ),
        bundle.config,
    )
    random = np.random.default_rng(0)
    portrait = random.integers(0, 256, (args.pixels, args.pixels, 3), dtype=np.uint8)
    points = np.array([[0.38, 0.42], [0.62, 0.42], [0.5, 0.57]]) * args.pixels
    width = bundle.config.modules["audio_projection"].config["embedding_dim"]
    poses = points + np.linspace(0, args.pixels / 10, frames)[:, None, None]
    scene = Scene(portrait, torch.randn(2 * frames, width), poses)
    seconds, timings = 0.0, Timings()
    for is_warm in (False, True):
        if is_warm and placement.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(placement.device)
        timings = Timings()
        start = time.perf_counter()
        count = sum(1 for _ in Pipeline(bundle, placement).frames(scene, settings, timings))
        _wait(placement.device)
        seconds = time.perf_counter() - start
        assert count == frames
    tflop = count_video(
        args.size, pixels=args.pixels, window=window, windows=args.windows, frames=frames, setting=setting
    )
    return Row(setting, frames, seconds, timings.rounded(), tflop, peak_memory_gib(placement.device))


def peak_memory_gib(device: torch.device) -> float:
    """Return the largest memory of the device so far, on a CPU that of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def section(rows: list[Row], rate: float, placement: Placement, args: argparse.Namespace) -> str:
    """Return the section of RESULTS.md."""
    device = placement.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
    lines = [
        f"## Generating: {args.size}, {name}",
        "",
        f"`python -m benchmarks.generate_speed {shlex.join(sys.argv[1:])}`, {datetime.now(UTC):%Y-%m-%d}, "
        f"torch {torch.__version__}, {dtype_name(placement.dtype)}, {torch.get_num_threads()} thread(s), "
        f"{args.pixels} px, {args.windows} windows of {args.window} frames"
        f"{', compiled' if placement.compiles else ''}; random weights. Product of square matrices: "
        f"{rate:.3g} TFLOP/s. Wall-clock seconds; the parts are those the host waits in.",
        "",
        "| setting | frames | seconds | frames/s | TFLOP | of the matrix rate | peak GiB | parts, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in row.parts.items())
        share = 100 * row.tflop / row.seconds / rate
        lines.append(
            f"| {row.name} | {row.frames} | {row.seconds:.2f} | {row.frames / row.seconds:.2f} "
            f"| {row.tflop:.3g} | {share:.0f} % | {row.memory_gib:.2f} | {parts} |"
        )
    return "\n".join(lines) + "\n"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure every setting, print the section and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "sd15"), default="tiny")
    parser.add_argument("--gpu", type=int, help="number of the GPU; without it the CPU")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="fp16 on a GPU, fp32 on a CPU")
    parser.add_argument("--pixels", type=int, help="side of the picture (512; tiny 64)")
    parser.add_argument("--window", type=int, help="frames of a window (24; tiny 8)")
    parser.add_argument("--windows", type=int, default=3, help="windows of the video")
    parser.add_argument("--windows_per_batch", type=int, help="windows the denoiser takes at once")
    parser.add_argument("--compile", action="store_true", help="have torch compile the networks")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--print_only", action="store_true", help="leave RESULTS.md as it is")
    args = parser.parse_args()
    use_huge_pages()
    keep_freed_memory()
    args.pixels = args.pixels or (512 if args.size == "sd15" else 64)
    args.window = args.window or (24 if args.size == "sd15" else 8)
    device = torch.device("cpu") if args.gpu is None else torch.device("cuda", args.gpu)
    dtype = DTYPES[args.dtype or ("fp32" if args.gpu is None else "fp16")]
    placement = Placement(device, dtype, windows_per_batch=args.windows_per_batch, compiles=args.compile)
    bundle = build_model(args.size, device, dtype)
    rows = [measure(bundle, placement, setting, args) for setting in args.settings]
    text = section(rows, matmul_rate(device, dtype), placement, args)
    sys.stdout.write(text)
    if not args.print_only:
        kind = "cpu" if args.gpu is None else "gpu"
        key = f"{args.size} {kind} {dtype_name(dtype)}{' compiled' if args.compile else ''}"
        write_section(text, "generate_speed", key)


if __name__ == "__main__":
    main()
