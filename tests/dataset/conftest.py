from pathlib import Path

import pytest

from talkvid.dataset import preprocess
from talkvid.dataset.prepare_clip import Tools
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.speech.features import LogMelEncoder
from tests.dataset.clip_maker import CROP_PX, RedSquareDetector


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrepareSettings:
    """Return small settings; the detector is the one that sees red squares."""
    tools = Tools(RedSquareDetector(), LogMelEncoder())
    monkeypatch.setattr(preprocess, "load_tools", lambda *_args, **_kwargs: tools)
    return PrepareSettings(output_dir=tmp_path / "out", size=CROP_PX, min_frames=6, speech_encoder="log-mel")
