"""What does the latent cache save? CPU seconds of reading and encoding one batch, with and without it.

The two kinds alternate in one process on one thread; everything behind the latents costs the same and is left
out. Clips are drawn, the autoencoder has random weights: `tiny` is that of the tests, `sd` has the sizes of
Stable Diffusion 1.5's.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import torch
from drawn_clips import draw_clips

from talkvid.dataset.batch import SampleKey, collate
from talkvid.dataset.index import find_clips
from talkvid.dataset.latent_cache import LatentCache, fingerprint
from talkvid.dataset.latent_fill import fill_cache
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings
from talkvid.model.vae import DiffusersVae
from talkvid.training.config import LossConfig
from talkvid.training.randomness import StepRandom
from talkvid.training.step import encode_and_draw

CHANNELS = {"tiny": ([4, 4, 8, 8], 1, 4), "sd": ([128, 256, 512, 512], 2, 32)}
"""Name to channels, layers per block, groups of the normalisation."""
BYTES_PER_MIB = 2**20


def autoencoder(name: str) -> DiffusersVae:
    """Return an AutoencoderKL of a size."""
    channels, layers, groups = CHANNELS[name]
    config: dict[str, Any] = {
        "block_out_channels": channels,
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": layers,
        "latent_channels": 4,
        "norm_num_groups": groups,
    }
    torch.manual_seed(0)
    return DiffusersVae(config).eval().requires_grad_(False)


def step_seconds(dataset: TalkingFaceDataset, vae: DiffusersVae, number: int) -> tuple[float, float]:
    """Return CPU seconds of reading one sample, and of coming to its latents and noise."""
    started = time.process_time()
    batch = collate([dataset[SampleKey(number, 0)]])
    read = time.process_time()
    random = StepRandom.of(0, step=number)
    encode_and_draw(vae, batch, loss=LossConfig(), num_timesteps=1000, num_blocks=1, random=random)
    return read - started, time.process_time() - read


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--autoencoder", choices=CHANNELS, default="tiny")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    vae = autoencoder(args.autoencoder)
    settings = WindowSettings(num_frames=8, width=args.size, height=args.size)
    with tempfile.TemporaryDirectory() as folder:
        listed = draw_clips(Path(folder), count=1, num_frames=48, size=args.size, speech_dim=768)
        clips = find_clips([listed], at_least=settings.least_frames)
        cache = LatentCache(
            Path(folder) / "latents", args.size, args.size, autoencoder=fingerprint(vae), mirrored=True
        )
        started = time.process_time()
        assert not fill_cache(cache, clips, vae.moments)
        filling = (time.process_time() - started) / clips[0].num_frames
        mib = cache.path_of(clips[0]).stat().st_size / clips[0].num_frames / BYTES_PER_MIB
        plain = TalkingFaceDataset(clips, settings)
        kinds = {"without": plain, "with": TalkingFaceDataset(clips, settings, latents=cache)}
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
        for number in range(args.rounds + 1):
            for name, dataset in kinds.items():
                measured = step_seconds(dataset, vae, number)
                if number:
                    seconds[name].append(measured)
    print(f"{args.autoencoder} autoencoder, 8 + 1 frames of {args.size} px; filling: "
          f"{1000 * filling:.1f} CPU ms and {mib:.3f} MiB per frame, mirrored ones included")  # fmt: skip
    print("cache        read ms   to latents ms     total ms")
    for name, pairs in seconds.items():
        read, encode = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:8} {read:11.1f} {encode:15.1f} {read + encode:12.1f}")


if __name__ == "__main__":
    main()
