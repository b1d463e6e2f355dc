"""What fewer steps, a guidance interval and reused features cost and lose, against the 25-step result.

    python -m benchmarks.fewer_steps --checkpoint FOLDER   CPU seconds on one thread and distances
    python -m benchmarks.fewer_steps                       the same for a tiny model with random weights
    python -m benchmarks.fewer_steps --flops               counted at the size of Stable Diffusion 1.5
    python -m benchmarks.fewer_steps --preview 128         decoding one picture, by Stable Diffusion and TAESD

Every setting samples the same frames from the same noise in one window. Distances are to a DDIM solution of
250 steps with the same guidance, and to that of 25: latents as root mean square over that of the solution,
pictures in dB of PSNR. TFLOP are matrix products, convolutions and attention of the denoiser, per frame.
"""

import argparse
import functools
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.cfg_step import GUIDANCE_SCALE, TINY, Step, count_flops
from talkvid import TalkVidInference
from talkvid.inference.fewer_steps import guidance_scales
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene, build_conditions, decode_pictures
from talkvid.inference.settings import GenerateSettings, VideoSettings, resolve
from talkvid.inference.timing import Timings
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.guidance import GuidedFeatures, guided_prediction
from talkvid.model.unet_config import UNetConfig
from talkvid.records import Array

SAMPLE = Path(__file__).parents[1] / "test_samples" / "short_case" / "astronaut"
SOLUTION_STEPS = 250
INTERVAL = "0.3:5"
CASES: tuple[dict[str, Any], ...] = (
    {"sampler": "ddim", "num_inference_steps": 25},
    *({"sampler": "ddim", "num_inference_steps": steps} for steps in (15, 10, 6, 4)),
    *({"sampler": "dpm++", "num_inference_steps": steps} for steps in (25, 15, 10, 6, 4)),
    *({"sampler": "unipc", "num_inference_steps": steps} for steps in (25, 15, 10, 6, 4)),
    {"sampler": "lcm", "num_inference_steps": 4, "guidance_scale": 1.0},
    {"sampler": "ddim", "num_inference_steps": 25, "guidance_interval": INTERVAL},
    *({"sampler": "ddim", "num_inference_steps": 25, "reuse_features": every} for every in (2, 3, 5)),
    {"sampler": "unipc", "num_inference_steps": 15, "guidance_interval": INTERVAL, "reuse_features": 2},
    {"sampler": "unipc", "num_inference_steps": 10, "guidance_interval": INTERVAL},
)


def named(case: dict[str, Any]) -> str:
    """Return a row's name: the flags behind the sampler and the steps."""
    rest = (
        ("guidance_scale", "guidance 1"),
        ("guidance_interval", f"interval {INTERVAL}"),
        ("reuse_features", f"reuse {case.get('reuse_features')}"),
    )
    words = [what for name, what in rest if name in case]
    return ", ".join([f"{case['sampler']} {case['num_inference_steps']}", *words])


class StepCosts:
    """TFLOP per frame of one step of a denoiser: with and without guidance, full and reusing features."""

    def __init__(self, config: UNetConfig, *, pixels: int, frames: int) -> None:
        self._step = Step(config, pixels=pixels, frames=frames, device="meta")
        self._costs = {
            (guided, reused): self._count(guided, reused)
            for guided in (True, False)
            for reused in (True, False)
        }

    def of(self, video: VideoSettings) -> float:
        """Return the TFLOP per frame of a whole run."""
        return sum(
            self._costs[scale != 1, step % video.reuse_features > 0]
            for step, scale in enumerate(guidance_scales(video))
        )

    def _count(self, guided: bool, reused: bool) -> float:
        step, features = self._step, GuidedFeatures()

        def call() -> Tensor:
            return guided_prediction(
                step.denoiser,
                step.latents,
                timesteps=step.timesteps,
                guidance_scale=GUIDANCE_SCALE if guided else 1.0,
                audio_tokens=step.tokens,
                kps_features=step.kps,
                reference=step.cache,
                inner=features if reused else None,
            )

        if reused:
            with torch.no_grad():
                call()
        return count_flops(call) / step.frames


class Bench:
    """One model, one portrait and the first frames of one speech."""

    def __init__(self, checkpoint: Path, frames: int) -> None:
        self.model = TalkVidInference(checkpoint, device="cpu")
        self.config = self.model.config
        self.frames = frames
        self.base: dict[str, Any] = {
            "context_frames": frames, "context_overlap": 0, "retarget_strategy": "fix_face"
        }  # fmt: skip
        settings = GenerateSettings(**self.base)
        job = self.model._job(settings, SAMPLE / "ref.png", SAMPLE / "aud.wav", Timings())
        with job:
            self.bundle = self.model._load()
            whole = job.scene(self.model._encoder(self.bundle))
            speech = torch.as_tensor(whole.speech[: len(whole.speech)])
        self.scene = Scene(whole.portrait, speech, whole.poses[:frames], face=whole.face)

    def settings(self, case: dict[str, Any]) -> VideoSettings:
        """Return the checked settings of a row."""
        return resolve(GenerateSettings(**{**self.base, **case}), self.config)

    def sample(self, case: dict[str, Any]) -> tuple[Tensor, Array, float]:
        """Return latents (F C h w), pictures (F H W 3) and the CPU seconds of sampling."""
        video, pipeline = self.settings(case), Pipeline(self.bundle, self.model.placement)
        with self.model.placement.use(*self.bundle.modules.values()):
            conditions = build_conditions(self.bundle, self.model.placement, self.scene, video)
            reference = pipeline.project_reference(conditions.reference_picture)
            conditions.window(range(self.frames))
            start = time.process_time()
            stream = pipeline.latents(self.frames, video, conditions, reference, Timings())
            latents = torch.stack([latents for _, latents in stream])
            seconds = time.process_time() - start
            pictures = decode_pictures(self.bundle.vae, latents)  # type: ignore[arg-type]
        return latents, np.stack(pictures), seconds


