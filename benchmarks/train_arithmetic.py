"""What a training step of each shipped stage costs at Stable Diffusion 1.5 size, counted, not measured.

    python -m benchmarks.train_arithmetic [--gpus 1 2 8] [--share 0.4]

Networks, batch and stage are those of src/configs/stage_N.yaml, made of tensors without memory: FLOPs of
forward and backward, bytes autograd keeps for backward (attention by a fused kernel), bytes of weights,
gradients and optimiser state. Steps per second are what a GPU would reach at `--share` of its stated peak.
"""

import argparse
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results import made_by, paragraph, table, write_section
from talkvid.config import load_config
from talkvid.model.bundle import build_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.checkpoints import NETWORKS
from talkvid.model.unet_config import UNetConfig
from talkvid.training.config import TrainConfig
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.stages import choose_trainable

CONFIGS = Path(__file__).resolve().parent.parent / "src" / "configs"
PEAKS = {"RTX 4090": 165e12, "A100": 312e12, "H100": 989e12}
"""Dense fp16 or bf16 FLOP/s with fp32 accumulation, as the makers state them."""
SPEECH_DIM = 768
SD_VAE: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
GIB = 2**30
ABOUT = paragraph(
    "The networks of Stable Diffusion 1.5's size at 512 x 512 px with the batch of each stage, in half",
    "precision.",
    "FLOPs are those of matrix products, convolutions and attention, forward and backward; `kept` is what",
    "autograd keeps for backward; weights are weights, gradients, master weights and AdamW's moments",
    "under ZeRO-2 (8-bit moments in stages 1 and 2, as the stage files say). `recomputing` is",
    "`run.gradient_checkpointing=true`, which adds about a third of the FLOPs; `offloaded` is",
    "`run.offload=optimizer`. Buffers of the kernels and of communication are not counted.",
)


@dataclass(frozen=True)
class Cost:
    """One optimiser step on one GPU."""

    step_flops: float
    encode_flops: float
    kept_bytes: int
    """Kept for backward when nothing is recomputed."""
    kept_recomputing: int
    """Kept with gradient checkpointing: inputs of layers, and the inside of the largest one."""
    trained: int
    total: int


class Stage:
    """The networks and the inputs of one stage in half precision; on `meta`, or inside a FakeTensorMode."""

    def __init__(self, number: int, *, device: str) -> None:
        self.config = load_config(TrainConfig, CONFIGS / f"stage_{number}.yaml")
        data = self.config.data
        published = BundleConfig.published(UNetConfig(), speech_dim=SPEECH_DIM)
        modules = {**published.modules, "vae": ModuleSpec("autoencoder_kl", SD_VAE)}
        side = (data.height // 8, data.width // 8)
        images = data.train_bs * (data.num_frames + 1)
        torch.set_default_dtype(torch.half)
        with torch.device(device):
            bundle = build_bundle(replace(published, modules=modules), source="the published sizes")
            self.vae = bundle.vae
            self.network = TalkingHeadNetworks(**{name: bundle.modules[name] for name in NETWORKS})  # type: ignore[arg-type]
            self.latents = torch.empty(data.train_bs, 4, data.num_frames, *side)
            self.timesteps = torch.zeros(data.train_bs, dtype=torch.long)
            self.kps = torch.empty(data.train_bs, 3, data.num_frames, data.height, data.width)
            self.audio = torch.empty(data.train_bs, data.num_frames, 10, SPEECH_DIM)
            self.images = torch.empty(images, 3, data.height, data.width)
        torch.set_default_dtype(torch.float)
        choose_trainable(self.network.networks(), number, recipe=self.config.run.recipe)
        # What `enter_stage` finds by looking at values, which there are none of here.
        self.network.denoising_unet.set_skips_motion(number == 1)
        self.network.hears = number != 1
        self.network.train()

    def step(self) -> None:
        """Run forward and backward of a step that sees all its conditions."""
        prediction = self.network(
            self.latents,
            self.timesteps,
            reference_latents=self.latents[:, :, 0],
            kps_images=self.kps,
            audio_windows=self.audio,
        )
        prediction.float().square().mean().backward()

    def encode(self) -> None:
        """Encode the pictures of a step."""
        with torch.no_grad():
            self.vae.moments(self.images)  # type: ignore[operator]


def count(number: int) -> Cost:
    """Return what one step of a stage costs."""
    stage = Stage(number, device="meta")
    flops = []
    for work in (stage.step, stage.encode):
        with FlopCounterMode(display=False) as counter:
            work()
        flops.append(float(counter.get_total_flops()))
    parameters = list(stage.network.parameters())
    with FakeTensorMode():  # chooses the fused attention kernel, as a GPU would
        kept, recomputing = kept_bytes(Stage(number, device="cpu"))
    return Cost(
        step_flops=flops[0],
        encode_flops=flops[1],
        kept_bytes=kept,
        kept_recomputing=recomputing,
        trained=sum(entry.numel() for entry in parameters if entry.requires_grad),
        total=sum(entry.numel() for entry in parameters),
    )


def kept_bytes(stage: Stage) -> tuple[int, int]:
    """Return the bytes autograd keeps for a step, weights excepted: plain, and with layers recomputed."""
    found: dict[int, int] = {}
    alive: list[Tensor] = []
    marks: list[int] = []
    inputs: dict[int, int] = {}

    def note(tensor: Tensor, into: dict[int, int]) -> Tensor:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, nn.Parameter) and storage._cdata not in into:
            into[storage._cdata] = storage.nbytes()
            alive.append(tensor)  # an address must not be used twice
        return tensor

    def enter_layer(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        marks.append(sum(found.values()))
        note(arguments[0], inputs)

    for name, module in stage.network.named_modules():
        if re.search(r"\.resnets\.\d+$", name):
            module.register_forward_pre_hook(enter_layer)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: note(tensor, found), lambda tensor: tensor):
        stage.step()
    total = sum(found.values())
    layers = [after - before for before, after in pairwise([*marks, total])]
    return total, sum(inputs.values()) + marks[0] + max(layers)


