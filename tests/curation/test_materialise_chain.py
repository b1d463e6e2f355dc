"""From kept clips to training data: what is cut is what preparation takes, without a list in between."""

import json
from pathlib import Path

import numpy as np
import pytest
from export_material import numbered_video, row_of, span_of, write_manifest

from talkvid.curation.materialise import MaterialiseConfig, materialise
from talkvid.dataset import preprocess
from talkvid.dataset.prepare_clip import Tools
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.source_lists import read_list
from talkvid.media.audio import load_audio
from talkvid.media.video import read_frames
from talkvid.records import Array, Face
from talkvid.speech.features import LogMelEncoder


class RedDetector:
    """Takes the red rectangle of the numbered pictures for a face."""

    name = "red"

    def detect(self, image: Array) -> list[Face]:
        red = (image[..., 0] > 150) & (image[..., 1] < 110) & (image[..., 2] < 110)
        if red.sum() < 40:
            return []
        rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
        box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
        five = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return [Face(box, box[:2] + five * (box[2:] - box[:2]), 0.9)]


def test_two_cut_clips_are_prepared_with_their_pictures_and_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: pictures without a face were left out and their sound was not: the lips went out of step.
    video = numbered_video(tmp_path / "v.mp4")
    rows = [row_of(span_of(video, first, 40, number=part)) for part, first in ((1, 0), (2, 53))]
    run = write_manifest(tmp_path / "run", rows)
    materialise(run, MaterialiseConfig(preset="ultrafast"), executor="inline")
    monkeypatch.setattr(
        preprocess, "load_tools", lambda *_args, **_kwargs: Tools(RedDetector(), LogMelEncoder())
    )
    settings = PrepareSettings(output_dir=tmp_path / "data", size=64, fps=25, min_frames=6, sync="off")
    clips = read_list(run / "exports" / "talkvid_paths.json")
    summary = preprocess.prepare(clips, settings, name="set", executor="inline")
    assert (summary.done, summary.failures) == (2, {})
    entries = json.loads((tmp_path / "data" / "set.json").read_text())
    assert [(entry["id"], entry["num_frames"]) for entry in entries] == [("v-scene1", 40), ("v-scene2", 40)]
    crop = tmp_path / "data" / entries[1]["video"]
    assert sum(1 for _ in read_frames(crop)) == 40
    original, cropped = load_audio(video, start_s=53 / 25, length_s=1.6), load_audio(crop)
    size = 16000
    fits = [
        float(original[160 : 160 + size] @ cropped[160 + lag : 160 + lag + size]) for lag in range(-160, 161)
    ]
    assert abs(int(np.argmax(fits)) - 160) <= 16, "within a millisecond of the original's sound"
