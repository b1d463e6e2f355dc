"""Train the landmark network of the embedded face backend from MediaPipe's tracks of talking clips.

python -m talkvid.training.face_landmarks --config src/configs/mini/face_landmarks.yaml data.root=MEDIA
"""

import argparse
import json
import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from talkvid import log
from talkvid.config import load_config
from talkvid.face.landmark_net import (
    CONFIG,
    FIVE,
    WEIGHTS,
    LandmarkConfig,
    LandmarkNet,
    Landmarks,
    channels_last,
    describe,
)
from talkvid.files import atomic_path
from talkvid.records import NUM_LIP, Array
from talkvid.training.face_augment import draw_batch, place_window
from talkvid.training.face_teacher import Samples, collect, read_split, upright_points

logger = logging.getLogger("talkvid.training.face_landmarks")

LIP_WEIGHT = 2.0
FIVE_WEIGHT = 5.0
ROTATION_WEIGHT = 0.05
JAW_WEIGHT = 0.02
POINT_SLACK = 0.003
"""Errors in window units below which the loss is quadratic."""
NUM_MODES = 60
STATE = "state.pt"


@dataclass(frozen=True)
class DataConfig:
    """Which clips teach."""

    root: str = "data/talking_clips"
    """Folder below which the clips of the split list lie."""
    split: str = ""
    """The split list (columns file, person, split); empty means split.csv in `root`."""
    teacher_model: str = ""
    """FaceLandmarker model file; empty means the environment variable TALKVID_FACE_LANDMARKER."""
    frames_per_clip: int = 60


@dataclass(frozen=True)
class FaceLandmarksConfig:
    """One training run of the landmark network."""

    data: DataConfig = field(default_factory=DataConfig)
    work_dir: str = "exp/face_landmarks"
    """Samples, the resumable state and, at the end, the weights."""
    seed: int = 7
    steps: int = 6000
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    average: float = 0.998
    """Decay of the running mean of the weights, which is what is kept."""
    save_every: int = 250
    validate_every: int = 1000


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("overrides", nargs="*", help="section.key=value")
    arguments = parser.parse_args()
    log.configure()
    train(load_config(FaceLandmarksConfig, arguments.config, overrides=arguments.overrides))


def train(config: FaceLandmarksConfig) -> Path:
    """Return the folder with the trained network; continues an interrupted run of the same work folder."""
    work, root = Path(config.work_dir), Path(config.data.root)
    split = Path(config.data.split) if config.data.split else root / "split.csv"
    training, checking = (
        collect(
            read_split(split, part),
            root,
            work,
            teacher_model=config.data.teacher_model,
            frames_per_clip=config.data.frames_per_clip,
        )
        for part in ("train", "val")
    )
    torch.manual_seed(config.seed)
    net = LandmarkNet(LandmarkConfig())
    net.start_from_shapes(*_shape_modes(training, net.config.size, config.seed))
    run = Run(config, net, work)
    start = time.process_time()
    for step in range(run.step, config.steps):
        loss = run.train_step(training, step)
        if (step + 1) % config.save_every == 0:
            run.save(step + 1)
            spent = time.process_time() - start
            logger.info("step %d loss %.5f, %.0f CPU s", step + 1, loss, spent)
        if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
            logger.info("step %d %s", step + 1, _text(validate(run.mean_net(), checking)))
    write_network(run.mean_net(), work, config, validate(run.mean_net(), checking))
    return work


class Run:
    """Network, optimiser and running mean, with their state on disk."""

    def __init__(self, config: FaceLandmarksConfig, net: LandmarkNet, work: Path) -> None:
        self.config, self.work, self.step = config, work, 0
        self.net = channels_last(net).train()
        self.mean = {name: value.clone() for name, value in net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        if (work / STATE).is_file():
            state = torch.load(work / STATE, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.mean, self.step = state["mean"], state["step"]
            logger.info("continuing at step %d", self.step)

    def train_step(self, samples: Samples, step: int) -> float:
        """Return the loss of one step; what is drawn depends on (seed, step) alone."""
        config = self.config
        generator = np.random.default_rng((config.seed, step))
        indices = _draw_indices(samples, config.batch, generator)
        images, *labels = draw_batch(samples, indices, self.net.config.size, generator)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config.steps)
        with torch.autocast("cpu", torch.bfloat16):
            found = self.net(_to_tensor(images))
        loss = landmark_loss(found, *(torch.from_numpy(label) for label in labels))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        decay = min(config.average, (1 + step) / (10 + step))
        for name, value in self.net.state_dict().items():
            if value.dtype.is_floating_point:
                self.mean[name].lerp_(value, 1 - decay)
            else:
                self.mean[name].copy_(value)
        return float(loss.detach())

    def mean_net(self) -> LandmarkNet:
        """Return a network with the running mean of the weights."""
        net = LandmarkNet(self.net.config)
        net.load_state_dict(self.mean)
        return net.eval()

    def save(self, step: int) -> None:
        """Write the state from which the run can continue."""
        with atomic_path(self.work / STATE) as temporary:
            state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}
            torch.save({**state, "mean": self.mean, "step": step}, temporary)


