"""Every example of docs/extending.md as it stands there: its file is written, listed, its command is run."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from talkvid.cli.main import run_verb
from talkvid.plugins import KINDS, VARIABLE
from tests.inference.conftest import tiny_checkpoint as tiny_checkpoint

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, flags=re.DOTALL))
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
ANY_CLIP = [
    f"rules.scan.{name}=off" for name in ("duration_s", "damaged_frames", "has_audio", "speech_ratio")
]
RATE = 16000

Use = Callable[..., list[str]]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return what writes an example's file, lists it and gives the words of its command."""
    monkeypatch.chdir(tmp_path)

    def written(name: str) -> list[str]:
        (tmp_path / f"{name}.py").write_text(EXAMPLES[name], encoding="utf-8")
        monkeypatch.setenv(VARIABLE, f"{name}.py")
        return command_of(name)

    return written


def command_of(name: str, verb: str = "") -> list[str]:
    """Return the first command of the page that names the part (and is of that verb)."""
    text = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)).replace("\\\n", " ")
    for command in (shlex.split(line) for line in text.splitlines() if line.startswith(f"talkvid {verb}")):
        if any(name in word for word in command):
            return command
    raise AssertionError(f"no command of the page uses {name}")


def run(command: list[str], *more: str) -> int:
    assert command[0] == "talkvid"
    return run_verb(command[1], [*command[2:], *more])


def write_video(path: Path, shades: list[int], *, size: tuple[int, int] = (96, 96), noise: int = 0) -> None:
    from talkvid.media.writer import VideoWriter

    path.parent.mkdir(exist_ok=True)
    draw = np.random.default_rng(0)
    with VideoWriter(path, *size, 10, preset="ultrafast", crf=4) as writer:
        for shade in shades:
            grain = draw.integers(-noise, noise + 1, (size[1], size[0], 3))
            writer.write(np.clip(shade + grain, 0, 255).astype(np.uint8))


def rows(folder: str) -> dict[str, Any]:
    from talkvid.curation.manifest import iterate_clips

    return {Path(row.path).stem: row for row in iterate_clips(Path(folder) / "clips.parquet")}


def test_every_kind_has_an_example() -> None:
    kinds = {kind for text in EXAMPLES.values() for kind in re.findall(r'PLUGINS = \{"(\w+)"', text)}
    assert kinds == KINDS.keys() - {"motion_scorer"}  # Which is the quality scorer's twin.


