"""Trains the embedded model's lip predictor: log-mel and a person's lips -> lip and jaw motion."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from talkvid import log
from talkvid.files import atomic_path
from talkvid.model.lip_predictor import LipPredictor, LipPredictorConfig, inner_gap
from talkvid.records import NUM_LIP
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_clips import FPS
from talkvid.training.mini_data import load_clips
from talkvid.training.mini_lip_clips import SpokenClip, mirror_moving, pool_frames, spoken_clips
from talkvid.training.mini_loop import Loop, LoopConfig, apply_step

logger = logging.getLogger("talkvid.training.mini_lips")


SHAPES_FOR_BASIS = 5000


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
    noise: float = 0.3
    """Deviation of the noise on the log-mel rows."""
    lost_bands: float = 0.12
    """Half width, as a share of half the bands, of a stretch of bands hidden from each sample."""


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
        margin = max(config.model.rows_before, config.model.rows_after)
        self.pool = pool_frames(self.clips, self.silence, margin=margin)
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
        some = shapes[:: max(1, len(shapes) // SHAPES_FOR_BASIS)] - mean
        _, deviation, directions = torch.linalg.svd(some, full_matrices=False)
        count = self.config.model.num_coefficients
        scale = deviation[:count] / len(some) ** 0.5
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
        opening = (inner_gap(made) - inner_gap(target)).abs().mean()
        loss = error + self.config.opening_weight * opening
        apply_step(loss, self.optimizer, list(self.model.parameters()))
        self.model.eval()
        return {"loss": 100 * float(loss.detach())}

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature windows (B T D), own shapes (B P 2) and target shapes (B P 2)."""
        config, pool = self.config, self.pool
        count = config.loop.batch_size
        clip = torch.multinomial(self.weights, count, True, generator=generator)
        pair = torch.rand((2, count), generator=generator) * pool.num_frames[clip]
        own_place, place = (pool.first_frame[clip] + pair.long()).unbind()
        rows = pool.rows[
            pool.centre[place][:, None] + torch.arange(-config.model.rows_before, config.model.rows_after)
        ]
        own, target = pool.shapes[own_place], pool.shapes[place]
        silent = torch.rand(count, generator=generator) < config.silence_share
        rows = torch.where(silent[:, None, None], self.silence, rows)
        target = torch.where(silent[:, None, None], pool.rest[clip], target)
        flip = (torch.rand(count, generator=generator) < 0.5)[:, None, None]
        own = torch.where(flip, self._mirrored(own), own)
        target = torch.where(flip, self._mirrored(target), target)
        own = own + 0.004 * torch.randn(own.shape, generator=generator)
        return self._augmented(rows, generator), own, target

    def _augmented(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return feature windows (B T D) as another voice or microphone would give them."""
        one_each = (len(rows), 1, 1)
        rows = rows + self.config.noise * torch.randn(rows.shape, generator=generator)
        rows = rows + 0.2 * torch.randn(one_each, generator=generator)
        band = torch.linspace(-1, 1, rows.shape[-1])
        rows = rows + 0.3 * torch.randn(one_each, generator=generator) * band
        lost = torch.rand(one_each, generator=generator) * 2.6 - 1.3
        return torch.where((band - lost).abs() < self.config.lost_bands, self.model.feature_mean, rows)

    def _mirrored(self, shape: Tensor) -> Tensor:
        return shape[:, self.mirror] * torch.tensor([-1.0, 1.0])

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
    made_opening, real_opening = inner_gap(made), inner_gap(real)
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
