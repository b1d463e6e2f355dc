"""The measures of mouths over a whole run: videos whose brightness says how far a drawn mouth is open."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from talkvid.evaluation.suite.controls import with_controls
from talkvid.evaluation.suite.looks import Eye
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.run import evaluate
from talkvid.evaluation.suite.weights import MetricSettings
from tests.evaluation.drawn import babble, opening_from
from tests.evaluation.suite.drawn_videos import BrightnessYardstick, write_video

SECONDS = 4.0
NAMES = ("mel", "lips", "faces")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Two clips by a system that shows the first picture of the truth all the time."""
    folder = tmp_path_factory.mktemp("mouths")
    found = []
    for seed in (1, 2):
        sound, loudness = babble(SECONDS, seed=seed)
        wav = folder / f"{seed}.wav"
        wavfile.write(wav, 16000, (sound.clip(-1, 1) * 32767).astype(np.int16))
        greys = [round(float(gap) * 255) for gap in opening_from(loudness)]
        true = write_video(folder / f"true{seed}.mp4", greys, sound=wav)
        made = write_video(folder / f"still{seed}.mp4", greys[:1] * len(greys))
        found.append(Pair("stiff", str(seed), made, reference=true, audio=wav))
    return found


def run(pairs: Sequence[Pair], output: Path, yardstick: BrightnessYardstick) -> Evaluation:
    return evaluate(
        pairs,
        NAMES,
        MetricSettings(),
        output=output,
        executor="inline",
        eye_builder=lambda _: Eye(yardstick),
    )


def test_truth_still_and_shifted_rows_are_told_apart_and_every_file_is_looked_at_once(
    pairs: list[Pair], tmp_path: Path
) -> None:
    yardstick = BrightnessYardstick()
    found = run(with_controls(pairs), tmp_path, yardstick)
    # Two clips, true and made, 100 pictures each; controls and the portrait stand on the same looks.
    assert yardstick.pictures == 4 * 100
    rows = {result.pair.row: result.metrics for result in found.pairs if result.pair.clip == "1"}
    truth, still, stiff = (rows[name] for name in ("truth", "truth: still frame", "stiff"))
    assert truth["lips"].values["opening_r"] == pytest.approx(1)
    assert truth["lips"].values["lip_distance"] == pytest.approx(0, abs=1e-3)
    for row in (still, stiff):
        assert row["mel"].values["mel"] == 0 and row["mel"].values["mel_lag_s"] is None
        assert row["lips"].values["opening_r"] == pytest.approx(0, abs=0.2)
        distance = row["lips"].values["lip_distance"]
        assert distance == pytest.approx(row["lips"].values["lip_distance_still"], rel=0.1)
    assert truth["faces"].values["one_face"] == 100
    assert truth["mel"].facts["controls"] == 1  # the one other clip
    assert "lips" not in rows["truth: shifted sound by 0.6 s"]
    run(with_controls(pairs), tmp_path, yardstick)
    assert yardstick.pictures == 4 * 100


def test_one_clip_alone_is_compared_with_its_own_sound_turned_round(
    pairs: list[Pair], tmp_path: Path
) -> None:
    found = run(pairs[:1], tmp_path, BrightnessYardstick())
    facts = found.pairs[0].metrics["mel"].facts
    assert facts["control"] == "own sound turned round" and facts["controls"] == 5  # 1.0, 1.5, … 3.0 s of 4 s
