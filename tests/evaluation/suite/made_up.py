"""A made-up run: three systems, the truth and its controls over twelve clips, with all that can go wrong.

Every number is drawn from one seed; nothing is read, so the paths of the pairs lead nowhere.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.pair import SHIFTED, STILL, TRUTH, WRONG, Control, Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult

CLIPS = tuple(f"clip_{number:02d}" for number in range(1, 13))
SYSTEMS = ("ours", "wav2lip", "sadtalker")
GROUPS = {
    clip: {
        "gender": ("female", "male")[number % 2],
        "language": "Polish" if number < 3 else ("English" if number < 7 else "German"),
    }
    for number, clip in enumerate(CLIPS)
}
"""Three clips in Polish, four in English, five in German; six of each gender."""
COLUMNS: dict[str, tuple[Column, ...]] = {
    "syncnet": (
        Column("lse_d", "LSE-D", "lower", "Distance of lips and sound at the best offset."),
        Column("lse_c", "LSE-C", "higher", "How much better the best offset is than the middle one."),
        Column("av_offset", "A/V offset, frames", "zero", "Best offset; below 0 when the sound is late.", 0),
    ),
    "mouth": (
        Column("mel", "mouth-speech agreement", "higher", "How well the mouth follows the speech."),
        Column("mel_lag_s", "mouth lag, s", "zero", "How late the mouth is, in seconds."),
    ),
    "lmd": (Column("lmd_px", "LMD, px", "lower", "Distance of the mouth's landmarks to the true ones."),),
    "lpips": (Column("lpips_alex", "LPIPS (alex)", "lower", "Learned distance to the true pictures."),),
    "identity": (Column("identity", "identity cosine", "higher", "Likeness to the portrait's face."),),
    "flicker": (Column("flicker", "flicker ratio", "one", "Change between pictures over the true one's."),),
    "length": (Column("num_frames", "pictures", "none", "How many pictures the video has.", 0),),
    "fid": (Column("fid", "FID", "lower", "Fréchet distance of two sets of pictures.", 1),),
}
HEARING = ("syncnet", "mouth")
LEVELS = {
    # row: LSE-D, LSE-C, offset, mel, lag, LMD, LPIPS, identity, flicker
    "ours": (7.6, 6.1, 0, 0.36, 0.02, 3.1, 0.17, 0.83, 0.96),
    "wav2lip": (6.4, 8.1, 0, 0.30, 0.00, 4.2, 0.26, 0.71, 0.90),
    "sadtalker": (8.3, 5.2, 1, 0.22, 0.05, 4.6, 0.24, 0.78, 1.15),
    "truth": (7.3, 6.8, 0, 0.41, 0.01, 0.0, 0.0, 0.84, 1.0),
    "truth: shifted sound by 0.6 s": (12.4, 1.4, -9, 0.17, -0.2, 0, 0, 0, 0),
    "truth: wrong sound": (13.2, 1.1, 6, 0.12, 0.2, 0, 0, 0, 0),
    "truth: still frame": (13.4, 0.8, 12, 0.0, 0.0, 4.9, 0.12, 0.99, 0.0),
    "ours: wrong sound": (13.1, 1.2, -7, 0.10, -0.1, 0, 0, 0, 0),
    "wav2lip: wrong sound": (13.3, 1.0, 8, 0.09, 0.1, 0, 0, 0, 0),
    "sadtalker: wrong sound": (13.5, 1.1, 5, 0.11, 0.1, 0, 0, 0, 0),
}
SPREADS = (0.5, 0.5, 0.4, 0.07, 0.015, 0.4, 0.03, 0.03, 0.05)
CROPS = {"syncnet": "face tracks, 224x224", "mouth": "none, landmarks", "lmd": "none, landmarks"}


def made_up_evaluation(folder: Path = Path("/made_up"), *, seed: int = 0) -> Evaluation:
    """Return the run; the videos would lie at FOLDER/SYSTEM/CLIP.mp4 and FOLDER/true/CLIP.mp4."""
    generator = np.random.default_rng(seed)
    pairs = [
        _result(pair, generator)
        for pair in made_up_pairs(folder)
        if (pair.row, pair.clip) != ("sadtalker", "clip_12")  # a system that lacks a clip
    ]
    return Evaluation(
        columns=COLUMNS,
        pairs=tuple(pairs),
        sets=_sets(),
        left_out=(
            LeftOut("fvd", "model_ckpts/evaluation/i3d.pt is absent; fetch it: talkvid models fetch i3d"),
            LeftOut("csim", "model_ckpts/evaluation/arcface.onnx is absent; give it by --weights"),
        ),
        settings={
            "command": "talkvid evaluate --generated ours=a --generated wav2lip=b | <more>",
            "yardstick": "embedded (packaged face networks)",
            "versions": {"talkvid": "0.1.0", "torch": "2.13.0"},
            "machine": "2 cores",
            "weights": {"syncnet_v2.model": "ab" * 32},
        },
    )


def made_up_pairs(folder: Path = Path("/made_up")) -> list[Pair]:
    """Return all pairs, row by row: systems, truth, its controls, wrong sound with the made videos."""
    systems = [_pair(folder, system, clip) for system in SYSTEMS for clip in CLIPS]
    truth = [_pair(folder, "truth", clip, Control(TRUTH)) for clip in CLIPS]
    controls = [Control(SHIFTED, shift_s=0.6), Control(WRONG), Control(STILL, still=True)]
    wrong = [
        replace(_pair(folder, system, clip, Control(WRONG)), audio=folder / "sounds" / f"{other}.wav")
        for system in SYSTEMS
        for clip, other in zip(CLIPS, (*CLIPS[1:], CLIPS[0]), strict=True)
    ]
    made_of_truth = [_pair(folder, "truth", clip, control) for control in controls for clip in CLIPS]
    return [*systems, *truth, *made_of_truth, *wrong]


def _pair(folder: Path, system: str, clip: str, control: Control | None = None) -> Pair:
    true = folder / "true" / f"{clip}.mp4"
    made = true if system == "truth" else folder / system / f"{clip}.mp4"
    audio = None if system == "truth" else folder / "sounds" / f"{clip}.wav"
    return Pair(system, clip, made, reference=true, audio=audio, groups=GROUPS[clip], control=control)


def _result(pair: Pair, generator: np.random.Generator) -> PairResult:
    drawn = np.array(LEVELS[pair.row]) + np.array(SPREADS) * generator.normal(size=len(SPREADS))
    if pair.row == "truth":
        drawn[[5, 6, 8]] = 0.0, 0.0, 1.0
    if (pair.row, pair.clip) == ("sadtalker", "clip_05"):
        return PairResult(pair, failure=f"{pair.made}: not a video")
    sounds_alone = pair.control is not None and pair.control.name in (SHIFTED, WRONG)
    names = HEARING if sounds_alone else [name for name in COLUMNS if name != "fid"]
    numbers = [round(float(number), 4) for number in drawn]
    values: dict[str, dict[str, float | None]] = {
        "syncnet": {"lse_d": numbers[0], "lse_c": numbers[1], "av_offset": round(numbers[2])},
        "mouth": {"mel": numbers[3], "mel_lag_s": numbers[4]},
        "lmd": {"lmd_px": numbers[5]},
        "lpips": {"lpips_alex": numbers[6]},
        "identity": {"identity": numbers[7]},
        "flicker": {"flicker": numbers[8]},
        "length": {"num_frames": 125 + len(pair.clip) % 3},
    }
    return PairResult(pair, metrics={name: _measured(pair, name, values[name]) for name in names})


def _measured(pair: Pair, name: str, values: dict[str, float | None]) -> MetricResult:
    facts = {
        "version": 1,
        "crop": CROPS.get(name, "none, whole pictures as given"),
        "size": "512x512" if pair.clip != "clip_02" else "256x256",
        "fps": 25.0,
        "frames": 120 + int(pair.clip[-2:]),
    }
    if name == "lmd" and (pair.row, pair.clip) == ("wav2lip", "clip_03"):
        return MetricResult({}, {}, reason="no picture has a face on both sides (0 of 125 made | 125 true)")
    if name == "mouth" and pair.row == "truth: still frame":
        return MetricResult(values | {"mel_lag_s": None}, facts, ("a still mouth has no lag",))
    if name == "identity" and pair.clip == "clip_07":
        return MetricResult(values, facts, ("3 of 125 pictures showed no face",))
    return MetricResult(values, facts)


def _sets() -> tuple[SetResult, ...]:
    facts = {"version": 1, "crop": "none, whole pictures as given", "features": "Inception pool3, 2048"}
    whole = [
        SetResult(row, "fid", "", count, {"fid": value}, {**facts, "made pictures": count * 125})
        for row, count, value in (("ours", 12, 47.3), ("wav2lip", 12, 61.04), ("sadtalker", 10, 58.9))
    ]
    few = "375 made and 375 true samples are too few for a Fréchet distance of 2048 numbers; it needs 2049"
    polish = [SetResult(row, "fid", "language=Polish", 3, {}, {}, reason=few) for row in SYSTEMS]
    female = [SetResult("ours", "fid", "gender=female", 6, {"fid": 52.5}, facts)]
    return (*whole, *polish, *female)
