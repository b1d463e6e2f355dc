"""A look at held-out clips: what it measures and shows, and that the training never notices it."""

import json
import logging
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from talkvid.dataset.batch import collate
from talkvid.dataset.talking_face import TalkingFaceDataset, load_audio_features
from talkvid.inference.pipeline import Pipeline
from talkvid.media.audio import AudioSource, load_audio
from talkvid.media.image import load_image
from talkvid.media.video import probe, read_at
from talkvid.media.writer import VideoWriter
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.records import Array
from talkvid.speech.align import FrameAligner, audio_windows
from talkvid.training import samples
from talkvid.training.clips import usable_clips, window_settings
from talkvid.training.config import TrainConfig
from talkvid.training.logbook import read_losses
from talkvid.training.randomness import StepRandom
from talkvid.training.run import run_training
from talkvid.training.run_folder import RunFolder
from talkvid.training.samples import SampleClip, choose_samples, live_bundle
from talkvid.training.sheet import SHEET_TIMES, Row, draw_sheet
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trainer import untouched
from talkvid.training.validation import Validation, build_validation, forward_precision
from tests import parity
from tests.training import synthetic
from tests.training.golden import CASES, Case
from tests.training.synthetic import FPS, SIZE, Settings, draw_face, make_dataset

GOLDEN_SPEECH_DIM = 48
QUICK = (
    "validation.every=1",
    "validation.num_batches=1",
    "validation.num_videos=1",
    "validation.video_s=0.2",
    "validation.num_inference_steps=2",
)
FRAMES = 5
"""0.2 s at 24 frames per second."""


class Listener:
    """A tracker that remembers what it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, int, str, Path]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        raise AssertionError("the numbers are the logbook's")

    def picture(self, step: int, name: str, path: Path) -> None:
        self.shown.append(("picture", step, name, path))

    def video(self, step: int, name: str, path: Path) -> None:
        self.shown.append(("video", step, name, path))

    def close(self) -> None:
        raise AssertionError("the trackers belong to whoever opened them")


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of three clips with features as wide as the golden networks ask for; the first has sound."""
    monkeypatch.setattr(synthetic, "SPEECH_DIM", GOLDEN_SPEECH_DIM)
    path = make_dataset(tmp_path / "held_out")
    tone = (8000 * np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)).astype(np.int16)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    video = path.with_name("videos") / "clip0.mp4"
    with VideoWriter(video, SIZE, SIZE, FPS, audio=AudioSource(tmp_path / "tone.wav")) as writer:
        for frame in range(14):
            writer.write(draw_face(frame))
    return path


def golden_task(case: Case) -> TalkingHeadTask:
    """A task on the networks of a golden case."""
    modules = {**case.networks.networks(), "vae": parity.network("vae")}
    task = TalkingHeadTask(
        ModelBundle(BundleConfig(name="golden", context_frames=4, context_overlap=1), modules), loss=case.loss
    )
    task.network = case.networks
    return task


def look(task: TalkingHeadTask, config: TrainConfig, folder: Path, **more: Any) -> Validation:
    validate = build_validation(task, config, RunFolder(folder), **more)
    assert validate is not None
    return validate


