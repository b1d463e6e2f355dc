"""Trains the embedded model's image autoencoder on mouth windows of the packed clips."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid import log
from talkvid.face.mouth_window import cut_mouth, mouth_corner, mouth_mask
from talkvid.files import atomic_path
from talkvid.media.image import save_image
from talkvid.model.autoencoder import AutoencoderConfig, SmallAutoencoder
from talkvid.training.mini_data import PackedClip, load_clips
from talkvid.training.mini_loop import Loop, LoopConfig, apply_step, prefetched
from talkvid.training.mini_samples import as_signed, window_batch

logger = logging.getLogger("talkvid.training.mini_autoencoder")


@dataclass(frozen=True)
class AutoencoderTraining:
    """Everything `mini_autoencoder` can be told."""

    media: str = "media"
    data: str = "exp/talkvid-mini/data"
    loop: LoopConfig = field(default_factory=LoopConfig)
    model: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    mouth_weight: float = 4.0
    edge_weight: float = 1.0
    """Factor on the difference of neighbouring pixels at three sizes: keeps pictures sharp."""
    latent_noise: float = 0.05
    latent_penalty: float = 1e-3
    adversarial_from: int = 1400
    """Step from which a patch discriminator joins in."""
    adversarial_weight: float = 0.04
    num_validation: int = 48
    num_measured: int = 256
    """Pictures on which the latents' mean and deviation are measured at the end."""


class PatchDiscriminator(nn.Module):
    """Says for every patch of about 40 pixels how real it looks."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in (channels, 2 * channels, 4 * channels):
            layers += [
                nn.utils.parametrizations.spectral_norm(nn.Conv2d(before, width, 4, stride=2, padding=1))
            ]
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Return a score for every patch: (B 3 H W) -> (B 1 H/8 W/8)."""
        scores: Tensor = self.layers(images)
        return scores


def edge_error(made: Tensor, real: Tensor, weight: Tensor, *, sizes: int = 3) -> Tensor:
    """Return the weighted mean difference of horizontal and vertical steps at `sizes` resolutions."""
    total = made.new_zeros(())
    for _ in range(sizes):
        for axis in (-1, -2):
            error = (made.diff(dim=axis) - real.diff(dim=axis)).abs()
            total = total + (error * weight.narrow(axis, 1, weight.shape[axis] - 1)).mean()
        made, real, weight = (F.avg_pool2d(plane, 2) for plane in (made, real, weight))
    return total


def picture_error(made: Tensor, real: Tensor, weight: Tensor, *, edge_weight: float) -> Tensor:
    """Return weighted L1 plus the edge term of pictures (B 3 H W) around [-1, 1], weight (B 1 H W)."""
    weight = weight / weight.mean()
    return ((made - real).abs() * weight).mean() + edge_weight * edge_error(made, real, weight)


