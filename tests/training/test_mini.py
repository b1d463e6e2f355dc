"""The embedded model's training programs on tiny drawn clips: they run, resume and leave a checkpoint."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkvid.face.layout import CONTOUR_PARTS, NUM_CONTOUR
from talkvid.model.autoencoder import AutoencoderConfig
from talkvid.model.bundle import load_bundle, save_bundle
from talkvid.model.head_motion import HeadMotion
from talkvid.model.lip_predictor import LipPredictorConfig
from talkvid.training.mini_autoencoder import AutoencoderTrainer, AutoencoderTraining
from talkvid.training.mini_bundle import assemble, bundle_config
from talkvid.training.mini_clips import choose_box, find_clips, fit_sound
from talkvid.training.mini_data import load_clips
from talkvid.training.mini_generator import GeneratorTrainer, GeneratorTraining
from talkvid.training.mini_generator_model import GeneratorModel
from talkvid.training.mini_lip_clips import mirror_moving
from talkvid.training.mini_lips import LipTrainer, LipTraining
from talkvid.training.mini_loop import LoopConfig, prefetched
from talkvid.training.mini_motion import MotionTraining
from talkvid.training.mini_travel import pack_folder, unpack_folder

NUM_FRAMES = 16
TINY_VAE = AutoencoderConfig(
    latent_channels=4,
    encoder_channels=[8, 8, 8],
    decoder_channels=[8, 8, 8],
    encoder_blocks=1,
    decoder_blocks=1,
)
TINY_LIPS = LipPredictorConfig(num_coefficients=4, rows_before=8, rows_after=8, channels=8)
TINY_MODEL = GeneratorModel(
    channels=[32, 32],
    num_heads=2,
    token_dim=16,
    guider_channels=[4, 4, 8, 8],
    audio_depth=1,
    latent_channels=4,
)


def landmarks(opening: float) -> dict[str, np.ndarray]:
    """Return the points of one drawn face in a crop of 160 px."""
    ring = np.pi - np.arange(20) / 20 * 2 * np.pi
    circle = np.stack([np.cos(ring), -np.sin(ring)], axis=1)
    lips = np.concatenate([circle * [16, 5 + opening], circle * [11, 1 + opening]]) + np.array([80, 104])
    outline = np.arange(36) / 36 * 2 * np.pi
    contour = np.full((NUM_CONTOUR, 2), 80.0)
    contour[:36] = np.stack([80 + 36 * np.sin(outline), 84 - (52 + opening) * np.cos(outline)], axis=1)
    contour[CONTOUR_PARTS["image_left_eye"]] = np.array([60, 66]) + 2 * circle[:16]
    contour[CONTOUR_PARTS["image_right_eye"]] = np.array([100, 66]) + 2 * circle[:16]
    contour[CONTOUR_PARTS["nose_ridge"]] = np.stack([np.full(6, 80), np.linspace(68, 84, 6)], axis=1)
    contour[CONTOUR_PARTS["nose_base"]] = np.stack([np.linspace(72, 88, 9), np.full(9, 88)], axis=1)
    points = np.array([[60, 64], [100, 64], [80, 84], lips[0], lips[10]])
    return {"points": points, "lips": lips, "contour": contour}


def write_clip(folder: Path, name: str) -> None:
    """Write one packed clip of a face whose mouth opens with the loudness of the sound."""
    openings = 3 + 3 * np.sin(np.arange(NUM_FRAMES))
    pictures, tracks = [], []
    for opening in openings:
        points = landmarks(float(opening))
        picture = np.full((160, 160, 3), (150, 180, 220), np.uint8)
        cv2.fillPoly(picture, [points["lips"][:20].round().astype(np.int32)], (60, 60, 190))
        cv2.fillPoly(picture, [points["lips"][20:].round().astype(np.int32)], (20, 10, 40))
        pictures.append(cv2.imencode(".jpg", picture)[1].tobytes())
        tracks.append(points)
    noise = np.random.default_rng(0).normal(0, 1500, NUM_FRAMES * 640)
    np.savez(
        folder / f"{name}.npz",
        jpeg=np.frombuffer(b"".join(pictures), np.uint8),
        ends=np.cumsum([len(piece) for piece in pictures]),
        audio=(noise * np.repeat(openings, 640) / 6).astype(np.int16),
        box=np.array([0, 0, 160, 160], np.float32),
        size=np.int64(160),
    )

    def stacked(key: str) -> np.ndarray:
        return np.stack([one[key] for one in tracks]).astype(np.float32)

    np.savez(
        folder / f"{name}.tracks.npz",
        points=stacked("points"),
        lips=stacked("lips"),
        contour=stacked("contour"),
        pose=np.random.default_rng(1).normal(0, 2, (NUM_FRAMES, 3)).astype(np.float32),
        jaw_open=(openings / 6).astype(np.float32),
        found=np.ones(NUM_FRAMES, bool),
    )


def write_rows(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Return a media folder with two packed clips beside it: one to learn from, one held out."""
    folder = tmp_path / "media"
    names = {"train/a/one.mp4": "train", "train/a/two.mp4": "val"}
    write_rows(
        folder / "split.csv",
        "file,person,split",
        [f"{name},p{k},{split}" for k, (name, split) in enumerate(names.items())],
    )
    sync = ["a/one.mp4,offset,0.08", "a/two.mp4,undecided,0.3"]
    write_rows(folder / "train" / "SYNC.csv", "file,verdict,mel_lag", sync)
    write_rows(
        folder / "train" / "SOURCES.csv", "file,scene_cuts_s", ["train/a/one.mp4,3.08", "train/a/two.mp4,"]
    )
    write_rows(folder / "train_extra" / "SOURCES.csv", "file,mel_lag", [])
    (tmp_path / "data").mkdir()
    write_clip(tmp_path / "data", "one")
    write_clip(tmp_path / "data", "two")
    return folder


