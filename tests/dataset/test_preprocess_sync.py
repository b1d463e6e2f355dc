"""What preparation does about a sound offset: it is written down, and taken out only where it is sure."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from talkvid.dataset import prepare_clip
from talkvid.dataset.face_info import stored_metadata
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source, apply_sync
from talkvid.dataset.sync_offset import OFFSET, UNDECIDED, SoundOffset
from talkvid.media.audio import load_audio
from tests.dataset.clip_maker import prepare_one, write_clip, write_sound


@pytest.fixture
def source(tmp_path: Path) -> Source:
    sound = write_sound(tmp_path / "s.wav", 2.0, click_s=1.0)
    return Source("a", write_clip(tmp_path / "a.mp4", sound=sound))


@pytest.mark.parametrize(
    ("sync", "verdict", "moved_s"),
    [("measure", OFFSET, 0), ("correct", OFFSET, 0.2), ("correct", UNDECIDED, 0), ("correct", "ok", 0)],
)
def test_the_sound_is_moved_only_where_asked_and_sure(
    source: Source,
    settings: PrepareSettings,
    monkeypatch: pytest.MonkeyPatch,
    sync: str,
    verdict: str,
    moved_s: float,
) -> None:
    found = SoundOffset(verdict, 0.2, 0.6, 5.0, 0.3)
    monkeypatch.setattr(prepare_clip, "sound_offset", lambda *_args, **_kwargs: found)
    entry = prepare_one(source, replace(settings, sync=sync))
    waveform = load_audio(settings.output_dir / entry["video"])
    assert abs(int(np.abs(waveform).argmax()) / 16000 - (1.0 + moved_s)) < 0.03
    for name in ("face_info", "audio_embeds"):
        told = stored_metadata(settings.output_dir / entry[name])
        assert (told["sync_verdict"], float(told["sync_mouth_late_s"])) == (verdict, 0.2)
        assert float(told["sync_moved_s"]) == moved_s
    table = settings.output_dir / "set.sync.csv"
    (row,) = csv.DictReader(table.open())
    assert (row["file"], row["verdict"], float(row["moved_s"])) == ("a", verdict, moved_s)
    (again,) = apply_sync([source], table)
    assert again.mouth_late_s == (0.2 if verdict == OFFSET else 0)


def test_off_measures_nothing(source: Source, settings: PrepareSettings) -> None:
    entry = prepare_one(source, replace(settings, sync="off"))
    told = stored_metadata(settings.output_dir / entry["face_info"])
    assert not any(name.startswith("sync_") for name in told)
    assert not (settings.output_dir / "set.sync.csv").exists()


def test_a_still_mouth_is_undecided(source: Source, settings: PrepareSettings) -> None:
    entry = prepare_one(source, settings)
    told = stored_metadata(settings.output_dir / entry["face_info"])
    assert (told["sync_verdict"], told["sync_moved_s"]) == (UNDECIDED, "0")
