"""Trains the embedded model's generator: the warped portrait's mouth becomes the real one, in one step."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from talkvid import log
from talkvid.files import atomic_path
from talkvid.model.autoencoder import AutoencoderConfig, SmallAutoencoder
from talkvid.training.mini_autoencoder import picture_error, psnr, save_sheet
from talkvid.training.mini_data import load_clips
from talkvid.training.mini_generator_model import Generator, GeneratorModel
from talkvid.training.mini_loop import Loop, LoopConfig, apply_step, prefetched
from talkvid.training.mini_mouth_judge import MouthJudge, Verdict, feature_loss, fooling_loss, hinge_loss
from talkvid.training.mini_pairs import PairBatch, PairSampler

logger = logging.getLogger("talkvid.training.mini_generator")

FRAME_SHEET = 8
# The judge's learning rate, of the generator's: at the same rate it does not tell the two apart.
JUDGE_PACE = 3.0


@dataclass(frozen=True)
class GeneratorTraining:
    """Everything `mini_generator` can be told."""

    media: str = "media"
    data: str = "exp/talkvid-mini/data"
    autoencoder: str = "exp/talkvid-mini/autoencoder/autoencoder.safetensors"
    autoencoder_model: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(batch_size=4, learning_rate=4e-4))
    model: GeneratorModel = field(default_factory=GeneratorModel)
    frames_per_portrait: int = 4
    latent_weight: float = 0.3
    """Factor on the error of the latents beside that of the pictures."""
    mouth_weight: float = 6.0
    edge_weight: float = 1.0
    opening_weight: float = 3.0
    """Further weight between the inner lips, where teeth and tongue are."""
    adversarial_from: int = 800
    """Step from which the judge looks at the mouth."""
    adversarial_weight: float = 0.5
    feature_weight: float = 6.0
    """Factor on the difference of the judge's features of made and real mouths."""
    audio_drop: float = 0.1
    num_validation_frames: int = 8


@dataclass(frozen=True)
class Rendered:
    """What the generator made of a batch, frames flat: M = B F."""

    final: Tensor
    """(M 3 S S) around [-1, 1]: warped portrait plus the masked change."""
    latents: Tensor
    """(M C h w) the predicted latents."""
    decoded: Tensor
    """(M 3 S S) the picture of those latents alone, which the judge sees."""


