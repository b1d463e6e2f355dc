"""Child of pipeline_speed.py: one video by the original pipeline for every line read, CPU seconds written.

    python pipeline_speed_reference.py CHECKOUT/src CONFIGS.json '{"pixels": 128, ...}' < lines

Runs under the original's own dependencies, imports nothing of talkvid; nets and pipeline come from there.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch


def unet(kind: Any, config: dict[str, Any], **more: Any) -> Any:
    """Return a U-Net of the checkout from the values of its config.json."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        build = kind.from_config_2d if more else kind.from_config
        return build(str(path), **more) if more else build(config)


def build(source: str, configs: dict[str, Any]) -> Any:
    """Return the checkout's pipeline around tiny random networks."""
    sys.path.insert(0, source)
    from diffusers import AutoencoderKL, DDIMScheduler
    from modules import AudioProjection, UNet2DConditionModel, UNet3DConditionModel, VKpsGuider
    from pipelines import VExpressPipeline
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    guider = configs["v_kps_guider"]
    return VExpressPipeline(
        vae=AutoencoderKL(**configs["vae"]),
        reference_net=unet(UNet2DConditionModel, configs["reference_net"]),
        denoising_unet=unet(
            UNet3DConditionModel,
            configs["denoising_unet"],
            unet_additional_kwargs=configs["denoising_unet_additional"],
        ),
        v_kps_guider=VKpsGuider(
            guider["conditioning_embedding_channels"], block_out_channels=tuple(guider["block_out_channels"])
        ),
        audio_processor=Wav2Vec2FeatureExtractor(**configs["audio_processor"]),
        audio_encoder=Wav2Vec2Model(Wav2Vec2Config(**configs["audio_encoder"])).eval(),
        audio_projection=AudioProjection(**configs["audio_projection"]),
        scheduler=DDIMScheduler(**configs["scheduler"]),
    )


def main() -> None:
    """Answer each line with the CPU seconds of one video."""
    from PIL import Image

    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = json.loads(sys.argv[3])
    pipeline = build(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
    pixels, frames = given["pixels"], given["frames"]
    portrait = Image.fromarray(np.random.default_rng(0).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8))
    sound = torch.from_numpy(np.random.default_rng(1).normal(size=given["samples"]).astype(np.float32))
    for _ in sys.stdin:
        start = time.process_time()
        drawn = [Image.fromarray(picture) for picture in np.load(given["pictures"])]
        video = pipeline(
            reference_image=portrait,
            kps_images=drawn,
            audio_waveform=sound,
            width=pixels,
            height=pixels,
            video_length=frames,
            num_inference_steps=given["steps"],
            guidance_scale=3.5,
            context_frames=given["window"],
            context_overlap=given["overlap"],
            reference_attention_weight=0.95,
            audio_attention_weight=3.0,
            generator=torch.manual_seed(42),
        )
        assert video.shape[2] == frames
        print(f"seconds {time.process_time() - start:.6f}", flush=True)


if __name__ == "__main__":
    main()