def test_the_filter_turns_a_dark_clip_down(use: Use) -> None:
    command = use("brightness")
    write_video(Path("videos/dark.mp4"), [20] * 20)
    write_video(Path("videos/bright.mp4"), [180] * 20)
    assert run(command, "stages=[]", "finish=[]", "run.executor=inline", *ANY_CLIP) == 0
    found = rows("output/curated")
    assert (found["bright"].status, found["dark"].status) == ("kept", "rejected")
    assert found["dark"].code == "OWN_FILTER" and "brightness 0.0" in found["dark"].reason
    assert found["bright"].scores["own"]["brightness"] == pytest.approx(180 / 255, abs=0.02)
    # Its file is part of what scores depend on: another content means that clips are scored again.
    first = found["dark"].signatures["own"]
    Path("other").mkdir()
    Path("other/brightness.py").write_text(EXAMPLES["brightness"] + "\n# another\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "other/brightness.py")
        assert run(command, "stages=[]", "finish=[]", "run.executor=inline", *ANY_CLIP) == 0
    assert rows("output/curated")["dark"].signatures["own"] != first


def test_the_quality_scorer_stands_in_the_place_of_the_built_in_one(use: Use) -> None:
    command = use("laplace")
    write_video(Path("videos/flat.mp4"), [120] * 10)
    write_video(Path("videos/grainy.mp4"), [120] * 10, noise=60)
    assert run(command, "stages=[quality]", "finish=[]", "run.executor=inline", *ANY_CLIP) == 0
    found = rows("output/curated")
    assert (found["grainy"].status, found["flat"].status) == ("kept", "rejected")
    assert found["flat"].code == "QUALITY_LOW" and found["flat"].backends["quality"] == "laplace"


def test_the_metric_stands_in_the_table(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    from talkvid.media.writer import VideoWriter

    command = [word for word in use("colourfulness") if word != "default"]
    for folder, factor in (("true", 1.0), ("made", 0.5)):
        Path(folder).mkdir()
        ramp = np.linspace(0, 255 * factor, 64)[None, :, None] * np.array([1.0, 0.2, 0.1])
        with VideoWriter(Path(folder) / "a.mp4", 64, 48, 25, preset="ultrafast", crf=4) as writer:
            for _ in range(5):
                writer.write(np.repeat(ramp, 48, axis=0).astype(np.uint8))
    assert run(command, "--output", "report", "--no_controls", "--workers", "1") == 0
    table = (Path("report") / "summary.csv").read_text(encoding="utf-8")
    assert "colour_ratio" in table
    assert (
        0.4
        < float(re.findall(r"colourfulness / true \(ours\).*?(\d\.\d+)", capsys.readouterr().out)[0])
        < 0.6
    )


def test_the_face_backend_and_the_speech_encoder_prepare_clips(use: Use) -> None:
    from safetensors.torch import load_file

    command = use("framed")
    write_video(Path("crops/one.mp4"), [100, 110] * 15)
    write_sound(Path("crops/one.wav"), seconds=3.0)
    quick = ("--executor", "inline", "--workers", "1", "--size", "64", "--sync", "off")
    assert run(command, *quick) == 0
    with pytest.MonkeyPatch.context() as patch:
        other = use("bands")
        patch.setenv(VARIABLE, "bands.py:framed.py")
        shutil.move("crops", "clips")
        assert run([*other, "--face_backend", "framed"], *quick) == 0
    rows = load_file("data/audio_embeds/one.safetensors")["global_embeds"]
    assert rows.shape == (150, 1, 40) and torch.isfinite(rows).all()
    faces = load_file("data/face_info/one.safetensors")
    assert faces["found"].all() and not faces.keys() & {"lips", "pose"}


@pytest.mark.parametrize("name", ["plms2", "calm", "framed"])
def test_a_video_is_made_with_the_part_and_says_so(use: Use, name: str, tiny_checkpoint: Path) -> None:
    from talkvid.media.video import probe

    use(name)
    command = command_of(name, "generate")
    shutil.copytree(tiny_checkpoint, "exp/demo/stage_3")
    shutil.copy(SAMPLE / "ref.png", "face.jpg")
    write_sound(Path("speech.wav"), seconds=0.2)
    draw_driver(Path("talk.mp4"))
    assert run(command, "--output_path", "out.mp4", "--num_inference_steps", "3", "--device", "cpu") == 0
    assert probe(Path("out.mp4")).num_frames == 5
    assert re.search(rf'"{name}"', Path("out.mp4.json").read_text(encoding="utf-8"))


def draw_driver(path: Path) -> None:
    """Write a video of the sample portrait that wanders to the right."""
    from talkvid.media.image import load_image, resize
    from talkvid.media.writer import VideoWriter

    picture = resize(load_image(SAMPLE / "ref.png"), 256, 256)
    with VideoWriter(path, 256, 256, 10, preset="ultrafast") as writer:
        for shift in range(2):
            writer.write(np.roll(picture, 6 * shift, axis=1))


def test_the_retarget_strategy_moves_half_as_far(use: Use) -> None:
    from talkvid.face.retarget import retarget

    use("calm")
    portrait = np.array([[20.0, 20], [40, 20], [30, 30]])
    driving = np.stack([portrait * 2, portrait * 2 + 8])
    sizes = {"driving_size": (200, 200), "output_size": (100, 100)}
    moved = retarget("calm", portrait, driving, num_frames=2, fps=1, driving_fps=1, **sizes)  # type: ignore[arg-type]
    assert np.allclose(moved, [portrait, portrait + 2])


def test_the_sampler_is_nearer_to_the_solution_than_ddim(use: Use) -> None:
    from talkvid.diffusion.schedule import NoiseSchedule
    from talkvid.diffusion.solvers import build_solver

    use("plms2")
    schedule = NoiseSchedule()

    def velocity(latents: torch.Tensor, t: int) -> torch.Tensor:
        """Return the exact velocity of data that are N(0, 0.25)."""
        alpha = float(schedule.alphas_cumprod[t])
        signal, sigma = alpha**0.5, (1 - alpha) ** 0.5
        clean = latents * signal * 0.25 / (alpha * 0.25 + 1 - alpha)
        noise = (latents - signal * clean) / max(sigma, 1e-9)
        return signal * noise - sigma * clean

    def solved(steps: int) -> torch.Tensor:
        latents = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        memory: tuple[torch.Tensor, ...] = ()
        solver = build_solver("plms2", schedule, num_steps=steps, seed=0)
        for step, t in enumerate(schedule.timesteps(steps).tolist()):
            latents, memory = solver.advance(velocity(latents, t), latents, step, frames=[0], memory=memory)
        return latents

    def by_ddim(steps: int) -> torch.Tensor:
        latents = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        for t in schedule.timesteps(steps).tolist():
            latents = schedule.ddim_step(velocity(latents, t), latents, t=t, num_steps=steps)
        return latents

    exact = by_ddim(1000)
    assert abs(float(solved(20) - exact)) < 0.5 * abs(float(by_ddim(20) - exact))


def write_sound(path: Path, *, seconds: float) -> None:
    from scipy.io import wavfile

    time_s = np.arange(round(seconds * RATE)) / RATE
    wavfile.write(path, RATE, (8000 * np.sin(2 * np.pi * 300 * time_s)).astype(np.int16))