class GeneratorTrainer:
    """The step and the validation of the generator."""

    def __init__(self, config: GeneratorTraining) -> None:
        self.config = config
        torch.manual_seed(config.loop.seed)
        torch.set_num_threads(config.loop.threads)
        self.device = torch.device(config.loop.device)
        self.vae = SmallAutoencoder(config.autoencoder_model)
        self.vae.load_state_dict(load_file(config.autoencoder))
        self.vae.to(self.device).eval().requires_grad_(False)
        self.generator = Generator(config.model).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.generator.parameters(),
            config.loop.learning_rate,
            (0.9, 0.99),
            weight_decay=config.loop.weight_decay,
        )
        self.judge = MouthJudge().to(self.device)
        for network in (self.vae, self.judge):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        self.judge_optimizer = torch.optim.AdamW(
            self.judge.parameters(), JUDGE_PACE * config.loop.learning_rate, (0.5, 0.99)
        )
        media, data = Path(config.media), Path(config.data)
        self.train = PairSampler(load_clips(media, data, "train"), num_pad=config.model.num_pad_audio_frames)
        self.held_out = PairSampler(load_clips(media, data, "val"), num_pad=config.model.num_pad_audio_frames)
        self.validation = [
            self.held_out.in_order(
                clip, np.linspace(10, len(clip.usable) - 1, config.num_validation_frames).astype(int)
            )
            for clip in self.held_out.clips
        ]
        self.batches: Iterator[PairBatch] | None = None
        self.loop = Loop(
            config.loop,
            "generator",
            modules={"generator": self.generator, "judge": self.judge},
            optimizers={"generator": self.optimizer, "judge": self.judge_optimizer},
            columns=("loss", "judge", "fooled", "mouth_psnr", "warp_psnr", "first_frame_psnr"),
        )

    def render(self, generator: nn.Module, batch: PairBatch, *, audio: bool = True) -> Rendered:
        """Return what `generator` makes of a batch."""
        num = batch.warped.shape[0]
        warped = rearrange(batch.warped, "b f c h w -> (b f) c h w")
        with (
            torch.no_grad(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.loop.autocast),
        ):
            latents = self.vae.encode(torch.cat([warped, batch.reference])).float()
            base, reference = latents[: len(warped)], latents[len(warped) :]
        with torch.no_grad():
            before = self._decode(base)
        # Small layers gain nothing from bfloat16 on a CPU; a GPU computes them so.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            residual = generator(
                rearrange(base, "(b f) c h w -> b c f h w", b=num),
                reference,
                batch.drawing,
                batch.audio if audio else None,
            ).float()
        made = base + rearrange(residual, "b c f h w -> (b f) c h w")
        after = self._decode(made)
        mask = batch.mask.flatten(0, 1)
        return Rendered(final=warped + mask * (after - before), latents=made, decoded=after)

    def _decode(self, latents: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.loop.autocast):
            return self.vae.decode_signed(latents).float()

    def make_batch(self, step: int) -> PairBatch:
        """Return the training batch of a step, a function of the seed and the step alone."""
        random = np.random.default_rng([self.config.loop.seed, step])
        return self.train.batch(self.config.loop.batch_size, self.config.frames_per_portrait, random)

    def step(self, step: int, generator: torch.Generator) -> dict[str, float]:
        """Train one batch and return its loss."""
        config = self.config
        if self.batches is None:
            last = config.loop.max_steps
            self.batches = prefetched(self.make_batch, step, last, workers=config.loop.workers)
        batch: PairBatch = next(self.batches).to(self.device)
        hears = bool(torch.rand((), generator=generator) >= config.audio_drop)
        made = self.render(self.generator, batch, audio=hears)
        real = batch.target.flatten(0, 1)
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=config.loop.autocast):
            real_latents = self.vae.encode(real).float()
        mask = batch.mask.flatten(0, 1)
        small = F.avg_pool2d(mask, self.vae.factor)
        opening = rearrange(batch.drawing[:, 1], "b f h w -> (b f) 1 h w")
        weight = 0.1 + (config.mouth_weight - 1) * mask + config.opening_weight * opening
        loss = picture_error(made.final, real, weight, edge_weight=config.edge_weight)
        latent_error = ((made.latents - real_latents).abs() * small).mean() / small.mean()
        loss = loss + config.latent_weight * latent_error
        values = {"loss": float(loss.detach())}
        if step >= config.adversarial_from:
            drawing = rearrange(batch.drawing, "b c f h w -> (b f) c h w")
            with torch.no_grad():  # the judge must not tell the two by what the autoencoder loses
                real = self._decode(real_latents)
            values |= self._train_judge(real * mask, (made.decoded * mask).detach(), drawing)
            loss = loss + self._judged(real * mask, made.decoded * mask, drawing)
        apply_step(loss, self.optimizer, list(self.generator.parameters()))
        return values

    def _train_judge(self, real: Tensor, made: Tensor, drawing: Tensor) -> dict[str, float]:
        on_real, on_made = self._look(real, drawing), self._look(made, drawing)
        loss = hinge_loss(on_real, on_made, drawing[:, 1:2])
        apply_step(loss, self.judge_optimizer, list(self.judge.parameters()))
        return {"judge": float(loss.detach()), "fooled": float((on_made.scores[0] > 0).float().mean())}

    def _look(self, pictures: Tensor, drawing: Tensor) -> Verdict:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.loop.autocast):
            verdict: Verdict = self.judge(pictures, drawing)
        return verdict

    def _judged(self, real: Tensor, made: Tensor, drawing: Tensor) -> Tensor:
        """Return what the judge adds to the generator's loss."""
        config, opening = self.config, drawing[:, 1:2]
        on_made = self._look(made, drawing)
        with torch.no_grad():
            on_real = self._look(real, drawing)
        loss = config.adversarial_weight * fooling_loss(on_made, opening)
        return loss + config.feature_weight * feature_loss(on_real, on_made, opening)

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Return mouth PSNR on held-out persons: ours, the plain warp's, and that of the first frame kept."""
        generator = self.loop.average("generator")
        rows, ours, warp, still = [], [], [], []
        for batch in self.validation:
            batch = batch.to(self.device)
            made = self.render(generator, batch)
            real, mask = batch.target.flatten(0, 1), batch.mask.flatten(0, 1)
            kept = batch.reference.repeat_interleave(batch.target.shape[1], dim=0)
            ours.append(psnr(_unit(made.final), _unit(real), mask))
            warp.append(psnr(_unit(batch.warped.flatten(0, 1)), _unit(real), mask))
            still.append(psnr(_unit(kept), _unit(real), mask))
            rows += [
                kept[:FRAME_SHEET],
                batch.warped[0, :FRAME_SHEET],
                made.final[:FRAME_SHEET],
                real[:FRAME_SHEET],
            ]
        save_sheet(self.loop.folder / "held_out.png", [_unit(row) for row in rows[:24]])
        return {
            "mouth_psnr": float(np.mean(ours)),
            "warp_psnr": float(np.mean(warp)),
            "first_frame_psnr": float(np.mean(still)),
        }

    def finish(self) -> Path:
        """Write the averaged networks, one file each, and return their folder."""
        from safetensors.torch import save_file

        generator: Generator = self.loop.average("generator")
        for name, module in generator.named_children():
            with atomic_path(self.loop.folder / f"{name}.safetensors") as temporary:
                save_file({key: value.contiguous() for key, value in module.state_dict().items()}, temporary)
        return self.loop.folder


def _unit(pictures: Tensor) -> Tensor:
    return (pictures * 0.5 + 0.5).clamp(0, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line: --config YAML [section.key=value …]."""
    from talkvid.training.mini_command import read_command

    log.configure()
    trainer = GeneratorTrainer(read_command(GeneratorTraining, arguments))
    if trainer.loop.run(trainer.step, trainer.validate):
        logger.info("wrote %s", trainer.finish())


if __name__ == "__main__":
    main()
