"""Settings of the original pipeline become ours: what it says, not how its files were organised."""

from pathlib import Path

import pytest

from talkvid.curation.config import load_curate_config
from talkvid.curation.import_config import import_settings
from talkvid.curation.profiles import rules_of

ORIGINAL = """
data_sample: {start_sample: 0, end_sample: 0, av1_flg: False}
rough_clip:
  max_threads: 48
  input_json_file: /videos/list.json
  use_fixed_duration: True
  detector_type: Content
  detector_threshold: 10.0
  duration_threshold: 4.0
dover_filter:
  input_path: somewhere.json
  test_num: 12
  threshold: 6
  model: {onnx_path: /models/onnx_dover.onnx}
  cuda: {devices: [0]}
cotracker:
  checkpoint: /models/scaled_offline.pth
  backward_tracking: true
  device_ids: [0, 1]
  grid_size: 50
  grid_query_frame: 0
head_filter:
  cuda: {devices: [0, 1]}
  thresholds: {avg_movement: 85, min_rotation: 61.5, face_consistency: 100}
"""


def test_sections_of_the_original_become_settings_and_rules(tmp_path: Path) -> None:
    source, target = tmp_path / "config_0_0.yaml", tmp_path / "ours.yaml"
    source.write_text(ORIGINAL)
    notes = import_settings(source, target)
    config = load_curate_config(target)
    assert (config.profile, config.input, config.run.limit) == ("parity", "/videos/list.json", 12)
    assert (config.scan["cuts"]["detector"], config.scan["cuts"]["threshold"]) == ("content", 10.0)
    assert (config.scan["lengths"], config.quality["backend"]) == ("fixed", "dover")
    assert (config.motion["grid"], config.motion["checkpoint"]) == (50, "/models/scaled_offline.pth")
    assert (config.head["backend"], config.head["device"]) == ("insightface", "cuda")
    thresholds = {
        (rule.score, rule.op): rule.threshold for rules in rules_of(config).values() for rule in rules
    }
    assert thresholds["duration_s", ">"] == 4.0
    assert thresholds["dover_scores", ">="] == 6.0
    assert thresholds["avg_movement", ">="] == 85.0
    assert thresholds["min_rotation", ">="] == 61.5
    assert thresholds["avg_rotation", ">="] == 70.0
    assert len(notes) == 6 and all(f"# {note}\n" in target.read_text() for note in notes)


def test_the_list_of_head_thresholds_alone_scores_heads_alone(tmp_path: Path) -> None:
    # Once: thresholds stood in two files, and which of them counted depended on the script.
    source = tmp_path / "head_threshold.yml"
    source.write_text("head_filter:\n  avg_movement: 90\n  face_consistency: 60\n")
    import_settings(source, tmp_path / "ours.yaml")
    config = load_curate_config(tmp_path / "ours.yaml")
    assert config.active == ("head",)
    assert {rule.score: rule.threshold for rule in rules_of(config)["head"]}["face_consistency"] == 60.0


@pytest.mark.parametrize(("text", "message"), [
    ("rough_clip: {detector: Content}", "rough_clip.detector is no setting of the original"),
    ("training: {steps: 3}", "has none of the sections"),
    ("cotracker: {grid_query_frame: 4}", "grid_query_frame is 4"),
    ("a: [", "is not valid YAML"),
])  # fmt: skip
def test_what_cannot_be_read_is_said_and_nothing_is_written(tmp_path: Path, text: str, message: str) -> None:
    source = tmp_path / "config.yaml"
    source.write_text(text)
    with pytest.raises(ValueError, match=message):
        import_settings(source, tmp_path / "ours.yaml")
    assert not (tmp_path / "ours.yaml").exists()


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        import_settings(tmp_path / "config.yaml", tmp_path / "ours.yaml")
