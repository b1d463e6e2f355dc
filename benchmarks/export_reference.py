"""Do the five exported files load in the original program's own classes, and compute the same there?

    python benchmarks/export_reference.py --reference CHECKOUT/src --reference_python PYTHON [--checkpoint X]

Exports a checkpoint (a small random one by default) by `talkvid models export --layout v-express`, lets the
original's nets load the files strictly in a process of its own, and compares each net's output. The original
builds its U-Nets from the unet_config.json of the export; four levels are all it knows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from talkvid.cli.main import main as talkvid
from talkvid.model.bundle import ModelBundle, build_bundle, load_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.unet_config import UNetConfig

CHILD = Path(__file__).with_name("export_reference_child.py")
BAR = 2e-5  # the original against its own stored numbers reaches 3e-6 with another number of threads
FRAMES = 5


def small_checkpoint(folder: Path) -> None:
    """Write a random model whose guider and audio projection have the sizes the original expects."""
    unet = UNetConfig(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=64,
        norm_num_groups=8,
    )
    vae = {
        "block_out_channels": [8, 8, 16, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
    }
    config = BundleConfig.published(unet, name="small", speech_encoder="log-mel")
    modules = {**config.modules, "vae": ModuleSpec("autoencoder_kl", vae)}
    torch.manual_seed(0)
    bundle = build_bundle(BundleConfig(**{**asdict(config), "modules": modules}))
    with torch.no_grad():
        for module in bundle.modules.values():
            for parameter in module.parameters():
                if not parameter.any():  # what starts at zero would hide a difference behind it
                    parameter.normal_(std=0.02)
    save_bundle(bundle, folder)


def inputs(bundle: ModelBundle) -> dict[str, Tensor]:
    """Return random arguments of the four nets."""
    generator = torch.Generator().manual_seed(1)
    width = bundle.denoising_unet.config.block_out_channels[0]
    tokens = bundle.denoising_unet.config.cross_attention_dim
    audio = bundle.config.modules["audio_projection"].config
    shapes = {
        "latents": (1, bundle.config.latent_channels, FRAMES, 8, 16),
        "kps_features": (1, width, FRAMES, 8, 16),
        "audio_tokens": (1, FRAMES, 5, tokens),
        "text_tokens": (1, 3, tokens),
        "windows": (FRAMES, audio["max_seq_len"], audio["embedding_dim"]),
        "kps_images": (1, 3, 3, 64, 96),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}  # type: ignore[arg-type]


@torch.no_grad()
def ours(bundle: ModelBundle, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what our nets make of the arguments."""
    reference_net, guider, projection = bundle.reference_net, bundle.v_kps_guider, bundle.audio_projection
    assert reference_net is not None and guider is not None and projection is not None
    return {
        "v_kps_guider": guider(given["kps_images"]),
        "audio_projection": projection(given["windows"]),
        "reference_net": reference_net(
            given["latents"][:, :, 0], torch.tensor([500]), encoder_tokens=given["text_tokens"]
        ),
        "denoising_unet": bundle.denoising_unet(
            given["latents"],
            torch.tensor([123]),
            audio_tokens=given["audio_tokens"],
            kps_features=given["kps_features"],
            reference="self",
        ),
    }


def main() -> None:
    """Print a row per net."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True, help="src folder of the original's checkout")
    parser.add_argument("--reference_python", required=True, help="Python that has the original's packages")
    parser.add_argument("--checkpoint", help="what to export (a small random model)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        checkpoint = args.checkpoint or str(work / "small")
        if args.checkpoint is None:
            small_checkpoint(work / "small")
        out = work / "release"
        command = [
            "models",
            "export",
            "--checkpoint",
            checkpoint,
            "--output",
            str(out),
            "--layout",
            "v-express",
        ]
        if talkvid(command):
            sys.exit(1)
        bundle = load_bundle(out)
        given = inputs(bundle)
        torch.save(given, work / "given.pt")
        sizes = {
            name: dict(bundle.config.modules[name].config) for name in ("v_kps_guider", "audio_projection")
        }
        child = [args.reference_python, str(CHILD), str(args.reference), str(out), json.dumps(sizes)]
        subprocess.run([*child, str(work / "given.pt"), str(work / "theirs.pt")], check=True)
        theirs = torch.load(work / "theirs.pt", weights_only=True)
        expected = ours(load_bundle(checkpoint), given)
    worst = 0.0
    print(f"{'net':>18} {'largest value':>14} {'difference':>11}")
    for name, tensor in expected.items():
        difference = float((tensor - theirs[name]).abs().max())
        worst = max(worst, difference)
        print(f"{name:>18} {float(tensor.abs().max()):14.4f} {difference:11.2e}")
    print(f"bar: differences below {BAR:g}")
    sys.exit(0 if worst < BAR else 1)


if __name__ == "__main__":
    main()
