"""A short fine-tune lowers the loss on what it is tuned to, whole and by adapters alone."""

from pathlib import Path

import pytest
import torch

from talkvid.dataset.talking_face import TalkingFaceDataset
from talkvid.model.bundle import load_bundle
from talkvid.training.clips import usable_clips, window_settings
from talkvid.training.config import TrainConfig
from talkvid.training.run import run_training
from talkvid.training.run_folder import stage_folder
from talkvid.training.task import TalkingHeadTask
from talkvid.training.validation import held_out_loss
from tests.training.synthetic import Settings, make_dataset

STEPS = 20


@torch.no_grad()
def loss_of(folder: Path, config: TrainConfig, held_out: Path) -> float:
    bundle = load_bundle(folder)
    clips = usable_clips(config, [str(held_out)])
    dataset = TalkingFaceDataset(clips, window_settings(config, bundle, augmented=False), seed=3)
    return held_out_loss(TalkingHeadTask(bundle, loss=config.loss), dataset, config)


def test_twenty_steps_lower_the_loss_of_held_out_clips_whole_and_by_adapters(
    settings: Settings, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    held_out = make_dataset(tmp_path / "held", num_clips=2, num_frames=21)
    common = [
        "augment.flip_probability=0",
        "loss.unconditional_probability=0",
        "validation.num_batches=4",
    ]
    run_training(settings(1, *common, "run.max_steps=10", "run.train=base"))
    base = stage_folder(tmp_path / "exp", "base", 1)
    ways = {
        "whole": ["optimizer.learning_rate=0.001"],
        "adapters": [
            "optimizer.learning_rate=0.01",
            "lora.rank=4",
            "lora.targets=[to_q,to_k,to_v,to_out.0,proj,net.2]",
        ],
    }
    for name, values in ways.items():
        config = settings(
            1, *common, *values, f"run.train={name}", f"run.max_steps={STEPS}", f"model.start_from={base}"
        )
        before = loss_of(base, config, held_out)
        run_training(config)
        after = loss_of(stage_folder(tmp_path / "exp", name, 1), config, held_out)
        assert after < 0.97 * before, (name, before, after)
