"""What one guided denoising step costs: FLOPs of our form against the plain one, and CPU seconds of both.

    python benchmarks/cfg_step.py                        FLOPs at 256 and 512 px, no arithmetic is done
    python benchmarks/cfg_step.py --seconds tiny         CPU seconds on one thread, fp32, alternating
    python benchmarks/cfg_step.py --seconds sd15 --reference CHECKOUT/src --reference_python VENV/bin/python

The plain form attends to zeros in the unconditional half and projects keys and values of the reference
for every frame in every step; before the measurement of seconds both get what the program does to a network
on a CPU (`Placement.use`, `use_huge_pages`, `keep_freed_memory`). `--reference` adds the nets of a checkout
of the original implementation, with its own dependencies and allocator, run by a child process that takes its
turn in the alternation.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from talkvid.inference.device import Placement, keep_freed_memory, use_huge_pages
from talkvid.model.conditions import ReferenceCache
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.guidance import guided_prediction
from talkvid.model.unet_config import UNetConfig

TINY = UNetConfig(
    block_out_channels=(32, 32, 64, 64),
    layers_per_block=1,
    attention_head_dim=4,
    cross_attention_dim=64,
    norm_num_groups=8,
)
SIZES = {"tiny": TINY, "sd15": UNetConfig()}
AUDIO_TOKENS = 5
GUIDANCE_SCALE = 3.5
FLOP_CASES = ((256, 8, 0.94), (512, 8, 0.92), (512, 24, 0.92))
"""(pixels, frames, highest ratio allowed)"""


class Step:
    """Inputs of one guided step of one window, and the two ways to compute it."""

    def __init__(self, config: UNetConfig, *, pixels: int, frames: int, device: str) -> None:
        torch.manual_seed(0)
        with torch.device(device), torch.no_grad():
            self.denoiser = DenoisingUNet(config).eval().requires_grad_(False)
            for parameter in self.denoiser.parameters():
                if device != "meta" and not parameter.any():
                    parameter.normal_(std=0.02)  # no branch may be a cheap zero
            side = pixels // 8
            self.latents = torch.randn(1, config.in_channels, frames, side, side)
            self.kps = torch.randn(1, config.block_out_channels[0], frames, side, side)
            self.tokens = torch.randn(1, frames, AUDIO_TOKENS, config.cross_attention_dim or 1)
            self.timesteps = torch.full((1,), 500)
            self.features = self._features(side)
        self.frames = frames
        self.cache = self.denoiser.project_reference(self.features)

    def ours(self) -> Tensor:
        """One step as the program does it."""
        return guided_prediction(
            self.denoiser,
            self.latents,
            timesteps=self.timesteps,
            guidance_scale=GUIDANCE_SCALE,
            audio_tokens=self.tokens,
            kps_features=self.kps,
            reference=self.cache,
        )

    def conditional(self) -> Tensor:
        """One step without guidance."""
        return self.denoiser(
            self.latents,
            self.timesteps,
            audio_tokens=self.tokens,
            kps_features=self.kps,
            reference=self.cache,
        )

    def plain(self) -> Tensor:
        """The same step with attention to zeros and a projection of the reference per frame."""
        both = self.denoiser(
            torch.cat([self.latents, self.latents]),
            self.timesteps.expand(2),
            audio_tokens=torch.cat([torch.zeros_like(self.tokens), self.tokens]),
            kps_features=torch.cat([torch.zeros_like(self.kps), self.kps]),
            reference=self._projected_per_frame(),
        )
        unconditional, conditional = both.chunk(2)
        return unconditional + GUIDANCE_SCALE * (conditional - unconditional)

    def _projected_per_frame(self) -> ReferenceCache:
        copies = {
            name: torch.cat([torch.zeros_like(feature), feature]).repeat_interleave(self.frames, dim=0)
            for name, feature in self.features.items()
        }
        return self.denoiser.project_reference(copies)

    def _features(self, side: int) -> dict[str, Tensor]:
        features = {}
        levels = len(self.denoiser.config.block_out_channels)
        for name in self.denoiser.block_names:
            part, index = name.split(".")[:2]
            level = levels - 1  # of the innermost block
            if part == "down_blocks":
                level = int(index)
            elif part == "up_blocks":
                level -= int(index)
            width = self.denoiser.get_submodule(name).get_parameter("norm2.weight").shape[0]
            features[name] = torch.randn(1, (side >> level) ** 2, width)
        return features


def count_flops(work: Callable[[], Tensor]) -> float:
    """Return the TFLOP of matrix products, convolutions and attention in `work`."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        work()
    return counter.get_total_flops() / 1e12


