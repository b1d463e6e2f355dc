"""Trains the embedded model's lip predictor: log-mel and a person's lips -> lip and jaw motion."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talkvid import log
from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.lip_motion import JAW, mouth_opening
from talkvid.media.files import atomic_path
from talkvid.model.lip_predictor import ROWS_PER_S, LipPredictor, LipPredictorConfig, cut_windows
from talkvid.records import NUM_LIP, Array
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_clips import FPS
from talkvid.training.mini_data import PackedClip, load_clips
from talkvid.training.mini_loop import Loop, LoopConfig, apply_step

logger = logging.getLogger(__name__)

QUIET_SHARE = 15.0
"""Percentile of a clip's mouth opening below which its lips count as closed."""


@dataclass(frozen=True)
class LipTraining:
    """Everything `mini_lips` can be told."""

    media: str = "media"
    data: str = "exp/talkvid-mini/data"
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(batch_size=128, learning_rate=1e-3, autocast=False)
    )
    model: LipPredictorConfig = field(default_factory=LipPredictorConfig)
    opening_weight: float = 2.0
    """Factor on the error of the mouth's opening beside that of all points."""
    jaw_weight: float = 0.3
    silence_share: float = 0.06
    """Share of samples that hear nothing and must close the mouth."""
    noise: float = 0.15
    """Deviation of the noise on the log-mel rows."""


@dataclass(frozen=True)
class SpokenClip:
    """One clip as this training sees it: feature rows, lip shapes without the head's turn, opening."""

    name: str
    rows: Tensor
    """(T D) log-mel."""
    shapes: Tensor
    """(F P 2) lips and jaw in the face frame."""
    frames: Tensor
    """(K,) usable frame numbers."""
    rest: Tensor
    """(P 2) mean shape of the frames with nearly closed lips."""


def moving_shapes(clip: PackedClip) -> Array:
    """Return lips and jaw (F P 2) of every picture in its face frame, zeros where no face was found."""
    shapes = np.zeros((len(clip), NUM_LIP + JAW.stop - JAW.start, 2), np.float32)
    for index in clip.usable:
        shapes[index] = clip.shape(int(index)).moving
    return shapes


def mirror_moving() -> Array:
    """Return the index swap (P,) of the moving points in a mirrored picture."""
    contour = np.array(mirrored_contour())[JAW] - JAW.start
    return np.concatenate([np.array(mirrored_lips()), NUM_LIP + contour])


def pose_effect(clips: list[PackedClip], shapes: list[Array]) -> Array:
    """Return how the shape changes with pitch and yaw (radians), (2, P, 2), by least squares within clips."""
    poses, moved = [], []
    for clip, shape in zip(clips, shapes, strict=True):
        pose = np.deg2rad(clip.pose[clip.usable][:, :2])
        poses.append(pose - pose.mean(axis=0))
        moved.append(shape[clip.usable] - shape[clip.usable].mean(axis=0))
    pose, move = np.concatenate(poses), np.concatenate(moved)
    effect = np.linalg.lstsq(pose, move.reshape(len(move), -1), rcond=None)[0]
    return effect.reshape(2, -1, 2).astype(np.float32)


def spoken_clips(clips: list[PackedClip], effect: Array | None = None) -> tuple[list[SpokenClip], Array]:
    """Return the clips for training and the pose effect, measured on them when it is not given."""
    shapes = [moving_shapes(clip) for clip in clips]
    if effect is None:
        effect = pose_effect(clips, shapes)
    encoder = LogMelEncoder()
    spoken = []
    for clip, shape in zip(clips, shapes, strict=True):
        pose = np.nan_to_num(np.deg2rad(clip.pose[:, :2]))
        pose = pose - pose[clip.usable].mean(axis=0)
        shape = shape - np.einsum("fa,apc->fpc", pose, effect).astype(np.float32)
        opening = mouth_opening(shape[clip.usable, :NUM_LIP])
        closed = clip.usable[opening <= np.percentile(opening, QUIET_SHARE)]
        spoken.append(
            SpokenClip(
                name=clip.source.id,
                rows=encoder.encode(clip.audio),
                shapes=torch.from_numpy(shape),
                frames=torch.from_numpy(clip.usable),
                rest=torch.from_numpy(shape[closed].mean(axis=0)),
            )
        )
    return spoken, effect


