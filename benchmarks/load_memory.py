"""What loading weights costs in memory: a denoiser of Stable Diffusion 1.5's size, half precision, random.

    python benchmarks/load_memory.py

Prints by how much `load_bundle` makes a process grow: private memory, and touched pages of the mapped file.
The file is mapped: tensors are read when a network first works, or when they go to a GPU, one after
the other. The second row has the weights converted to float32, which needs memory of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from talkvid.model.autoencoder import SmallAutoencoder
from talkvid.model.bundle import load_bundle
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig, ModuleSpec
from talkvid.model.registry import build_module
from talkvid.model.unet_config import UNetConfig
from talkvid.model.weights import save_weights

VAE = {"latent_channels": 4}


def resident() -> dict[str, float]:
    """Return MiB of this process: private memory and mapped pages."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines if line.startswith(("RssAnon", "RssFile")))
    return {name: int(value.split()[0]) / 1024 for name, value in values.items()}


def write_checkpoint(folder: Path) -> float:
    """Write a checkpoint of ours with that denoiser and a small autoencoder; return its MiB."""
    modules = BundleConfig.published(UNetConfig()).modules
    chosen = {
        "denoising_unet": modules["denoising_unet"],
        "vae": ModuleSpec("small_autoencoder", VAE),
    }
    with torch.device("meta"):
        network = build_module("denoising_unet", chosen["denoising_unet"])
    state = {name: torch.randn(tensor.shape).half() for name, tensor in network.state_dict().items()}
    save_file(state, folder / "denoising_unet.safetensors")
    save_weights(build_module("vae", chosen["vae"]), folder / "vae.safetensors")
    assert isinstance(build_module("vae", chosen["vae"]), SmallAutoencoder)
    BundleConfig(name="sd15", modules=chosen).to_file(folder / CONFIG_FILE)
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**20


def main() -> None:
    """Write the checkpoint and load it in a process for each precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dtype", default="float16", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load is None:
        with tempfile.TemporaryDirectory() as folder:
            print(f"checkpoint {write_checkpoint(Path(folder)):.0f} MiB", flush=True)
            for dtype in ("float16", "float32"):
                command = [sys.executable, __file__, "--load", folder, "--dtype", dtype]
                subprocess.run(command, check=True)
        return
    before, start = resident(), time.process_time()
    bundle = load_bundle(arguments.load, dtype=getattr(torch, arguments.dtype))
    seconds, after = time.process_time() - start, resident()
    count = sum(parameter.numel() for parameter in bundle.denoising_unet.parameters()) / 1e6
    grown = {name: after[name] - before[name] for name in after}
    print(
        f"{arguments.dtype}: {count:.0f} M parameters, private memory + {grown['RssAnon']:.0f} MiB, "
        f"mapped pages + {grown['RssFile']:.0f} MiB, {seconds:.1f} CPU s"
    )


if __name__ == "__main__":
    main()
