"""How soon does the first frame of a long video come? CPU seconds until it, against those of all frames.

    python benchmarks/first_frame.py [--seconds 60] [--model embedded full-class] [--steps 6] [--size 64]

`generate_stream` in this process, speech of the sample repeated; full-class is a small model of the
production kind (reference net, key points, audio and motion modules, windows of 24 with 4 in common,
guidance) with random weights. Nothing is encoded. The bar: the first frame within 10 % of the time of all.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from talkvid import TalkVidInference
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.long_speech import SAMPLE, repeated  # noqa: E402

BAR = 0.10
UNET = {
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
    "motion": {"num_heads": 2, "norm_groups": 4, "max_frames": 24},
}
AUTOENCODER = {
    "encoder_channels": [4, 4, 8],
    "decoder_channels": [4, 4, 8],
    "encoder_blocks": 1,
    "decoder_blocks": 1,
}
AUDIO = {"dim": 16, "depth": 1, "dim_head": 8, "heads": 2, "embedding_dim": 80, "output_dim": 16}
FULL_CLASS = BundleConfig(
    name="full-class",
    fps=25.0,
    latent_channels=8,
    speech_encoder="log-mel",
    modules={
        "reference_net": ModuleSpec("reference_net", UNET),
        "denoising_unet": ModuleSpec("denoising_unet", UNET),
        "v_kps_guider": ModuleSpec("v_kps_guider", {"out_channels": 8, "block_channels": [4, 4, 4, 4]}),
        "audio_projection": ModuleSpec("audio_projection", AUDIO),
        "vae": ModuleSpec("small_autoencoder", AUTOENCODER),
    },
)


def measure(model: TalkVidInference, speech: Path, size: int, steps: int | None) -> tuple[int, float, float]:
    """Return how many frames there were, and the CPU seconds until the first and until the last."""
    begin, first, count = time.process_time(), 0.0, 0
    given = {} if steps is None else {"num_inference_steps": steps}
    sides = {"image_width": size, "image_height": size}
    for _ in model.generate_stream(SAMPLE / "ref.png", speech, **sides, **given):
        first = first or time.process_time() - begin
        count += 1
    return count, first, time.process_time() - begin


def main() -> None:
    """Print a row per model; exit code 1 when the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--model", nargs="+", choices=("embedded", "full-class"), default=["full-class", "embedded"]
    )
    parser.add_argument(
        "--steps", type=int, default=6, help="of the full-class model; the embedded one has 1"
    )
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    print("| model | steps | frames | first frame, CPU s | all, CPU s | share |\n|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
        speech = repeated(SAMPLE / "aud.wav", arguments.seconds, Path(folder) / "speech.wav")
        torch.manual_seed(0)
        save_bundle(build_bundle(FULL_CLASS), Path(folder) / "full-class")
        for name in arguments.model:
            own = None if name == "embedded" else Path(folder) / name
            steps = None if name == "embedded" else arguments.steps
            model = TalkVidInference(own, device="cpu")
            count, first, every = measure(model, speech, arguments.size, steps)
            worst = max(worst, first / every)
            print(
                f"| {name} | {steps or 1} | {count} | {first:.1f} | {every:.1f} | {first / every:.1%} |",
                flush=True,
            )
    sys.exit(worst > BAR)


if __name__ == "__main__":
    main()