class AutoencoderTrainer:
    """The step and the validation of the autoencoder."""

    def __init__(self, config: AutoencoderTraining) -> None:
        self.config = config
        torch.manual_seed(config.loop.seed)
        torch.set_num_threads(config.loop.threads)
        self.device = torch.device(config.loop.device)
        self.model = SmallAutoencoder(config.model).to(self.device)
        self.judge = PatchDiscriminator().to(self.device)
        for network in (self.model, self.judge):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        rate, decay = config.loop.learning_rate, config.loop.weight_decay
        self.optimizers = {
            "autoencoder": torch.optim.AdamW(self.model.parameters(), rate, (0.9, 0.99), weight_decay=decay),
            "judge": torch.optim.AdamW(self.judge.parameters(), rate / 2, (0.5, 0.99), weight_decay=decay),
        }
        self.clips = load_clips(Path(config.media), Path(config.data), "train")
        held_out = load_clips(Path(config.media), Path(config.data), "val")
        logger.info("%d training clips, %d held-out clips", len(self.clips), len(held_out))
        self.validation = self._batch(held_out, config.num_validation, np.random.default_rng(1), strength=0.0)
        self.batches: Iterator[tuple[Tensor, Tensor]] | None = None
        self.loop = Loop(
            config.loop,
            "autoencoder",
            modules={"autoencoder": self.model, "judge": self.judge},
            optimizers=self.optimizers,
            columns=("loss", "judge", "fooled", "psnr", "mouth_psnr", "sharpness"),
        )

    def _batch(
        self, clips: list[PackedClip], count: int, random: np.random.Generator, *, strength: float = 2.0
    ) -> tuple[Tensor, Tensor]:
        """Return mouth squares (B 3 S S) in [-1, 1] and mouth masks (B 1 S S)."""
        windows, shapes = window_batch(clips, count, random, strength=strength)
        corners = [mouth_corner(shape) for shape in shapes]
        masks = np.stack(
            [cut_mouth(mouth_mask(shape, shape), place) for shape, place in zip(shapes, corners, strict=True)]
        )[:, None]
        mouths = np.stack([cut_mouth(*pair) for pair in zip(windows, corners, strict=True)])
        pictures = torch.from_numpy(as_signed(mouths)).contiguous(memory_format=torch.channels_last)
        return pictures, torch.from_numpy(masks)

    def make_batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the training batch of a step, a function of the seed and the step alone."""
        random = np.random.default_rng([self.config.loop.seed, step])
        return self._batch(self.clips, self.config.loop.batch_size, random)

    def step(self, step: int, generator: torch.Generator) -> dict[str, float]:
        """Train one batch and return its losses."""
        config = self.config
        if self.batches is None:
            last = config.loop.max_steps
            self.batches = prefetched(self.make_batch, step, last, workers=config.loop.workers)
        real, mask = (plane.to(self.device) for plane in next(self.batches))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.loop.autocast):
            latents = self.model.encode(real)
            noise = torch.randn(latents.shape, generator=generator).to(self.device)
            made = self.model.decode_signed(latents + config.latent_noise * noise)
        made, latents = made.float(), latents.float()
        loss = picture_error(made, real, 1 + (config.mouth_weight - 1) * mask, edge_weight=config.edge_weight)
        loss = loss + config.latent_penalty * latents.square().mean()
        values = {"loss": float(loss.detach())}
        if step >= config.adversarial_from:
            values |= self._train_judge(real, made.detach())
            with torch.autocast(self.device.type, torch.bfloat16, enabled=config.loop.autocast):
                score = self.judge(made)
            loss = loss - config.adversarial_weight * score.float().mean()
        apply_step(loss, self.optimizers["autoencoder"], list(self.model.parameters()))
        return values

    def _train_judge(self, real: Tensor, made: Tensor) -> dict[str, float]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.loop.autocast):
            on_real, on_made = self.judge(torch.cat([real, made])).float().chunk(2)
        loss = F.relu(1 - on_real).mean() + F.relu(1 + on_made).mean()
        apply_step(loss, self.optimizers["judge"], list(self.judge.parameters()))
        return {"judge": float(loss.detach()), "fooled": float((on_made > 0).float().mean())}

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Return PSNR, mouth PSNR and sharpness on held-out windows; leave a sheet of them."""
        model: SmallAutoencoder = self.loop.average("autoencoder")
        real, mask = (plane.to(self.device) for plane in self.validation)
        made = torch.cat([model.decode(model.encode(part)) for part in real.split(16)])
        target = real * 0.5 + 0.5
        save_sheet(self.loop.folder / "held_out.png", [target[:12], made[:12]])
        return {
            "psnr": psnr(made, target, torch.ones_like(mask)),
            "mouth_psnr": psnr(made, target, mask),
            "sharpness": sharpness(made, mask) / sharpness(target, mask),
        }

    def finish(self) -> Path:
        """Measure the latents' mean and deviation, write the averaged model and return its path."""
        from safetensors.torch import save_file

        model: SmallAutoencoder = self.loop.average("autoencoder")
        pictures, _ = self._batch(
            self.clips, self.config.num_measured, np.random.default_rng(7), strength=1.0
        )
        measure_latents(model, list(pictures.to(self.device).split(32)))
        path = self.loop.folder / "autoencoder.safetensors"
        with atomic_path(path) as temporary:
            save_file({key: value.contiguous() for key, value in model.state_dict().items()}, temporary)
        return path


@torch.no_grad()
def measure_latents(model: SmallAutoencoder, batches: list[Tensor]) -> None:
    """Set the model's scaling so that its latents have mean 0 and deviation 1 per channel."""
    raw = torch.cat([model.encoder(batch) for batch in batches])
    model.latent_mean.copy_(raw.mean(dim=(0, 2, 3)))
    model.latent_std.copy_(raw.std(dim=(0, 2, 3)))


def psnr(made: Tensor, real: Tensor, mask: Tensor) -> float:
    """Return the PSNR in dB of pictures (B 3 H W) in [0, 1] inside `mask` (B 1 H W)."""
    error = ((made - real).square() * mask).sum() / (3 * mask.sum())
    return float(-10 * torch.log10(error + 1e-12))


def sharpness(pictures: Tensor, mask: Tensor) -> float:
    """Return the energy of the Laplacian of grey pictures (B 3 H W) inside `mask` (B 1 H W)."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=pictures.device)[None, None]
    laplacian = F.conv2d(pictures.mean(dim=1, keepdim=True), kernel, padding=1)
    return float((laplacian.square() * mask).sum() / mask.sum())


def save_sheet(path: Path, rows: list[Tensor]) -> None:
    """Write pictures (each row (K 3 H W) in [0, 1]) as one sheet."""
    sheet = torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)
    save_image(path, (sheet.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line: --config YAML [section.key=value …]."""
    from talkvid.training.mini_command import read_command

    log.configure()
    trainer = AutoencoderTrainer(read_command(AutoencoderTraining, arguments))
    if trainer.loop.run(trainer.step, trainer.validate):
        logger.info("wrote %s", trainer.finish())


if __name__ == "__main__":
    main()
