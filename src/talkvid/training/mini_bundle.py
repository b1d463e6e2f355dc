"""Puts the trained parts of the embedded model together as one checkpoint folder in half precision."""

import argparse
import logging
from pathlib import Path

import torch
from safetensors.torch import load_file

from talkvid import log
from talkvid.config import load_config
from talkvid.model.bundle import ModelBundle, build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.training.mini_autoencoder import AutoencoderTraining
from talkvid.training.mini_clips import FPS
from talkvid.training.mini_generator import GeneratorTraining
from talkvid.training.mini_lips import LipTraining
from talkvid.training.mini_motion import MotionTraining

logger = logging.getLogger("talkvid.training.mini_bundle")

NAME = "talkvid-mini"
# Where the training programs leave each network below their folder.
FILES = {
    "vae": "autoencoder/autoencoder.safetensors",
    "lip_predictor": "lip_predictor/lip_predictor.safetensors",
    "head_motion": "head_motion/head_motion.safetensors",
    "reference_net": "generator/reference_net.safetensors",
    "denoising_unet": "generator/denoising_unet.safetensors",
    "v_kps_guider": "generator/v_kps_guider.safetensors",
    "audio_projection": "generator/audio_projection.safetensors",
}


def bundle_config(
    pictures: AutoencoderTraining, lips: LipTraining, motion: MotionTraining, generator: GeneratorTraining
) -> BundleConfig:
    """Return the checkpoint's config for networks of these trainings."""
    model = generator.model
    unet = model.unet().to_dict()
    return BundleConfig(
        name=NAME,
        description="Speech moves the portrait's lips by a warp, and a small network paints the mouth.",
        license="CC-BY-NC-4.0",
        commercial_use=False,
        fps=FPS,
        width=512,
        height=512,
        latent_channels=model.latent_channels,
        num_pad_audio_frames=model.num_pad_audio_frames,
        speech_encoder="log-mel",
        num_inference_steps=1,
        guidance_scale=1.0,
        context_frames=8,
        context_overlap=0,
        reference_attention_weight=1.0,
        audio_attention_weight=1.0,
        prediction_type="residual",
        condition="warped_portrait",
        kps_drawing="lips",
        modules={
            "vae": ModuleSpec("small_autoencoder", _plain(pictures.model)),
            "lip_predictor": ModuleSpec("lip_predictor", _plain(lips.model)),
            "head_motion": ModuleSpec("head_motion", _plain(motion.model)),
            "reference_net": ModuleSpec("reference_net", unet),
            "denoising_unet": ModuleSpec("denoising_unet", unet),
            "v_kps_guider": ModuleSpec(
                "v_kps_guider",
                {"out_channels": model.channels[0], "block_channels": list(model.guider_channels)},
            ),
            "audio_projection": ModuleSpec("audio_projection", model.audio()),
        },
        extra={"mouth_stage": True, "head_motion": "natural", "blink": True},
    )


def assemble(config: BundleConfig, runs: Path, *, allow_untrained: bool = False) -> ModelBundle:
    """Return the bundle with the weights left below `runs`; FileNotFoundError for a missing one."""
    torch.manual_seed(0)
    bundle = build_bundle(config, source=str(runs))
    for name, file in FILES.items():
        if (runs / file).is_file():
            bundle.modules[name].load_state_dict(load_file(runs / file))
        elif not allow_untrained:
            raise FileNotFoundError(
                f"{runs / file}: no such file; train {name} first (scripts/train_mini.sh)"
            )
    return bundle


def _plain(config: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(config)  # type: ignore[call-overload, no-any-return]


def main() -> None:
    """Assemble from the command line."""
    parser = argparse.ArgumentParser(description="Put the parts of talkvid-mini together.")
    parser.add_argument("--configs", type=Path, default=Path("src/configs/mini"))
    parser.add_argument("--runs", type=Path, default=Path("exp/talkvid-mini"))
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--allow_untrained", action="store_true", help="missing parts keep random weights")
    arguments = parser.parse_args()
    log.configure()
    config = bundle_config(
        load_config(AutoencoderTraining, arguments.configs / "autoencoder.yaml"),
        load_config(LipTraining, arguments.configs / "lip_predictor.yaml"),
        load_config(MotionTraining, arguments.configs / "head_motion.yaml"),
        load_config(GeneratorTraining, arguments.configs / "generator.yaml"),
    )
    bundle = assemble(config, arguments.runs, allow_untrained=arguments.allow_untrained)
    save_bundle(bundle, arguments.out, dtype=torch.float16)
    size = sum(path.stat().st_size for path in arguments.out.glob("*.safetensors"))
    logger.info("%s: %.1f MB", arguments.out, size / 1e6)


if __name__ == "__main__":
    main()