def weight_bytes(cost: Cost, *, gpus: int, eight_bit: bool, offload: bool) -> float:
    """Return the bytes on each GPU of weights, gradients and optimiser under ZeRO-2 in half precision.

    Weights 2 bytes each; gradients 2, master weights 4 and two moments (8, or 2 in 8 bits) of what is
    trained, divided over the GPUs (arXiv 1910.02054); offloading moves masters and moments to the machine.
    """
    state = 0 if offload else 4 + (2 if eight_bit else 8)
    return 2 * cost.total + (2 + state) * cost.trained / gpus


def section(gpus: list[int], share: float) -> str:
    """Return the tables: what a step of each stage costs, and the steps per second that would make."""
    shown, rates = [], []
    for number in (1, 2, 3):
        cost = count(number)
        config = load_config(TrainConfig, CONFIGS / f"stage_{number}.yaml")
        data, eight_bit = config.data, config.optimizer.name == "adamw_8bit"
        held = [
            " / ".join(
                f"{weight_bytes(cost, gpus=count, eight_bit=eight_bit, offload=offload) / GIB:.1f}"
                for count in gpus
            )
            for offload in (False, True)
        ]
        shown.append((
            f"{number}", f"{data.train_bs} x {data.num_frames}", f"{cost.trained / 1e6:.1f} M",
            f"{cost.step_flops / 1e12:.2f}", f"{cost.encode_flops / 1e12:.2f}",
            f"{cost.kept_bytes / GIB:.1f} GiB", f"{cost.kept_recomputing / GIB:.1f} GiB",
            *(f"{each} GiB" for each in held),
        ))  # fmt: skip
        speeds = [
            " / ".join(
                f"{share * peak / flops:.2f}"
                for flops in (cost.step_flops + cost.encode_flops, cost.step_flops)
            )
            for peak in PEAKS.values()
        ]
        rates.append((f"{number}", *speeds))
    told = " / ".join(map(str, gpus))
    heads = ("stage", "frames", "trains", "TFLOP per step", "encoding", "kept", "kept, recomputing",
             f"weights on {told} GPUs", "offloaded")  # fmt: skip
    cards = [f"{name} ({peak / 1e12:.0f})" for name, peak in PEAKS.items()]
    return "\n\n".join((
        "## A training step by arithmetic", made_by("python -m benchmarks.train_arithmetic"), ABOUT,
        table(heads, shown),
        paragraph(
            f"Steps per second if {100 * share:.0f} % of a GPU's stated dense half-precision peak (TFLOP/s)",
            "were reached, encoding each step / with cached latents: to hold a measurement against.",
        ),
        table(("stage", *cards), rates),
    ))  # fmt: skip


def main() -> None:
    """Print the tables and write them into RESULTS.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--share", type=float, default=0.4, help="share of the stated peak (0.4)")
    parser.add_argument("--print_only", action="store_true", help="leave RESULTS.md as it is")
    args = parser.parse_args()
    text = section(args.gpus, args.share)
    print(text)
    if not args.print_only:
        write_section(text, "train_arithmetic")


if __name__ == "__main__":
    main()