class LipTrainer:
    """The step and the validation of the lip predictor."""

    def __init__(self, config: LipTraining) -> None:
        self.config = config
        torch.manual_seed(config.loop.seed)
        torch.set_num_threads(config.loop.threads)
        media, data = Path(config.media), Path(config.data)
        self.clips, effect = spoken_clips(load_clips(media, data, "train", synced_only=True))
        self.held_out, _ = spoken_clips(load_clips(media, data, "val", synced_only=True), effect)
        self.silence = LogMelEncoder().encode(np.zeros(16000, np.float32))[50]
        self.weights = torch.tensor([len(clip.frames) for clip in self.clips]).float().sqrt()
        self.mirror = torch.from_numpy(mirror_moving())
        self.model = LipPredictor(config.model)
        self._fit_buffers()
        optimizer = torch.optim.AdamW(self.model.parameters(), config.loop.learning_rate, weight_decay=0.02)
        self.optimizer = optimizer
        self.loop = Loop(
            config.loop,
            "lip_predictor",
            modules={"lip_predictor": self.model},
            optimizers={"lip_predictor": optimizer},
            columns=("loss", "opening_r", "lip_distance", "still_distance", "best_still_distance"),
        )
        logger.info("%d training clips, %d held-out clips", len(self.clips), len(self.held_out))

    def _fit_buffers(self) -> None:
        """Set feature scaling and the shape basis (principal directions of centred shapes) from the clips."""
        rows = torch.cat([clip.rows for clip in self.clips])
        self.model.feature_mean.copy_(rows.mean(dim=0))
        self.model.feature_std.copy_(rows.std(dim=0) + 0.05)
        self.model.silent_row.copy_(self.silence)
        shapes = torch.cat([clip.shapes[clip.frames] for clip in self.clips]).flatten(1)
        mean = shapes.mean(dim=0)
        _, deviation, directions = torch.linalg.svd(shapes[::5] - mean, full_matrices=False)
        count = self.config.model.num_coefficients
        scale = deviation[:count] / len(shapes[::5]) ** 0.5
        self.model.shape_mean.copy_(mean)
        self.model.shape_basis.copy_(directions[:count] * scale[:, None])

    def step(self, step: int, generator: torch.Generator) -> dict[str, float]:
        """Train one batch and return its loss, in percent of the face size."""
        windows, own, target = self._batch(generator)
        self.model.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            made = own + self.model(windows, own)
        distance = (made - target).abs().mean(dim=(0, 2))
        error = distance[:NUM_LIP].mean() + self.config.jaw_weight * distance[NUM_LIP:].mean()
        opening = (opening_of(made) - opening_of(target)).abs().mean()
        loss = error + self.config.opening_weight * opening
        apply_step(loss, self.optimizer, list(self.model.parameters()))
        self.model.eval()
        return {"loss": 100 * float(loss.detach())}

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature windows (B T D), own shapes (B P 2) and target shapes (B P 2)."""
        size, config = self.config.model, self.config
        windows, owns, targets = [], [], []
        for number in torch.multinomial(
            self.weights, config.loop.batch_size, True, generator=generator
        ).tolist():
            clip = self.clips[number]
            chosen = clip.frames[torch.randint(len(clip.frames), (2,), generator=generator)]
            own, target = clip.shapes[chosen]
            centre = torch.round(chosen[1:] * (ROWS_PER_S / FPS)).long()
            window = cut_windows(clip.rows, centre, size.rows_before, size.rows_after, fill=self.silence)[0]
            if torch.rand((), generator=generator) < config.silence_share:
                window, target = self.silence.expand_as(window), clip.rest
            if torch.rand((), generator=generator) < 0.5:
                own, target = self._mirrored(own), self._mirrored(target)
            windows.append(window)
            owns.append(own)
            targets.append(target)
        rows = torch.stack(windows)
        rows = rows + config.noise * torch.randn(rows.shape, generator=generator)
        level = 0.2 * torch.randn((len(rows), 1, 1), generator=generator)
        own = torch.stack(owns)
        own = own + 0.004 * torch.randn(own.shape, generator=generator)
        return rows + level, own, torch.stack(targets)

    def _mirrored(self, shape: Tensor) -> Tensor:
        return shape[self.mirror] * torch.tensor([-1.0, 1.0])

    def validate(self, step: int) -> dict[str, float]:
        """Return means over held-out clips: r of the opening, lip distances (% of the face size)."""
        rows = [measure_clip(self.loop.average("lip_predictor"), clip) for clip in self.held_out]
        names = ("opening_r", "lip_distance", "still_distance", "best_still_distance")
        return {name: float(np.mean([row[name] for row in rows])) for name in names}

    def finish(self) -> Path:
        """Write the averaged model and return its path."""
        from safetensors.torch import save_file

        path = self.loop.folder / "lip_predictor.safetensors"
        state = self.loop.average("lip_predictor").state_dict()
        with atomic_path(path) as temporary:
            save_file({key: value.contiguous() for key, value in state.items()}, temporary)
        return path


def opening_of(shapes: Tensor) -> Tensor:
    """Return the gap between the inner lips (B,) of moving shapes (B P 2)."""
    return (shapes[:, 23:28] - shapes[:, [37, 36, 35, 34, 33]]).norm(dim=-1).mean(dim=-1)


@torch.no_grad()
def measure_clip(model: LipPredictor, clip: SpokenClip) -> dict[str, float]:
    """Return how near the predicted lips come on one clip, from its first frame and its own sound.

    Lip distance: mean distance of the 40 lip points, own centre removed, in percent of the face size; `still`
    keeps the first frame's lips, `best_still` the clip's own mean lips (which no model can know).
    """
    count = len(clip.shapes)
    own = clip.shapes[clip.frames[0]]
    moved = own + torch.from_numpy(model.predict(clip.rows, count, fps=FPS, own_shape=own.numpy()))
    made, real = moved[clip.frames], clip.shapes[clip.frames]
    made_opening, real_opening = opening_of(made), opening_of(real)
    return {
        "opening_r": float(torch.corrcoef(torch.stack([made_opening, real_opening]))[0, 1]),
        "opening_std_ratio": float(made_opening.std() / real_opening.std()),
        "lip_distance": lip_distance(made, real),
        "still_distance": lip_distance(own.expand_as(real), real),
        "best_still_distance": lip_distance(real.mean(dim=0).expand_as(real), real),
    }


def lip_distance(made: Tensor, real: Tensor) -> float:
    """Return the mean distance (%) of centred lip points of moving shapes (F P 2)."""
    made, real = made[:, :NUM_LIP], real[:, :NUM_LIP]
    made, real = made - made.mean(dim=1, keepdim=True), real - real.mean(dim=1, keepdim=True)
    return 100 * float((made - real).norm(dim=-1).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line: --config YAML [section.key=value …]."""
    from talkvid.training.mini_command import read_command

    log.configure()
    trainer = LipTrainer(read_command(LipTraining, arguments))
    if trainer.loop.run(trainer.step, trainer.validate):
        for clip in trainer.held_out:
            measures = measure_clip(trainer.loop.average("lip_predictor"), clip)
            logger.info(
                "%s: %s", clip.name, ", ".join(f"{key} {value:.3f}" for key, value in measures.items())
            )
        logger.info("wrote %s", trainer.finish())


if __name__ == "__main__":
    main()
