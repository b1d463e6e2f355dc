"""GPU by frames per second and training steps per second: computed, and what was measured on this CPU.

    python -m benchmarks.performance_table                              counted FLOPs and bytes
    python -m benchmarks.performance_table --measure embedded large     what this CPU does

Computed: FLOPs of one long video or of one training step at Stable Diffusion 1.5's size, over a GPU's stated
dense half-precision peak times an assumed share of it. Each writes its own section of RESULTS.md, the first
also its table in docs/performance.md.
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cfg_step import Step
from benchmarks.fewer_steps import StepCosts
from benchmarks.generate_embedded import SAMPLE
from benchmarks.generate_embedded import measure as measure_embedded
from benchmarks.generate_speed import build_model
from benchmarks.memory_count import VideoMemory, count_video
from benchmarks.results import RESULTS, made_by, paragraph, table, write_section
from benchmarks.train_arithmetic import Cost, weight_bytes
from benchmarks.train_arithmetic import count as count_training
from talkvid.inference.device import Placement, use_huge_pages
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.unet_config import UNetConfig

DOCUMENT = RESULTS.parents[1] / "docs" / "performance.md"
GIB = 2**30
PIXELS, WINDOW, OVERLAP, STAGE = 512, 24, 4, 3
SHARES = (0.3, 0.5)
"""Of the stated peak; an assumption."""
ROOM_GIB = 1.0
"""Assumed for the CUDA context and the kernels' workspaces, which are not counted."""
RECOMPUTING = 4 / 3
"""A second forward, and a backward costs about two."""


@dataclass(frozen=True)
class Gpu:
    """A card as its maker states it."""

    name: str
    memory_gib: int
    tflops: float
    """Dense fp16 with fp32 accumulation, 10^12 per second."""
    claim_fps: str
    claim_steps: str
    """What the original README claims; not measured by us, its settings are not stated."""


GPUS = (
    Gpu("RTX 3080", 12, 59.5, "8 to 12", "0.8"),
    Gpu("RTX 4090", 24, 165.2, "15 to 20", "1.5"),
    Gpu("A100", 40, 312.0, "20 to 25", "2.2"),
    Gpu("H100", 80, 989.4, "25 to 30", "3.1"),
)
SETTINGS: dict[str, dict[str, float | int]] = {
    "25 steps, guided": {"num_inference_steps": 25},
    "8 steps, unguided": {"num_inference_steps": 8, "guidance_scale": 1.0},
    "4 steps, unguided": {"num_inference_steps": 4, "guidance_scale": 1.0},
}


def frame_tflop(steps: float, decoding: float, *, window: int = WINDOW, overlap: int = OVERLAP) -> float:
    """Return what a frame of a long video costs, of the TFLOP per frame of a window's steps and of decoding.

    Every window brings window - overlap new frames; what is done once per video is left out.
    """
    return steps * window / (window - overlap) + decoding


def rates(tflop: float, gpu: Gpu) -> tuple[float, float]:
    """Return how many things of so many TFLOP a GPU does per second at the lower and the higher share."""
    low, high = (share * gpu.tflops / tflop for share in SHARES)
    return low, high


def training_mode(cost: Cost, gpu: Gpu, *, eight_bit: bool = False) -> tuple[str, float, float]:
    """Return the setting with which a step fits one GPU, its GiB, and the factor on its FLOPs.

    The first that leaves ROOM_GIB: none, gradient checkpointing, run.save_gpu_memory; ("", GiB, 0) when none.
    """
    plain = weight_bytes(cost, gpus=1, eight_bit=eight_bit, offload=False)
    offloaded = weight_bytes(cost, gpus=1, eight_bit=eight_bit, offload=True)
    modes = (
        ("no setting", plain + cost.kept_bytes, 1.0),
        ("`run.gradient_checkpointing=true`", plain + cost.kept_recomputing, RECOMPUTING),
        ("`run.save_gpu_memory=true`", offloaded + cost.kept_recomputing, RECOMPUTING),
    )
    for name, needed, factor in modes:
        if needed / GIB + ROOM_GIB <= gpu.memory_gib:
            return name, needed / GIB, factor
    return "", modes[-1][1] / GIB, 0.0


