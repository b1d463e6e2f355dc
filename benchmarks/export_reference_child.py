"""Child of export_reference.py: the original's nets load the five exported files and compute.

    python export_reference_child.py CHECKOUT/src EXPORT SIZES GIVEN.pt RESULT.pt

Runs under the original's own dependencies and imports nothing of talkvid; the nets come from the checkout.
Every file is loaded strictly, which is more than the original asks of its U-Nets.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from cfg_step_reference import MOTION


def stored(path: Path) -> dict[str, Any]:
    """Return the tensors of one file."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def build(folder: Path, sizes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the four nets with the weights of the folder."""
    from modules import AudioProjection, UNet2DConditionModel, UNet3DConditionModel, VKpsGuider

    unet_config = str(folder / "unet_config.json")
    guider = sizes["v_kps_guider"]
    nets = {
        "reference_net": UNet2DConditionModel.from_config(unet_config),
        "denoising_unet": UNet3DConditionModel.from_config_2d(unet_config, unet_additional_kwargs=MOTION),
        "v_kps_guider": VKpsGuider(
            guider["out_channels"], block_out_channels=tuple(guider["block_channels"])
        ),
        "audio_projection": AudioProjection(**sizes["audio_projection"]),
    }
    for name, net in nets.items():
        net.load_state_dict(stored(folder / f"{name}.bin"), strict=True)
        net.eval()
    motion = stored(folder / "motion_module.bin")
    result = nets["denoising_unet"].load_state_dict(motion, strict=False)
    assert not result.unexpected_keys and not any("motion_module" in key for key in result.missing_keys)
    return nets


def main() -> None:
    """Write each net's output."""
    sys.path.insert(0, sys.argv[1])
    torch.set_num_threads(1)
    nets = build(Path(sys.argv[2]), json.loads(sys.argv[3]))
    given = torch.load(sys.argv[4], weights_only=True)
    with torch.no_grad():
        results = {
            "v_kps_guider": nets["v_kps_guider"](given["kps_images"]),
            "audio_projection": nets["audio_projection"](given["windows"]),
            "reference_net": nets["reference_net"](
                given["latents"][:, :, 0], 500, given["text_tokens"], return_dict=False
            )[0],
            "denoising_unet": nets["denoising_unet"](
                given["latents"],
                123,
                encoder_hidden_states=given["audio_tokens"].flatten(0, 1),
                kps_features=given["kps_features"],
                return_dict=False,
            )[0],
        }
    torch.save({name: tensor.contiguous() for name, tensor in results.items()}, sys.argv[5])


if __name__ == "__main__":
    main()
