import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from talkvid.dataset.sync_offset import (
    BAND_WEIGHTS,
    OFFSET,
    OK,
    SURE,
    TOLERANCE_S,
    UNDECIDED,
    judge,
    lip_opening,
    measure_offset,
)
from talkvid.records import Array

FPS = 25.0


def speech(length_s: float, seed: int = 0) -> Array:
    """Return how open a mouth is, 100 values per second from 1 s before time 0 to 1 s after the end."""
    noise = np.random.default_rng(seed).standard_normal(round((length_s + 2) * 100))
    smooth = gaussian_filter1d(noise, 6)
    return smooth / smooth.std()


def clip(length_s: float, *, late_s: float, seed: int = 0, noise: float = 0.3) -> tuple[Array, Array]:
    """Return lips' opening (F,) and log-mel rows (T 80) of one speech, the mouth `late_s` later."""
    opened = speech(length_s, seed)
    grid_s = np.arange(len(opened)) / 100 - 1
    frames_s = (np.arange(round(length_s * FPS)) + 0.5) / FPS
    # Lips part a little before the sound is heard: USUAL_LATE_S.
    opening = 0.1 + 0.03 * np.interp(frames_s - late_s + 0.02, grid_s, opened)
    rows_s = (np.arange(round(length_s * 100)) + 0.5) / 100
    vowel = np.interp(rows_s, grid_s, opened)
    random = np.random.default_rng(seed + 100)
    bands = np.repeat(np.sign(BAND_WEIGHTS), 5)
    mel = vowel[:, None] * bands + noise * random.standard_normal((len(rows_s), 80))
    return opening, mel.astype(np.float32)


@pytest.mark.parametrize("late_s", [-0.48, -0.3, -0.113, 0.0, 0.04, 0.237, 0.5])
def test_a_known_offset_is_found_to_a_fraction_of_a_frame(late_s: float) -> None:
    found = measure_offset(*clip(8.0, late_s=late_s), fps=FPS)
    assert found.mouth_late_s == pytest.approx(late_s, abs=0.012)
    assert found.verdict == (OK if abs(late_s) <= TOLERANCE_S else OFFSET)
    assert found.correlation > 0.8
    assert found.reason == ""


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97])
def test_the_frame_rate_does_not_move_it(fps: float) -> None:
    opening, mel = clip(8.0, late_s=0.2)
    frames = np.arange(round(8.0 * fps))
    other = np.interp((frames + 0.5) / fps, (np.arange(len(opening)) + 0.5) / FPS, opening)
    assert measure_offset(other, mel, fps=fps).mouth_late_s == pytest.approx(0.2, abs=0.012)


def test_sound_of_another_speech_is_never_called_an_offset() -> None:
    verdicts = []
    for seed in range(40):
        opening, _ = clip(8.0, late_s=0.0, seed=seed)
        _, mel = clip(8.0, late_s=0.0, seed=seed + 1000)
        verdicts.append(measure_offset(opening, mel, fps=FPS).verdict)
    assert verdicts.count(OFFSET) == 0
    assert verdicts.count("no match") >= 10


def test_an_offset_beyond_the_range_is_not_made_up() -> None:
    found = measure_offset(*clip(8.0, late_s=0.95), fps=FPS)
    assert found.verdict not in (OK, OFFSET)


def test_what_cannot_be_measured_says_why() -> None:
    opening, mel = clip(8.0, late_s=0.2)
    assert measure_offset(opening[:60], mel[:240], fps=FPS).reason == "shorter than 4 s"
    still = measure_offset(np.full_like(opening, 0.1), mel, fps=FPS)
    assert (still.verdict, still.reason) == (UNDECIDED, "the mouth hardly moves")
    silent = measure_offset(opening, np.full_like(mel, -1.4), fps=FPS)
    assert (silent.verdict, silent.reason) == (UNDECIDED, "there is no speech in the sound")
    assert silent.mouth_late_s == 0


def test_frames_without_a_face_do_not_count() -> None:
    opening, mel = clip(12.0, late_s=0.2)
    found = np.ones(len(opening), bool)
    found[60:140] = False
    wild = np.where(found, opening, 5 * np.sin(np.arange(len(opening))))
    assert measure_offset(wild, mel, fps=FPS, found=found).mouth_late_s == pytest.approx(0.2, abs=0.012)
    wild[~found] = np.nan
    assert measure_offset(wild, mel, fps=FPS).mouth_late_s == pytest.approx(0.2, abs=0.012)
    assert measure_offset(opening, mel, fps=FPS, found=np.zeros(len(opening), bool)).verdict == UNDECIDED


@pytest.mark.parametrize("weak", [0, 1, 2])
def test_an_offset_takes_every_sign_of_sureness(weak: int) -> None:
    values = [least + 0.01 for least in SURE]
    told = dict(zip(("correlation", "score", "margin"), values, strict=True))
    assert judge(mouth_late_s=0.3, at_edge=False, length_s=5.0, **told).verdict == OFFSET
    assert judge(mouth_late_s=0.3, at_edge=True, length_s=5.0, **told).verdict == UNDECIDED
    told[list(told)[weak]] = SURE[weak] - 0.01
    judged = judge(mouth_late_s=0.3, at_edge=False, length_s=5.0, **told)
    assert (judged.verdict, judged.mouth_late_s) == (UNDECIDED, 0.3)
    assert judged.reason
    # The same evidence is enough to say that nothing is wrong.
    assert judge(mouth_late_s=0.05, at_edge=False, length_s=5.0, **told).verdict == OK


def test_the_opening_is_in_face_sizes_and_the_same_for_both_sets_of_landmarks() -> None:
    points = np.array([[0, 0], [10, 0], [5, 6], [2, 10], [8, 10]], np.float32)
    lips = np.zeros((3, 40, 2), np.float32)
    marks = np.zeros((3, 106, 2), np.float32)
    for frame, gap in enumerate((0.0, 1.0, 3.0)):
        lips[frame, [37, 36, 35, 34, 33], 1] = gap
        marks[frame, [54, 60, 57], 1] = gap
    five = np.stack([points] * 3)
    by_lips = lip_opening({"points": five, "lips": lips})
    by_marks = lip_opening({"points": 4 * five, "lmk106": 4 * marks})
    assert by_lips is not None and by_marks is not None
    assert by_lips == pytest.approx([0.0, 0.1, 0.3], abs=1e-6)
    assert by_marks == pytest.approx(by_lips, abs=1e-6)
    assert lip_opening({"points": five}) is None
