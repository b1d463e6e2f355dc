"""Does the painted mouth flicker, how sharp is it? Eight frames in a row of held-out clips, between the lips.

    python benchmarks/mouth_steadiness.py --media MEDIA --data DATA [--checkpoint_path FOLDER]

The true landmarks steer the warp, so that only the painting differs from the true frames. One row each for
the true frames, these after the autoencoder, the warp alone and the model: mean difference of two
neighbouring frames (of 255), sharpness over the true frames', contrast (deviation of grey, of 1).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from talkvid.model.bundle import ModelBundle, load_bundle
from talkvid.training.mini_autoencoder import sharpness
from talkvid.training.mini_data import load_clips
from talkvid.training.mini_pairs import PairBatch, PairSampler

FRAMES, RUNS_EACH, LEAST_OPEN_PX = 8, 3, 20


def batches(media: Path, data: Path, num_pad: int) -> Iterator[PairBatch]:
    """Yield up to three runs of eight consecutive frames with an open mouth of every held-out clip."""
    sampler = PairSampler(load_clips(media, data, "val"), num_pad=num_pad)
    for clip in sampler.clips:
        usable, found = clip.usable, 0
        for start in range(FRAMES, len(usable) - FRAMES, max(1, len(usable) // 4)):
            run = usable[start : start + FRAMES]
            if found == RUNS_EACH or run[-1] - run[0] != FRAMES - 1:
                continue
            batch = sampler.in_order(clip, np.array(run))
            if float(batch.drawing[0, 1].sum()) >= LEAST_OPEN_PX * FRAMES:
                found += 1
                yield batch


@torch.no_grad()
def painted(bundle: ModelBundle, batch: PairBatch) -> dict[str, Tensor]:
    """Return the pictures (F 3 S S) in [0, 1] of every row of the table."""
    vae, net = bundle.vae, bundle.denoising_unet
    assert bundle.reference_net is not None and bundle.v_kps_guider is not None
    assert bundle.audio_projection is not None
    warped, true = batch.warped[0], batch.target[0]
    base = vae.encode(warped)
    residual = net(
        rearrange(base, "f c h w -> 1 c f h w"),
        torch.zeros(1),
        audio_tokens=bundle.audio_projection(batch.audio),
        kps_features=bundle.v_kps_guider(batch.drawing),
        reference=net.project_reference(bundle.reference_net.features(vae.encode(batch.reference))),
    )[0].transpose(0, 1)
    change = vae.decode(base + residual) - vae.decode(base)
    return {
        "true frames": _unit(true),
        "autoencoder": vae.decode(vae.encode(true)),
        "warp alone": _unit(warped),
        "model": (_unit(warped) + batch.mask[0] * change).clamp(0, 1),
    }


def measures(pictures: Tensor, opening: Tensor) -> tuple[float, float, float]:
    """Return difference of neighbours (of 255), sharpness, contrast (of 1) inside `opening` (F 1 S S)."""
    both = torch.minimum(opening[1:], opening[:-1])
    change = (pictures[1:] - pictures[:-1]).abs().mean(dim=1, keepdim=True)
    grey = pictures.mean(dim=1, keepdim=True)
    mean = (grey * opening).sum() / opening.sum()
    contrast = (((grey - mean).square() * opening).sum() / opening.sum()).sqrt()
    return 255 * float((change * both).sum() / both.sum()), sharpness(pictures, opening), float(contrast)


def _unit(pictures: Tensor) -> Tensor:
    return pictures * 0.5 + 0.5


def main() -> None:
    """Print one row per kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="cache of mini_data")
    parser.add_argument("--checkpoint_path", type=Path, help="default: the embedded model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(arguments.checkpoint_path)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for batch in batches(arguments.media, arguments.data, bundle.config.num_pad_audio_frames):
        opening = batch.drawing[0, 1][:, None]
        for name, pictures in painted(bundle, batch).items():
            found.setdefault(name, []).append(measures(pictures, opening))
    means = {name: np.array(rows).mean(axis=0) for name, rows in found.items()}
    print(f"{len(found['model'])} runs of {FRAMES} frames")
    print("| | difference of neighbours | sharpness, of the true | contrast |\n|---|---|---|---|")
    for name, (change, sharp, contrast) in means.items():
        print(f"| {name} | {change:.1f} | {sharp / means['true frames'][1]:.2f} | {contrast:.3f} |")


if __name__ == "__main__":
    main()