def landmark_loss(found: Landmarks, points: Tensor, rotations: Tensor, jaws: Tensor) -> Tensor:
    """Return the loss: errors of points (lips and the five points count more), rotation and jaw opening."""
    weight = torch.ones(points.shape[1])
    weight[:NUM_LIP] = LIP_WEIGHT
    weight[list(FIVE)] = FIVE_WEIGHT
    distance = functional.smooth_l1_loss(found.points, points, beta=POINT_SLACK, reduction="none").sum(-1)
    shape = (distance * weight).sum() / weight.sum() / len(points)
    turn = (found.rotation - rotations).abs().mean()
    jaw = (found.jaw_open - jaws).abs().mean()
    return shape + ROTATION_WEIGHT * turn + JAW_WEIGHT * jaw


@torch.inference_mode()
def validate(net: LandmarkNet, samples: Samples, *, seed: int = 0) -> dict[str, float]:
    """Return errors on undisturbed windows placed a little wrong: in eye distances, degrees and jaw units."""
    generator = np.random.default_rng(seed)
    totals: list[list[float]] = []
    for start in range(0, len(samples), 64):
        chosen = range(start, min(start + 64, len(samples)))
        shifts = generator.normal(0, 0.02, size=(len(chosen), 2))
        placed = [
            place_window(samples, index, net.config.size, 0.0, 1.0, shift)
            for index, shift in zip(chosen, shifts, strict=True)
        ]
        found = net(_to_tensor(np.stack([image for image, _, _ in placed])))
        points = np.stack([shape for _, shape, _ in placed])
        error = np.linalg.norm(found.points.numpy() - points, axis=-1)
        five = upright_points(points)
        error /= np.linalg.norm(five[:, 0] - five[:, 1], axis=-1)[:, None]
        wrong = np.linalg.norm(upright_points(found.points.numpy()) - five, axis=-1)
        wrong /= np.linalg.norm(five[:, 0] - five[:, 1], axis=-1)[:, None]
        turn = found.rotation.numpy() @ np.stack([rotation for _, _, rotation in placed]).transpose(0, 2, 1)
        angle = np.degrees(np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        jaw = np.abs(found.jaw_open.numpy() - samples.jaw_open[list(chosen)])
        totals += np.stack([wrong.mean(1), error[:, :NUM_LIP].mean(1), error.mean(1), angle, jaw], 1).tolist()
    means = np.mean(totals, axis=0)
    names = ("five_points", "lips", "all_points", "rotation_deg", "jaw_open")
    return {name: float(value) for name, value in zip(names, means, strict=True)}


def write_network(
    net: LandmarkNet, folder: Path, config: FaceLandmarksConfig, errors: dict[str, float]
) -> None:
    """Write the weights in half precision and their JSON: sizes, training and errors on the `val` persons."""
    tensors = {
        name: (value.half() if value.dtype.is_floating_point else value).contiguous()
        for name, value in net.state_dict().items()
    }
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
        temporary.chmod(0o644)
    description: dict[str, Any] = {
        "network": describe(net.config),
        "teacher": "MediaPipe FaceLandmarker (Apache-2.0)",
        "licence": "CC BY-NC 4.0: learned from research-only clips",
        "training": {"steps": config.steps, "batch": config.batch, "seed": config.seed},
        "errors_on_val_windows": {name: round(value, 5) for name, value in errors.items()},
    }
    with atomic_path(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n")


def _shape_modes(samples: Samples, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return mean (290,) and first modes (60 290), one standard deviation long, of shapes."""
    generator = np.random.default_rng(seed)
    indices = _draw_indices(samples, 2048, generator)
    _, points, _, _ = draw_batch(samples, indices, size, generator)
    shapes = points.reshape(len(points), -1)
    mean = shapes.mean(axis=0)
    _, strength, modes = np.linalg.svd(shapes - mean, full_matrices=False)
    scaled = modes[:NUM_MODES] * (strength[:NUM_MODES, None] / math.sqrt(len(points)))
    return torch.from_numpy(mean), torch.from_numpy(scaled)


def _draw_indices(samples: Samples, count: int, generator: np.random.Generator) -> Array:
    """Return sample numbers, every clip being equally likely to come up whatever its length."""
    present = np.unique(samples.clips)
    starts = np.searchsorted(samples.clips, present)
    ends = np.searchsorted(samples.clips, present, side="right")
    chosen = generator.integers(len(present), size=count)
    return (starts[chosen] + generator.random(count) * (ends - starts)[chosen]).astype(np.int64)


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _to_tensor(images: Array) -> Tensor:
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)


def _text(errors: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in errors.items())


if __name__ == "__main__":
    main()
