"""Reading the sizes of the nets, and refusing what is not built."""

import json
from pathlib import Path

import pytest

from talkvid.model.unet_config import MotionConfig, UNetConfig


def test_a_config_survives_json(tmp_path: Path) -> None:
    config = UNetConfig(block_out_channels=(32, 64, 64, 64), motion=MotionConfig(max_frames=16))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()))
    assert UNetConfig.from_file(path) == config


def test_a_diffusers_config_may_carry_what_does_not_matter() -> None:
    values = {"_class_name": "UNet2DConditionModel", "sample_size": 64, "act_fn": "silu", "in_channels": 9}
    assert UNetConfig.from_dict(values).in_channels == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"act_fn": "gelu"}, "act_fn='gelu' is not built"),
        ({"use_linear_projection": True}, "use_linear_projection=True is not built"),
        ({"down_block_types": ["AttnDownBlock2D"] * 4}, "'AttnDownBlock2D' is not built"),
        ({"block_out_channels": [320, 640]}, "has 4 entries, block_out_channels has 2"),
        ({"block_out_channels": [30, 32, 32, 32]}, "30 is not a multiple of norm_num_groups, 32"),
        ({"attention_head_dim": [8, 8]}, "attention_head_dim has 2 entries, not 4"),
        ({"attention_head_dim": 7}, "320 is not a multiple of the number of heads"),
        ({"motion": {"num_heads": 6}}, "320 is not a multiple of motion.num_heads, 6"),
    ],
)
def test_what_is_not_built_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UNetConfig.from_dict(values)


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(FileNotFoundError, match=r"config.json does not exist"):
        UNetConfig.from_file(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"config.json: "):
        UNetConfig.from_file(path)