def span(pair: Sequence[float]) -> str:
    """Return a range with two digits that count."""
    return " to ".join(f"{value:.2f}" if value < 10 else f"{value:.1f}" for value in pair)


def computed_section(costs: dict[str, float], training: Cost, memory: VideoMemory) -> str:
    """Return the section of what was counted; `costs` is the TFLOP of a frame by setting."""
    rows, full = [], next(iter(costs.values()))
    for gpu in GPUS:
        mode, _, factor = training_mode(training, gpu)
        step = (training.step_flops * factor + training.encode_flops) / 1e12
        rows.append((
            f"{gpu.name}, {gpu.memory_gib} GB", f"{gpu.tflops:g}",
            *(span(rates(tflop, gpu)) for tflop in costs.values()),
            span(rates(step, gpu)) if factor else "does not fit", mode,
            f"{gpu.tflops / full:.1f}", gpu.claim_fps, gpu.claim_steps,
        ))  # fmt: skip
    heads = (
        "GPU", "stated TFLOP/s", *(f"frames/s, {name}" for name in costs), f"training steps/s, stage {STAGE}",
        "what training needs", "frames/s at 100 % of the peak, 25 steps", "claimed frames/s", "claimed it/s",
    )  # fmt: skip
    parts = [(part.name, f"{part.weights / GIB:.2f}", f"{part.working / GIB:.2f}") for part in memory.parts]
    return "\n\n".join((
        "## Frames and training steps per second by GPU: computed, not measured",
        made_by("python -m benchmarks.performance_table"),
        _about_rates(costs, training),
        table(heads, rows),
        "Memory of a video, counted (`benchmarks/memory_count.py`; GiB), one window at a time, "
        f"{WINDOW} frames at {PIXELS} px, 25 guided steps:",
        table(("part", "weights", "most beside them"), parts),
        _about_memory(memory),
    ))  # fmt: skip


def _about_rates(costs: dict[str, float], training: Cost) -> str:
    low, high = (f"{100 * share:.0f}" for share in SHARES)
    frame = ", ".join(f"{value:.2f} ({name})" for name, value in costs.items())
    step, encoding = (f"{flops / 1e12:.2f}" for flops in (training.step_flops, training.encode_flops))
    return paragraph(
        f"Stable Diffusion 1.5's size, {PIXELS} x {PIXELS} px, windows of {WINDOW} frames that share",
        f"{OVERLAP}, half precision. Counted TFLOP per frame of a long video, decoding included: {frame};",
        f"per training step of stage {STAGE} {step}, and {encoding} to encode its pictures.",
        f"Rates are {low} to {high} % of the makers' dense fp16 peak with fp32 accumulation over these",
        "counts.",
        "That share is an assumption, to be replaced by a measurement",
        "(`python -m benchmarks.generate_speed --size sd15 --gpu 0`,",
        "`python -m benchmarks.train_speed --size sd15 --gpu 0`);",
        "carrying the optimiser to and fro (`run.save_gpu_memory`) is not counted.",
        "The peak of the RTX 3080 is that stated for the card of 10 GB.",
        "The last two columns are claims of the original project's README, whose settings are not stated;",
        "the column before them is what 25 guided steps come to at the whole of the stated peak.",
    )


def _about_memory(memory: VideoMemory) -> str:
    kept, under_way, plain, saving = (
        f"{size / GIB:.2f}" for size in (memory.reference, memory.under_way, memory.plain(), memory.saving())
    )
    fits = "either" if memory.plain() / GIB + ROOM_GIB <= GPUS[0].memory_gib else "only the latter"
    return paragraph(
        f"Portrait's keys and values {kept}, key-point features of the frames under way {under_way}.",
        f"Together {plain} GiB, with `--save_gpu_memory` {saving} GiB, and about {ROOM_GIB:g} GiB not",
        f"counted (CUDA context, workspaces of kernels): a card of {GPUS[0].memory_gib} GB holds {fits}.",
        "The speech encoder (94 M numbers) works before that and is not counted.",
    )