@pytest.fixture
def loop(tmp_path: Path) -> Callable[..., LoopConfig]:
    """Return what makes loop settings below the test's folder."""

    def make(max_steps: int = 2) -> LoopConfig:
        return LoopConfig(
            out=str(tmp_path / "runs"), max_steps=max_steps, batch_size=2, autocast=False, warmup_steps=1
        )

    return make


class Folders(TypedDict):
    media: str
    data: str


def folders(media: Path) -> Folders:
    return {"media": str(media), "data": str(media.parent / "data")}


def test_clips_know_their_sound_and_first_shot(media: Path) -> None:
    one, two = find_clips(media)
    assert (one.split, one.synced, one.mouth_late_s, one.end_s) == ("train", True, 0.08, 3.08)
    assert (two.split, two.synced, two.mouth_late_s, two.end_s) == ("val", False, 0.0, None)


def test_a_late_mouth_delays_the_sound() -> None:
    sound = np.arange(1, 16001, dtype=np.float32)
    late = fit_sound(sound, 0.1, 25)
    assert len(late) == 16000 and not late[:1600].any() and late[1600] == 1
    early = fit_sound(sound, -0.1, 25)
    assert early[0] == 1601 and not early[-1600:].any()


def test_the_crop_holds_a_moving_head() -> None:
    still = choose_box([np.array([40, 40, 60, 70])] * 3, 200, 200)
    moving = choose_box([np.array([40 + k, 40, 60 + k, 70]) for k in (0, 15, 30)], 200, 200)
    assert still[2] - still[0] == pytest.approx(30 * 1.75)
    assert moving[2] - moving[0] > still[2] - still[0]


def test_batches_made_ahead_are_the_same() -> None:
    alone = list(prefetched(_numbers, 3, 7, workers=0))
    ahead = list(prefetched(_numbers, 3, 7, workers=2))
    for one, other in zip(alone, ahead, strict=True):
        np.testing.assert_array_equal(one, other)


def _numbers(step: int) -> np.ndarray:
    return np.random.default_rng(step).normal(size=3)


def test_carried_clips_come_back(media: Path, tmp_path: Path) -> None:
    pack_folder(media, tmp_path / "data", tmp_path / "packed", size=160)
    assert unpack_folder(tmp_path / "packed", tmp_path / "again") == 2
    (before,) = load_clips(media, tmp_path / "data", "train")
    (after,) = load_clips(tmp_path / "packed" / "media", tmp_path / "again", "train")
    np.testing.assert_allclose(after.lips, before.lips, atol=1 / 64)
    np.testing.assert_allclose(after.pose, before.pose, atol=0.02)
    assert len(after) == len(before)
    assert len(after.audio) == len(before.audio)
    assert np.abs(after.picture(3).astype(int) - before.picture(3)).mean() < 6


def test_mirrored_lips_swap_corners() -> None:
    swap = mirror_moving()
    assert (swap[0], swap[10], swap[20], swap[30]) == (10, 0, 30, 20)
    np.testing.assert_array_equal(swap[swap], np.arange(len(swap)))