def everything(network: torch.nn.Module) -> dict[str, Any]:
    """What a look must leave alone, beside the weights."""
    state: dict[str, Any] = {name: value.clone() for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        state[f"{name} trains"] = (parameter.requires_grad, parameter.grad, parameter.dtype)
    for name, module in network.named_modules():
        state[f"{name} module"] = (module.training, sorted(vars(module)), len(module._forward_hooks))
        state[f"{name} forward"] = getattr(module.forward, "__func__", module.forward)
    return state


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        same = torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
        assert same, name


@pytest.mark.parametrize("name", ["stage_1", "stage_2_resume", "stage_3"])
def test_a_whole_look_leaves_the_next_step_and_everything_else_as_it_was(
    name: str, clips: Path, settings: Settings, tmp_path: Path
) -> None:
    # 5.1: the reference's validation replaced the training's attention for good.
    case = Case.load(name)
    task = golden_task(case)
    config = settings(3, f"validation.meta_paths=[{clips}]", *QUICK)
    validate = look(task, config, tmp_path)
    before, random = everything(case.networks), torch.get_rng_state()
    # No process group: whatever spoke to other processes would fail.
    assert not torch.distributed.is_initialized()
    with untouched(case.networks):
        values = validate(1)
    assert values["validation_loss"] > 0 and (tmp_path / "samples" / "step-1" / "1-clip0.mp4").is_file()
    assert_same(everything(case.networks), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert case.step().loss.item() == pytest.approx(CASES[name]["loss"], rel=1e-5)


def test_a_look_between_forward_and_backward_in_half_precision_loses_no_gradient(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    # Autocast keeps weights it has cast; those of a look without gradients must not serve a step.
    norms = []
    for looks in (False, True):
        case = Case.load("stage_3")
        task = golden_task(case)
        config = settings(3, f"validation.meta_paths=[{clips}]", "run.precision=bf16", *QUICK)
        validate = look(task, config, tmp_path)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if looks:
                with untouched(case.networks):
                    validate(1)
            output = case.step()
        output.loss.backward()
        gradients = [entry.grad for entry in case.networks.parameters() if entry.grad is not None]
        norms.append((output.loss.item(), len(gradients), float(sum(entry.norm() for entry in gradients))))
    assert norms[1] == norms[0]


def test_autocast_is_that_of_the_precision_and_keeps_no_weights() -> None:
    with forward_precision("bf16", torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu") and not torch.is_autocast_cache_enabled()
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
    with forward_precision("fp32", torch.device("cpu")):
        assert not torch.is_autocast_enabled("cpu")
    assert torch.is_autocast_cache_enabled()


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        (1, ()),
        (1, ("run.precision=bf16", "run.gradient_checkpointing=true")),
        (2, ()),
        (1, ("lora.rank=2", "model.random_init=true")),
    ],
)
def test_a_training_with_sample_videos_has_the_losses_of_one_without(
    stage: int, more: tuple[str, ...], settings: Settings, drawn: Path, tmp_path: Path
) -> None:
    if "lora.rank=2" in more:
        pytest.importorskip("peft")
    if stage == 2:
        run_training(settings(1, "run.train=first", "run.max_steps=1"))
        more = (*more, f"model.start_from={tmp_path / 'exp' / 'first' / 'stage_1'}")
    common = ("run.max_steps=2", "run.trackers=[]", *more)
    plain = run_training(settings(stage, "run.train=plain", *common))
    held_out = f"validation.meta_paths=[{drawn / 'train.json'}]"
    looked = run_training(settings(stage, "run.train=looked", *common, held_out, *QUICK))
    assert looked == plain
    folder = tmp_path / "exp" / "looked" / f"stage_{stage}"
    rows = read_losses(folder / "losses.csv")
    assert [row["validation_loss"] > 0 for row in rows] == [True] * 2
    for step in (1, 2):
        assert probe(folder / "samples" / f"step-{step}" / "1-clip0.mp4").num_frames == FRAMES
    assert "samples/step-2/1-clip0.mp4" in (folder / "index.html").read_text()


def test_the_loss_is_the_mean_over_the_same_batches_each_time(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    case = Case.load("stage_3")
    task = golden_task(case)
    config = settings(
        3, f"validation.meta_paths=[{clips}]", "validation.num_videos=0", "validation.num_batches=2"
    )
    validate = look(task, config, tmp_path)
    dataset = TalkingFaceDataset(
        usable_clips(config, [str(clips)]),
        window_settings(config, task.bundle, augmented=False),
        seed=config.run.seed,
    )
    with untouched(case.networks):
        first, again = validate(1), validate(500)
        # Two clips per batch, three clips: the second batch begins again.
        losses = [
            task.validation_loss(
                collate([dataset[place] for place in places]),
                StepRandom.of_validation(config.run.seed, batch=number),
            )
            for number, places in enumerate([(0, 1), (2, 0)])
        ]
    assert losses[0] != losses[1]
    assert first == again == {"validation_loss": pytest.approx(sum(losses) / 2, rel=1e-6)}
    assert not (tmp_path / "samples").exists()


def test_without_held_out_clips_there_is_no_look(settings: Settings, tmp_path: Path) -> None:
    assert build_validation(golden_task(Case.load("stage_1")), settings(1), RunFolder(tmp_path)) is None


def test_a_video_shows_real_and_generated_frames_with_their_sound(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    case = Case.load("stage_3")
    config = settings(3, f"validation.meta_paths=[{clips}]", *QUICK, "validation.num_videos=2")
    listener = Listener()
    validate = look(golden_task(case), config, tmp_path, trackers=[listener])
    with untouched(case.networks):
        validate(20)
    folder = tmp_path / "samples" / "step-20"
    first, second = folder / "1-clip0.mp4", folder / "2-clip1.mp4"
    assert {path.name for path in folder.iterdir()} == {
        *(path.name for path in (first, second)),
        *(f"{path.name}.json" for path in (first, second)),
        "sheet.png",
    }
    info = probe(first)
    assert (info.width, info.height, info.num_frames, info.fps) == (2 * SIZE, SIZE, FRAMES, FPS)
    assert info.has_audio and not probe(second).has_audio
    assert np.abs(load_audio(first)).max() > 0.1
    side_car = json.loads(Path(f"{first}.json").read_text())
    assert side_car["synthetic"] is True and side_car["step"] == 20 and side_car["num_inference_steps"] == 2
    begin = side_car["first_frame"]
    real = read_at(clips.with_name("videos") / "clip0.mp4", range(begin, begin + FRAMES)).astype(int)
    shown = read_at(first, range(FRAMES)).astype(int)
    assert np.abs(shown[:, :, :SIZE] - real).mean() < 4
    assert np.abs(shown[:, :, SIZE:] - real).mean() > 20
    assert listener.shown == [
        ("picture", 20, "samples", folder / "sheet.png"),
        ("video", 20, "samples/1-clip0", first),
        ("video", 20, "samples/2-clip1", second),
    ]


def test_the_same_weights_give_the_same_pictures_at_every_step(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    case = Case.load("stage_3")
    config = settings(3, f"validation.meta_paths=[{clips}]", *QUICK)
    validate = look(golden_task(case), config, tmp_path)
    torch.manual_seed(1)
    with untouched(case.networks):
        validate(1)
    torch.manual_seed(2)
    with untouched(case.networks):
        validate(2)
        with torch.no_grad():
            case.networks.denoising_unet.conv_out.weight.mul_(1.5)
        validate(3)
    one, two, three = (
        read_at(tmp_path / "samples" / f"step-{step}" / "1-clip0.mp4", range(FRAMES)) for step in (1, 2, 3)
    )
    assert np.array_equal(one, two) and not np.array_equal(one, three)


def test_samples_are_spread_over_the_list_and_stay_the_same(clips: Path, settings: Settings) -> None:
    def chosen(*more: str) -> list[SampleClip]:
        config = settings(3, *more)
        return choose_samples(usable_clips(config, [str(clips)] * 2), config)

    two = chosen("validation.num_videos=2", "validation.video_s=0.2")
    assert [sample.clip.id for sample in two] == ["clip0", "clip0"]
    assert [sample.name for sample in two] == ["1-clip0", "2-clip0"]
    assert two == chosen("validation.num_videos=2", "validation.video_s=0.2")
    assert two != chosen("validation.num_videos=2", "validation.video_s=0.2", "run.seed=7")
    every = chosen("validation.num_videos=50", "validation.video_s=60")
    assert len(every) == 6
    for sample in every:
        # As long as the clip allows beside a reference frame beyond the margin of two frames.
        assert sample.window.count == 14 - 2 - 1
        window = range(sample.window.first - 2, sample.window.first + sample.window.count + 2)
        assert sample.window.reference not in window and sample.window.reference in range(14)


def test_a_clip_s_name_cannot_lead_out_of_the_folder(clips: Path, settings: Settings) -> None:
    entries = json.loads(clips.read_text())
    entries[0]["id"] = "../../a b/ü" + "x" * 300
    clips.write_text(json.dumps(entries))
    config = settings(3)
    (sample, *_) = choose_samples(usable_clips(config, [str(clips)]), config)
    assert sample.name.startswith("1-.._.._a_b_x") and len(sample.name) <= 82


def test_the_network_hears_each_frame_as_in_training(clips: Path, settings: Settings) -> None:
    config = settings(3, "validation.video_s=0.2")
    (sample,) = choose_samples(usable_clips(config, [str(clips)]), config)
    scene, first = sample.scene(), sample.window.first
    stored = load_audio_features(sample.clip.audio_embeds)
    trained = audio_windows(stored, sample.clip.num_frames, num_pad=0)[first : first + FRAMES]
    assert torch.equal(FrameAligner(scene.speech, FRAMES, num_pad=0).windows(0, FRAMES), trained)
    assert scene.poses.shape == (FRAMES, 3, 2)
    assert scene.poses[1] == pytest.approx(synthetic.face_points(first + 1)[0][:3])
    reference = read_at(sample.clip.video, [sample.window.reference])[0]
    assert np.array_equal(scene.portrait, reference)


def test_real_frames_are_read_in_small_groups(
    clips: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(3, "validation.video_s=60")
    (sample,) = choose_samples(usable_clips(config, [str(clips)]), config)
    counts = []
    read_window = samples.read_window

    def counted(path: Path, first: int, count: int) -> Array:
        counts.append(count)
        return read_window(path, first, count)

    monkeypatch.setattr(samples, "read_window", counted)
    frames = list(sample.real_frames())
    assert counts == [8, 3] and len(frames) == 11
    assert np.array_equal(frames[9], read_at(sample.clip.video, [sample.window.first + 9])[0])


def test_sound_takes_part_only_when_it_can_matter() -> None:
    assert "audio_projection" not in live_bundle(golden_task(Case.load("stage_1"))).modules
    live = live_bundle(golden_task(Case.load("stage_3")))
    assert live.audio_projection is not None and live.v_kps_guider is not None


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (torch.OutOfMemoryError("no memory"), "run.save_gpu_memory=true"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_video_that_cannot_be_made_is_a_warning_and_the_loss_is_there(
    error: Exception,
    advice: str,
    clips: Path,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Pipeline, "frames", fail)
    case = Case.load("stage_3")
    config = settings(3, f"validation.meta_paths=[{clips}]", *QUICK)
    with untouched(case.networks):
        assert look(golden_task(case), config, tmp_path)(1)["validation_loss"] > 0
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "clip0" in line and advice in line
    assert not list(tmp_path.glob("samples/step-1/*"))


def test_a_damaged_held_out_clip_is_named_before_the_training(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    clips.with_name("videos").joinpath("clip0.mp4").write_bytes(b"no video")
    config = settings(3, f"validation.meta_paths=[{clips}]")
    with pytest.raises(ValueError, match=r"clip0\.mp4"):
        build_validation(golden_task(Case.load("stage_3")), config, RunFolder(tmp_path))


def test_settings_that_no_sampler_takes_are_refused() -> None:
    for line, message in (
        ("guidance_scale=0.5", r"validation\.guidance_scale"),
        ("num_inference_steps=1001", r"validation\.num_inference_steps"),
        ("video_s=0", r"validation\.video_s"),
    ):
        from talkvid.config import load_config

        with pytest.raises(ValueError, match=message):
            load_config(TrainConfig, overrides=[f"validation.{line}"])


def test_the_sheet_has_a_place_for_every_picture() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((64, 64, 3), 128, np.uint8)
    pair = (np.full((64, 64, 3), (0, 200, 0), np.uint8), np.full((64, 64, 3), (200, 0, 0), np.uint8))
    rows = [Row("1-a", grey, [pair] * SHEET_TIMES), Row("2-b", grey, [pair])]
    sheet = draw_sheet(rows, title="step 7").astype(int)
    tile = 96 * 96
    assert ((sheet[..., 1] - sheet[..., 0]) > 150).sum() == (SHEET_TIMES + 1) * tile
    assert ((sheet[..., 0] - sheet[..., 1]) > 150).sum() == (SHEET_TIMES + 1) * tile
    assert (sheet == 128).all(axis=-1).sum() >= 2 * tile
    large = draw_sheet([Row("a", rng.integers(0, 255, (512, 512, 3), dtype=np.uint8), [])], title="")
    assert large.shape[0] < 400


def test_the_sheet_of_a_step_shows_what_the_videos_show(
    clips: Path, settings: Settings, tmp_path: Path
) -> None:
    case = Case.load("stage_3")
    config = settings(3, f"validation.meta_paths=[{clips}]", *QUICK, "validation.num_videos=3")
    with untouched(case.networks):
        look(golden_task(case), config, tmp_path)(1)
    # One column for the portrait, five for the frames: the videos are shorter than the sheet is wide.
    assert load_image(tmp_path / "samples" / "step-1" / "sheet.png").shape == (20 + 3 * 220, 4 + 6 * 100, 3)