def compare_flops() -> bool:
    """Print a table at Stable Diffusion 1.5 size; return whether every ratio is within its bound."""
    within = True
    print(f"{'pixels':>6} {'frames':>6} {'ours TFLOP':>11} {'plain TFLOP':>12} {'ratio':>7} {'bound':>6}")
    for pixels, frames, bound in FLOP_CASES:
        step = Step(SIZES["sd15"], pixels=pixels, frames=frames, device="meta")
        ours, plain = count_flops(step.ours), count_flops(step.plain)
        within &= ours / plain <= bound
        print(f"{pixels:6} {frames:6} {ours:11.4f} {plain:12.4f} {ours / plain:7.4f} {bound:6.2f}")
    return within


def cpu_seconds(work: Callable[[], Tensor]) -> float:
    """Return the CPU seconds of this process that `work` takes."""
    start = time.process_time()
    with torch.no_grad():
        work()
    return time.process_time() - start


class Reference:
    """The original nets in a child process; each call runs one guided step there."""

    def __init__(self, python: str, source: Path, size: str, pixels: int, frames: int) -> None:
        script = Path(__file__).with_name("cfg_step_reference.py")
        command = [python, str(script), str(source), size, str(pixels), str(frames)]
        # As it is: what we ask of the allocator is ours alone.
        environment = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def seconds(self) -> float:
        """Return the CPU seconds of one step in the child."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write("step\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the reference process ended with code {self.child.wait()}")
        return float(line)

    def close(self) -> None:
        """End the child."""
        self.child.communicate()


def compare_seconds(arguments: argparse.Namespace) -> None:
    """Print the median CPU seconds of each form over alternating rounds, after one warm-up round."""
    use_huge_pages()
    keep_freed_memory()
    torch.set_num_threads(1)
    size, pixels, frames = arguments.seconds, arguments.pixels, arguments.frames
    step = Step(SIZES[size], pixels=pixels, frames=frames, device="cpu")
    with Placement(torch.device("cpu"), torch.float32).use(step.denoiser):
        pass  # fused and laid out, as in a run
    runs: dict[str, Callable[[], float]] = {"ours": lambda: cpu_seconds(step.ours)}
    if not arguments.skip_plain:
        runs["plain"] = lambda: cpu_seconds(step.plain)
    reference = None
    if arguments.reference is not None:
        python = arguments.reference_python
        reference = Reference(python, arguments.reference, size, pixels, frames)
        runs["reference"] = reference.seconds
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(arguments.rounds + 1):
        for name, run in runs.items():
            seconds = run()
            if round_number:
                taken[name].append(seconds)
    if reference is not None:
        reference.close()
    print(f"{size}, {pixels} px, {frames} frames, fp32, 1 thread, {arguments.rounds} rounds")
    for name, seconds_of in taken.items():
        middle = statistics.median(seconds_of)
        ratio = statistics.median(taken["ours"]) / middle
        spread = f"{min(seconds_of):.2f}-{max(seconds_of):.2f}"
        print(f"{name:>10}: {middle:8.2f} CPU s ({spread}), ours / {name} = {ratio:.3f}")


def main() -> int:
    """Run the chosen comparison; 1 when a FLOP ratio is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", choices=sorted(SIZES), help="measure CPU seconds at this size")
    parser.add_argument("--pixels", type=int, default=256, help="side of the picture")
    parser.add_argument("--frames", type=int, default=8, help="frames of the window")
    parser.add_argument("--rounds", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--skip_plain", action="store_true", help="leave the plain form out of the rounds")
    parser.add_argument("--reference", type=Path, help="source folder of a checkout of the original")
    parser.add_argument("--reference_python", default=sys.executable, help="Python with its dependencies")
    arguments = parser.parse_args()
    if arguments.seconds:
        compare_seconds(arguments)
        return 0
    return 0 if compare_flops() else 1


if __name__ == "__main__":
    sys.exit(main())
