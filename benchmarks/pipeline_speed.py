"""What a video of tiny networks costs: our pipeline against the original one, CPU seconds on one thread.

    python -m benchmarks.pipeline_speed --reference CHECKOUT/src --reference_python VENV/bin/python

Random weights of the sizes in tests/data/parity/configs.json, fp32; speech features, key-point pictures,
reference, denoising with guidance in windows of 24 frames and decoding; no face detection, no file. The
original runs in a child process that takes its turn in the same alternation, after one warm-up round. It
is given the key-point pictures; ours draws them in the time counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from talkvid.face.keypoints import draw_vkps
from talkvid.inference.device import Placement, keep_freed_memory, use_huge_pages
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.inference.timing import Timings
from talkvid.model.bundle import build_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.records import Array
from talkvid.speech.features import TransformersEncoder

CONFIGS = Path(__file__).parents[1] / "tests" / "data" / "parity" / "configs.json"
WINDOW, OVERLAP = 24, 4
SAMPLE_RATE = 16000


def points_of(frames: int, pixels: int, *, moving: bool) -> Array:
    """Return the key points (F 3 2): a face that stands still, as by default, or one that drifts."""
    still = np.array([[0.38, 0.42], [0.62, 0.42], [0.5, 0.57]]) * pixels
    drift = np.linspace(0, pixels / 10 if moving else 0, frames)
    return np.asarray(still + drift[:, None, None])


class Ours:
    """Our pipeline around tiny random networks."""

    def __init__(self, configs: dict[str, Any], given: dict[str, Any], *, compiles: bool) -> None:
        guider = configs["v_kps_guider"]
        modules = {
            "reference_net": ModuleSpec("reference_net", configs["reference_net"]),
            "denoising_unet": ModuleSpec("denoising_unet", configs["denoising_unet"]),
            "v_kps_guider": ModuleSpec(
                "v_kps_guider",
                {
                    "out_channels": guider["conditioning_embedding_channels"],
                    "block_channels": guider["block_out_channels"],
                },
            ),
            "audio_projection": ModuleSpec("audio_projection", configs["audio_projection"]),
            "vae": ModuleSpec("autoencoder_kl", configs["vae"]),
        }
        self.bundle = build_bundle(BundleConfig(name="tiny", modules=modules))
        for module in self.bundle.modules.values():
            module.eval().requires_grad_(False)
        self.placement = Placement(torch.device("cpu"), torch.float32, compiles=compiles)
        self.given, self.timings = given, Timings()
        self.encoder = self._encoder(configs)
        self.settings = resolve(
            GenerateSettings(
                num_inference_steps=given["steps"],
                context_frames=WINDOW,
                context_overlap=OVERLAP,
                image_width=given["pixels"],
                image_height=given["pixels"],
            ),
            self.bundle.config,
        )

    def _encoder(self, configs: dict[str, Any]) -> TransformersEncoder:
        from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

        with tempfile.TemporaryDirectory() as folder:
            Wav2Vec2Model(Wav2Vec2Config(**configs["audio_encoder"])).save_pretrained(folder)
            Wav2Vec2FeatureExtractor(**configs["audio_processor"]).save_pretrained(folder)
            return TransformersEncoder(folder)

    def seconds(self) -> float:
        """Return the CPU seconds of one video."""
        pixels, frames = self.given["pixels"], self.given["frames"]
        portrait = np.random.default_rng(0).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8)
        sound = np.random.default_rng(1).normal(size=self.given["samples"]).astype(np.float32)
        start = time.process_time()
        with torch.no_grad():
            scene = Scene(portrait, self.encoder.encode(sound), np.asarray(self.given["points"]))
            pipeline = Pipeline(self.bundle, self.placement)
            count = sum(1 for _ in pipeline.frames(scene, self.settings, self.timings))
        assert count == frames
        return time.process_time() - start


class Theirs:
    """The original pipeline in a child process."""

    def __init__(self, python: str, source: Path, given: dict[str, Any]) -> None:
        script = Path(__file__).with_name("pipeline_speed_reference.py")
        command = [python, str(script), str(source), str(CONFIGS), json.dumps(given)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self) -> float:
        """Return the CPU seconds of one video there."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write("video\n")
        self.child.stdin.flush()
        for line in self.child.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise RuntimeError(f"the reference process ended with code {self.child.wait()}")

    def close(self) -> None:
        """End the child."""
        self.child.communicate()


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pixels", type=int, default=128, help="side of the picture")
    parser.add_argument("--frames", type=int, default=44, help="frames; the original takes 24 + 20 N")
    parser.add_argument("--steps", type=int, default=5, help="denoising steps")
    parser.add_argument("--rounds", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--moving", action="store_true", help="key points that move (they stand still)")
    parser.add_argument("--compile", action="store_true", help="have torch compile our networks")
    parser.add_argument("--reference", type=Path, help="source folder of a checkout of the original")
    parser.add_argument("--reference_python", default=sys.executable, help="Python with its dependencies")
    arguments = parser.parse_args()
    given = {
        "pixels": arguments.pixels,
        "frames": arguments.frames,
        "steps": arguments.steps,
        "window": WINDOW,
        "overlap": OVERLAP,
        "samples": SAMPLE_RATE * arguments.frames // 30,
        "points": points_of(arguments.frames, arguments.pixels, moving=arguments.moving).tolist(),
    }
    theirs = None
    folder = tempfile.TemporaryDirectory()
    if arguments.reference is not None:  # before our wishes to the allocator, which are not the child's
        size = arguments.pixels
        given["pictures"] = str(Path(folder.name) / "pictures.npy")
        np.save(given["pictures"], [draw_vkps(np.asarray(points), size, size) for points in given["points"]])
        theirs = Theirs(arguments.reference_python, arguments.reference, given)
    use_huge_pages()
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours = Ours(json.loads(CONFIGS.read_text()), given, compiles=arguments.compile)
    runs = {"ours": ours.seconds} | ({"reference": theirs.seconds} if theirs else {})
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(arguments.rounds + 1):
        for name, run in runs.items():
            seconds = run()
            if number:
                taken[name].append(seconds)
    if theirs is not None:
        theirs.close()
    folder.cleanup()
    print(f"tiny, {arguments.pixels} px, {arguments.frames} frames, {arguments.steps} steps, fp32, 1 thread")
    for name, all_seconds in taken.items():
        middle = statistics.median(all_seconds)
        ratio = statistics.median(taken["ours"]) / middle
        spread = f"{min(all_seconds):.2f}-{max(all_seconds):.2f}"
        print(f"{name:>10}: {middle:8.2f} CPU s ({spread}), ours / {name} = {ratio:.3f}")
    print("ours by part, wall seconds of all rounds:", ours.timings.rounded())


if __name__ == "__main__":
    main()
