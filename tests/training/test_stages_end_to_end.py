"""The three stages run one after the other from their shipped settings, at a tiny size."""

import csv
from pathlib import Path

import torch
from safetensors.torch import load_file

from talkvid.model.bundle import load_bundle
from talkvid.model.checkpoints import NETWORKS, module_file_name
from talkvid.training.run import run_training
from tests.training.synthetic import Settings


def test_each_stage_starts_from_the_one_before_and_leaves_what_the_next_one_asks_for(
    settings: Settings, tmp_path: Path
) -> None:
    for stage in (1, 2, 3):
        losses = run_training(settings(stage))
        folder = tmp_path / "exp" / "drawn" / f"stage_{stage}"
        assert len(losses) == 2 and all(loss > 0 for loss in losses)
        for name in NETWORKS:
            assert (folder / module_file_name(name, 2)).is_file()
        assert (folder / "checkpoint-2").is_dir()
        rows = list(csv.DictReader((folder / "losses.csv").open()))
        assert [float(row["loss"]) for row in rows] == losses
        assert load_bundle(folder).config.name == f"drawn-stage_{stage}"
    second, third = (
        load_file(tmp_path / "exp" / "drawn" / f"stage_{stage}" / "v_kps_guider-2.safetensors")
        for stage in (2, 3)
    )
    assert not torch.equal(second["conv_in.weight"], third["conv_in.weight"])