def test_unknown_split_says_what_to_run(media: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no packed test clip"):
        load_clips(media, media.parent / "data", "test")


def test_the_parts_train_resume_and_become_a_checkpoint(media: Path, loop: Callable[..., LoopConfig]) -> None:
    torch.manual_seed(0)
    pictures = AutoencoderTraining(
        **folders(media), loop=loop(), model=TINY_VAE, adversarial_from=1, num_validation=2, num_measured=4
    )
    vae = AutoencoderTrainer(pictures)
    assert vae.loop.run(vae.step, vae.validate)
    vae_path = vae.finish()
    state = load_file(vae_path)
    assert float(state["latent_std"].min()) > 0

    lips = LipTraining(**folders(media), loop=loop(), model=TINY_LIPS)
    # The held-out clip is out of sync, so the training clip must do for both.
    with pytest.raises(FileNotFoundError, match="no packed val clip"):
        LipTrainer(lips)
    rows = list(csv.reader((media / "train" / "SYNC.csv").open()))
    write_rows(media / "train" / "SYNC.csv", ",".join(rows[0]), ["a/one.mp4,ok,0", "a/two.mp4,ok,0"])
    lip_trainer = LipTrainer(lips)
    assert lip_trainer.loop.run(lip_trainer.step, lip_trainer.validate)
    lip_trainer.finish()

    generator = GeneratorTraining(
        **folders(media),
        autoencoder=str(vae_path),
        autoencoder_model=TINY_VAE,
        loop=loop(),
        model=TINY_MODEL,
        frames_per_portrait=2,
        num_validation_frames=2,
        adversarial_from=1,
    )
    trainer = GeneratorTrainer(generator)
    assert trainer.loop.run(trainer.step, trainer.validate)
    trainer.finish()

    runs = Path(generator.loop.out)
    motion = MotionTraining(**folders(media), out=str(runs))
    (runs / "head_motion").mkdir()
    save_file(HeadMotion(motion.model).state_dict(), runs / "head_motion" / "head_motion.safetensors")
    bundle = assemble(bundle_config(pictures, lips, motion, generator), runs)
    save_bundle(bundle, runs / "checkpoint", dtype=torch.float16)
    loaded = load_bundle(runs / "checkpoint")
    assert loaded.config.name == "talkvid-mini"
    assert loaded.lip_predictor is not None and loaded.head_motion is not None
    assert loaded.config.extra["head_motion"] == "natural"


def test_a_resumed_run_ends_like_one_in_a_piece(
    media: Path, loop: Callable[..., LoopConfig], tmp_path: Path
) -> None:
    write_rows(media / "train" / "SYNC.csv", "file,verdict,mel_lag", ["a/one.mp4,ok,0", "a/two.mp4,ok,0"])

    def weights(out: str, *stops: float) -> dict[str, torch.Tensor]:
        for stop in stops:
            settings = LoopConfig(
                out=str(tmp_path / out), max_steps=4, batch_size=2, autocast=False, stop_after_s=stop
            )
            trainer = LipTrainer(LipTraining(**folders(media), loop=settings, model=TINY_LIPS))
            trainer.loop.run(trainer.step)
        return trainer.model.state_dict()

    whole = weights("whole", 0)
    pieces = weights("pieces", 1e-9, 1e-9, 0)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value)


def test_a_generator_resumed_after_its_judge_joined_ends_the_same(
    media: Path, loop: Callable[..., LoopConfig], tmp_path: Path
) -> None:
    pictures = AutoencoderTraining(
        **folders(media), loop=loop(1), model=TINY_VAE, num_validation=2, num_measured=4
    )
    vae = AutoencoderTrainer(pictures)
    vae.loop.run(vae.step)
    vae_path = vae.finish()

    def trained(out: str, *stops: float) -> GeneratorTrainer:
        for stop in stops:
            settings = GeneratorTraining(
                **folders(media),
                autoencoder=str(vae_path),
                autoencoder_model=TINY_VAE,
                loop=replace(loop(3), out=str(tmp_path / out), stop_after_s=stop),
                model=TINY_MODEL,
                frames_per_portrait=2,
                adversarial_from=1,
            )
            trainer = GeneratorTrainer(settings)
            trainer.loop.run(trainer.step)
        return trainer

    whole, pieces = trained("whole", 0), trained("pieces", 1e-9, 1e-9, 0)
    for name in ("generator", "judge"):
        for key, value in whole.loop.modules[name].state_dict().items():
            torch.testing.assert_close(pieces.loop.modules[name].state_dict()[key], value)
