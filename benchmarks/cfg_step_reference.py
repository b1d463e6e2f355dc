"""Child of cfg_step.py: one guided step of the original nets for every line read, CPU seconds written.

    python cfg_step_reference.py CHECKOUT/src tiny|sd15 PIXELS FRAMES < lines

Runs under the original's own dependencies and imports nothing of talkvid; the nets come from the checkout.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "block_out_channels": [32, 32, 64, 64],
        "layers_per_block": 1,
        "attention_head_dim": 4,
        "cross_attention_dim": 64,
        "norm_num_groups": 8,
    },
    "sd15": {
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
        "norm_num_groups": 32,
    },
}
MOTION = {
    "use_inflated_groupnorm": True,
    "unet_use_cross_frame_attention": False,
    "unet_use_temporal_attention": False,
    "use_motion_module": True,
    "motion_module_resolutions": [1, 2, 4, 8],
    "motion_module_mid_block": True,
    "motion_module_decoder_only": False,
    "motion_module_type": "Vanilla",
    "motion_module_kwargs": {
        "num_attention_heads": 8,
        "num_transformer_block": 1,
        "attention_block_types": ["Temporal_Self", "Temporal_Self"],
        "temporal_position_encoding": True,
        "temporal_position_encoding_max_len": 32,
        "temporal_attention_dim_div": 1,
    },
}


def build(source: str, size: str) -> tuple[Any, Any]:
    """Return the denoiser and the class that gives it a reference, from the checkout."""
    sys.path.insert(0, source)
    from modules import ReferenceAttentionControl, UNet3DConditionModel

    config = {
        "act_fn": "silu",
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
        "in_channels": 4,
        "out_channels": 4,
        "norm_eps": 1e-5,
        "sample_size": 32,
        **SIZES[size],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        net = UNet3DConditionModel.from_config_2d(str(path), unet_additional_kwargs=MOTION)
    return net.eval().requires_grad_(False), ReferenceAttentionControl


def main() -> None:
    """Answer each line with the CPU seconds of one step."""
    source, size, pixels, frames = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net, control = build(source, size)
    for parameter in net.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    control(net, mode="read", do_classifier_free_guidance=True, batch_size=1, fusion_blocks="full")
    side, width = pixels // 8, SIZES[size]["block_out_channels"][0]
    latents = torch.randn(1, 4, frames, side, side).repeat(2, 1, 1, 1, 1)
    kps = torch.randn(2, width, frames, side, side)
    tokens = torch.randn(2 * frames, 5, SIZES[size]["cross_attention_dim"])
    kps[0], tokens[:frames] = 0, 0
    blocks = {name: module for name, module in net.named_modules() if hasattr(module, "bank")}
    levels = len(SIZES[size]["block_out_channels"])
    for name, block in blocks.items():
        part, index = name.split(".")[:2]
        level = {"down_blocks": lambda i: int(i), "up_blocks": lambda i: levels - 1 - int(i)}.get(
            part, lambda i: levels - 1
        )(index)
        feature = torch.randn(1, (side >> level) ** 2, block.norm1.normalized_shape[0])
        block.bank = [torch.cat([torch.zeros_like(feature), feature])]
    for _ in sys.stdin:
        start = time.process_time()
        with torch.no_grad():
            net(latents, 500, encoder_hidden_states=tokens, kps_features=kps, return_dict=False)
        print(f"{time.process_time() - start:.6f}", flush=True)


if __name__ == "__main__":
    main()