def relative(latents: Tensor, truth: Tensor) -> float:
    """Return the root mean square of the difference over that of the truth."""
    return float((latents - truth).square().mean().sqrt() / truth.square().mean().sqrt())


def psnr(pictures: Array, truth: Array) -> float:
    """Return the peak signal-to-noise ratio in dB of all frames together."""
    error = float(np.square(pictures.astype(np.float64) - truth).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def compare(checkpoint: Path, frames: int, rounds: int) -> None:
    """Print the table for a checkpoint."""
    bench = Bench(checkpoint, frames)
    unet = UNetConfig.from_dict(bench.config.modules["denoising_unet"].config)
    costs = StepCosts(unet, pixels=bench.config.width, frames=frames)
    taken: dict[str, list[float]] = {named(case): [] for case in CASES}
    made = {}
    for round_number in range(rounds + 1):
        for case in CASES if round_number else CASES[:1]:
            latents, pictures, seconds = bench.sample(case)
            made[named(case)] = latents, pictures
            if round_number:
                taken[named(case)].append(seconds)
    solution = bench.sample({"sampler": "ddim", "num_inference_steps": SOLUTION_STEPS})
    usual = named(CASES[0])
    print(f"{bench.config.name}, {bench.config.width} px, {frames} frames, guidance "
          f"{bench.config.guidance_scale:g}, fp32, 1 thread, fastest of {rounds} rounds; distances to "
          f"{SOLUTION_STEPS} and to 25 steps of DDIM")  # fmt: skip
    print("| setting | CPU s | of 25 steps | GFLOP/frame | latents, 250 | PSNR, 250 | PSNR, 25 |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        name = named(case)
        latents, pictures = made[name]
        seconds, gflop = min(taken[name]), 1000 * costs.of(bench.settings(case))
        print(f"| {name} | {seconds:.2f} | {seconds / min(taken[usual]):.2f} | {gflop:.1f} | "
              f"{relative(latents, solution[0]):.3f} | {psnr(pictures, solution[1]):.1f} | "
              f"{psnr(pictures, made[usual][1]):.1f} |")  # fmt: skip


def count(frames: int) -> None:
    """Print what every setting computes at Stable Diffusion 1.5's size."""
    costs = StepCosts(UNetConfig(), pixels=512, frames=frames)
    config = BundleConfig()
    print(f"512 px, windows of {frames} frames, per frame of one window")
    print("| setting | TFLOP/frame | of 25 steps |")
    print("|---|---|---|")
    usual = costs.of(resolve(GenerateSettings(**CASES[0]), config))
    for case in CASES:
        tflop = costs.of(resolve(GenerateSettings(**case), config))
        print(f"| {named(case)} | {tflop:.2f} | {tflop / usual:.2f} |")


def preview(pixels: int) -> None:
    """Print what decoding one picture costs, with random weights of both decoders."""
    from diffusers import AutoencoderKL, AutoencoderTiny

    levels = {
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "latent_channels": 4,
    }
    latents = torch.randn(1, 4, pixels // 8, pixels // 8)
    networks: dict[str, Any] = {"AutoencoderKL": AutoencoderKL(**levels), "TAESD": AutoencoderTiny()}
    for name, network in networks.items():
        network.eval().requires_grad_(False)
        seconds = []
        for _ in range(3):
            start = time.process_time()
            network.decode(latents)
            seconds.append(time.process_time() - start)
        on_paper = network.to("meta")
        gflop = 1000 * count_flops(functools.partial(on_paper.decode, latents.to("meta"), return_dict=False))
        print(f"{name:>14}: {min(seconds):7.2f} CPU s, {gflop:8.1f} GFLOP per picture of {pixels} px")


def random_checkpoint(folder: Path) -> Path:
    """Write a tiny model with random weights and return its folder."""
    torch.manual_seed(0)
    unet = {**TINY.to_dict(), "in_channels": 8, "out_channels": 8}
    published = BundleConfig.published(UNetConfig.from_dict(unet), speech_dim=80)
    vae = ModuleSpec("small_autoencoder", {"latent_channels": 8})
    config = BundleConfig(
        name="random", fps=25, width=64, height=64, latent_channels=8, speech_encoder="log-mel",
        modules={**published.modules, "vae": vae},
    )  # fmt: skip
    save_bundle(build_bundle(config), folder)
    return folder


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="folder of a trained diffusion model")
    parser.add_argument("--frames", type=int, default=12, help="frames of the window")
    parser.add_argument("--rounds", type=int, default=1, help="rounds after the warm-up")
    parser.add_argument("--flops", action="store_true", help="only count, at Stable Diffusion 1.5's size")
    parser.add_argument("--preview", type=int, metavar="PIXELS", help="only decode one picture of this size")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.flops:
        count(arguments.frames)
    elif arguments.preview:
        preview(arguments.preview)
    elif arguments.checkpoint is not None:
        compare(arguments.checkpoint, arguments.frames, arguments.rounds)
    else:
        print("random weights: the distances tell how the samplers differ, nothing of what would be seen")
        with tempfile.TemporaryDirectory() as folder:
            compare(random_checkpoint(Path(folder)), arguments.frames, arguments.rounds)


if __name__ == "__main__":
    main()