def short_table(costs: dict[str, float], training: Cost) -> str:
    """Return the table for the documents."""
    rows = []
    for gpu in GPUS:
        mode, _, factor = training_mode(training, gpu)
        step = (training.step_flops * factor + training.encode_flops) / 1e12
        steps = f"{span(rates(step, gpu))}{f' ({mode})' if factor > 1 else ''}" if factor else "does not fit"
        rows.append(
            (gpu.name, f"{gpu.memory_gib} GB", *(span(rates(one, gpu)) for one in costs.values()), steps)
        )
    heads = ("GPU", "Memory", *(f"frames/s, {name}" for name in costs), f"training steps/s, stage {STAGE}")
    return table(heads, rows)


def count_frames() -> dict[str, float]:
    """Return the TFLOP per frame of a long video for each setting."""
    costs = StepCosts(UNetConfig(), pixels=PIXELS, frames=WINDOW)
    vae = build_model("sd15", torch.device("meta"), torch.float32).vae
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        vae.decode(torch.zeros(1, 4, PIXELS // 8, PIXELS // 8, device="meta"))  # type: ignore[operator]
    decoding = counter.get_total_flops() / 1e12
    return {
        name: frame_tflop(costs.of(resolve(GenerateSettings(**setting), BundleConfig())), decoding)  # type: ignore[arg-type]
        for name, setting in SETTINGS.items()
    }


def measured_embedded() -> str:
    """Return the section of what one thread of this machine does with the embedded model."""
    rows = []
    for pixels in (256, 512):
        one = measure_embedded(pixels, SAMPLE / "aud.wav", 1)
        rate, peak = one["frames"] / one["cpu_s"], one["peak_mib"] / 1024
        rows.append(
            (f"{pixels} px", f"{one['frames']:.0f}", f"{one['cpu_s']:.1f}", f"{rate:.1f}", f"{peak:.2f}")
        )
    heads = ("picture", "frames", "CPU s", "frames per CPU second", "peak GiB")
    return f"""## Measured on a CPU: the embedded model

{made_by("python -m benchmarks.performance_table --measure embedded")} One thread, a whole
video in a fresh process, its start included; fp32, the autoencoder in bf16 where the processor has it; CPU
seconds, for the machine is shared.

{table(heads, rows)}"""


def measured_large() -> str:
    """Return the section of what one thread does at Stable Diffusion 1.5's size."""
    frames, seconds = 8, large_step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    heads = ("frames", "CPU s", "CPU s per frame with 25 steps, by arithmetic", "peak GiB")
    row = (f"{frames}", f"{seconds:.1f}", f"{25 * seconds / frames:.0f}", f"{peak:.2f}")
    return f"""## Measured on a CPU: Stable Diffusion 1.5's size

{made_by("python -m benchmarks.performance_table --measure large")} One guided step of one
window at 256 px, random weights, one thread, fp32, the second of two; CPU seconds, for the machine is shared.

{table(heads, [row])}"""


def large_step(*, pixels: int = 256, frames: int = 8) -> float:
    """Return the CPU seconds of a guided step of the large denoiser, the second of two."""
    torch.set_num_threads(1)
    use_huge_pages()
    step = Step(UNetConfig(), pixels=pixels, frames=frames, device="cpu")
    seconds = 0.0
    with Placement(torch.device("cpu"), torch.float32).use(step.denoiser), torch.no_grad():
        for _ in range(2):
            start = time.process_time()
            step.ours()
            seconds = time.process_time() - start
    return seconds


MEASURED: dict[str, Callable[[], str]] = {"embedded": measured_embedded, "large": measured_large}


def main() -> None:
    """Print the sections and write them into RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", nargs="+", choices=MEASURED, default=[], help="run this, only this")
    parser.add_argument("--print_only", action="store_true", help="leave RESULTS.md as it is")
    arguments = parser.parse_args()
    sections = {f"measured {name}": MEASURED[name]() for name in arguments.measure}
    if not sections:
        memory = count_video(pixels=PIXELS, window=WINDOW, steps=25, overlap=OVERLAP)
        costs, training = count_frames(), count_training(STAGE)
        sections["computed"] = computed_section(costs, training, memory)
        if not arguments.print_only:
            write_section(short_table(costs, training), "performance_table", path=DOCUMENT)
    for key, text in sections.items():
        print(text)
        if not arguments.print_only:
            write_section(text, "performance_table", key)


if __name__ == "__main__":
    main()
