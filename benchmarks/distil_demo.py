"""How near a student comes to its guided teacher: steps x guidance x distance, before and after stage 4.

    python -m benchmarks.distil_demo --start exp/demo/stage_3 --train data/demo.json \
        --held_out data/demo_val.json --config src/configs/mini/stage_4.yaml --output exp \
        [section.key=value ...]

The distance is between final latents of the same noise, frames and conditions: root mean square of the
difference to the teacher's 25 guided steps, over that of the teacher's latents. The held-out clips play no
part in training. CPU seconds are those of the denoiser's calls on one thread. With the run folder already
there, only the table is made.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from talkvid.config import load_config
from talkvid.dataset.talking_face import TalkingFaceDataset
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.model.bundle import load_bundle
from talkvid.model.vae import ImageAutoencoder
from talkvid.training.clips import usable_clips, window_settings
from talkvid.training.config import TrainConfig
from talkvid.training.distil_rounds import TEACHER_FOLDER, plan_rounds
from talkvid.training.distil_teacher import Teacher
from talkvid.training.randomness import StepRandom
from talkvid.training.run import run_training
from talkvid.training.run_folder import EMA_FOLDER, stage_folder
from talkvid.training.step import encode_frames
from talkvid.training.validation import fixed_batch

EXACT_STEPS = 25
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One way to sample, and where it leads."""

    model: str
    num_steps: int
    guidance_scale: float
    distance: float
    seconds: float


class Scenes:
    """Held-out windows of frames with their noise."""

    def __init__(self, config: TrainConfig, folder: Path, held_out: Path, *, count: int) -> None:
        bundle = load_bundle(folder)
        vae = bundle.vae
        assert isinstance(vae, ImageAutoencoder)
        self.vae: ImageAutoencoder = vae
        clips = usable_clips(config, [str(held_out)])
        windows = window_settings(config, bundle, augmented=False)
        dataset = TalkingFaceDataset(clips, windows, seed=config.run.seed)
        self.batches = [fixed_batch(dataset, number, size=1) for number in range(count)]
        self.seed = config.run.seed

    @torch.no_grad()
    def sampled(self, teacher: Teacher, num_steps: int) -> tuple[Tensor, float]:
        """Return the final latents (scenes C F h w) by DDIM, and the CPU seconds of one scene."""
        schedule, found, seconds = NoiseSchedule(), [], 0.0
        for number, batch in enumerate(self.batches):
            random = StepRandom.of_validation(self.seed, batch=number)
            reference = encode_frames(self.vae, batch.reference_image[:, :, None], random)[:, :, 0]
            predict = teacher.predictor(batch, reference)
            shape = (1, reference.shape[1], batch.target_images.shape[2], *reference.shape[2:])
            latents = random.normal(shape, like=reference)
            started = time.process_time()
            for t in schedule.timesteps(num_steps).tolist():
                velocity = predict(latents, torch.tensor([t]))
                latents = schedule.ddim_step(velocity, latents, t=t, num_steps=num_steps)
            seconds += time.process_time() - started
            found.append(latents)
        return torch.cat(found), seconds / len(self.batches)


def table(config: TrainConfig, folder: Path, held_out: Path, *, count: int) -> list[Row]:
    """Return the rows of the teacher with and without guidance, and of the student of every round."""
    scenes = Scenes(config, folder, held_out, count=count)
    scale = config.distil.guidance_scale
    rows: list[Row] = []

    def look(name: str, place: Path, num_steps: int, guidance_scale: float) -> Tensor:
        teacher = Teacher.load(place, guidance_scale=guidance_scale, dtype=torch.float32)
        latents, seconds = scenes.sampled(teacher, num_steps)
        target = exact if rows else latents
        distance = float((latents - target).square().mean().sqrt() / target.square().mean().sqrt())
        rows.append(Row(name, num_steps, guidance_scale, distance, seconds))
        return latents

    teacher, rounds = folder / TEACHER_FOLDER, plan_rounds(config.distil, config.run.max_steps)
    exact = torch.empty(0)
    exact = look("teacher", teacher, EXACT_STEPS, scale)
    look("teacher", teacher, EXACT_STEPS, 1.0)
    counts = config.distil.student_steps
    for num_steps in counts:
        look("teacher", teacher, num_steps, scale)
        look("teacher", teacher, num_steps, 1.0)
    for entry in rounds:
        place = folder if entry is rounds[-1] else folder / entry.folder
        if entry is rounds[-1] and config.run.ema_decay:
            place = folder / EMA_FOLDER  # the rounds before it are running means as well
        if not entry.num_steps:
            for num_steps in (EXACT_STEPS, *counts):
                look("student of guidance", place, num_steps, 1.0)
        else:
            look(f"student of {entry.num_steps} steps", place, entry.num_steps, 1.0)
    return rows


def show(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| Model | Steps | Guidance | Denoiser calls | CPU s | Distance |", "|---|---|---|---|---|---|"]
    for row in rows:
        calls = row.num_steps * (1 if row.guidance_scale == 1 else 2)
        lines.append(
            f"| {row.model} | {row.num_steps} | {row.guidance_scale:g} | {calls} | {row.seconds:.2f} | "
            f"{row.distance:.3f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Distil unless that was done, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--start", required=True, help="folder of the teacher, a stage 3")
    parser.add_argument("--train", required=True, type=Path, help="list of clips to learn from")
    parser.add_argument("--held_out", required=True, type=Path, help="list of clips to compare on")
    parser.add_argument("--config", required=True, type=Path, help="YAML of stage 4")
    parser.add_argument("--output", default="exp", help="where the run folder goes (exp)")
    parser.add_argument("--scenes", type=int, default=4, help="held-out windows to compare on (4)")
    parser.add_argument("settings", nargs="*", help="section.key=value")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    config = load_config(
        TrainConfig,
        args.config,
        overrides=[
            "run.train=distil_demo",
            f"run.output_root={args.output}",
            "run.device=cpu",
            f"model.start_from={args.start}",
            f"data.meta_paths=[{args.train}]",
            *args.settings,
        ],
    )
    folder = stage_folder(args.output, config.run.train, config.run.stage)
    if not folder.exists():
        started = time.process_time()
        losses = run_training(config)
        logger.info("%d steps in %.0f CPU seconds", len(losses), time.process_time() - started)
    sys.stdout.write(show(table(config, folder, args.held_out, count=args.scenes)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
