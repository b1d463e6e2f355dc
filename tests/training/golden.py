"""The five training cases of the reference implementation (tests/data/parity/train*), as inputs of ours."""

import gzip
import json
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.dataset.batch import Batch
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.model.checkpoints import NETWORKS
from talkvid.training.config import LossConfig
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.randomness import StepRandom
from talkvid.training.step import Draws, Latents, denoising_loss, encode_and_draw
from talkvid.training.trainer import StepOutput
from tests import parity

LATENT_SCALE = 0.18215
CASES = json.loads((parity.DATA / "train.json").read_text())


def networks() -> TalkingHeadNetworks:
    """The tiny networks with the weights all fixtures were made with."""
    return TalkingHeadNetworks(**{name: parity.network(name) for name in NETWORKS})


def gradient_norms(case: str) -> dict[str, float]:
    norms: dict[str, dict[str, float]] = json.loads(
        gzip.decompress((parity.DATA / "train_grad_norms.json.gz").read_bytes())
    )
    return norms[case]


class Posterior:
    """Samples the stored posterior of the batch's pictures, which it tells apart by their number."""

    def __init__(self, num_frames: int) -> None:
        stored = load_file(parity.DATA / "train_batch.safetensors")
        frames = [clip * 4 + frame for clip in range(2) for frame in range(num_frames)]
        self.target = (stored["target_mean"][frames], stored["target_std"][frames])
        self.reference = (stored["reference_mean"], stored["reference_std"])
        self.calls = 0

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = self.target if self.calls % 2 == 0 else self.reference
        self.calls += 1
        assert len(images) == len(mean)
        return LATENT_SCALE * mean, LATENT_SCALE * deviation


class ReferenceOrder(StepRandom):
    """One stream, and noise in the memory order of the reference's latents, channels last.

    torch fills a tensor that is not contiguous one number at a time, which gives other numbers.
    """

    def normal(self, shape: tuple[int, ...], *, like: Tensor) -> Tensor:  # type: ignore[override]
        if len(shape) == 4 or shape[-1] == 1:
            return super().normal(shape, like=like)
        batch, channels, frames, height, width = shape
        blank = torch.empty(batch, frames, height, width, channels).permute(0, 4, 1, 2, 3)
        return blank.normal_(generator=self.own)


def batch_of(case: str) -> Batch:
    stored = load_file(parity.DATA / "train_batch.safetensors")
    frames = CASES[case]["num_frames"]
    kps = stored["kps_images"].float() / 255
    return Batch(
        ids=("first", "second"),
        reference_image=torch.zeros(2, 3, 64, 96),
        target_images=torch.zeros(2, 3, frames, 64, 96),
        kps_images=kps[:, :, :frames],
        audio_windows=stored["audio_windows"][:, :frames],
        lip_masks=stored["lip_masks"][:, :, :frames],
        reference_points=torch.zeros(2, 5, 2),
        target_points=torch.zeros(2, frames, 5, 2),
    )


@dataclass
class Case:
    """A golden case ready to run: networks in their stage, batch, loss settings."""

    name: str
    networks: TalkingHeadNetworks
    batch: Batch
    loss: LossConfig
    dtype: torch.dtype = torch.float32

    @classmethod
    def load(cls, name: str, *, gradient_checkpointing: bool = False) -> "Case":
        info = CASES[name]
        built = networks()
        built.enter_stage(int(info["stage"].split("_")[1]), zero=not info["stage"].endswith("resume"))
        built.set_gradient_checkpointing(gradient_checkpointing)
        settings = info["cfg"]
        loss = LossConfig(
            lip_weight=settings["lip_loss_weight"],
            snr_gamma=settings["snr_gamma"],
            noise_offset=settings["noise_offset"],
            unconditional_probability=settings["uncond_ratio"],
            reference_drop=settings["reference_drop_rate"],
            kps_drop=settings["kps_drop_rate"],
        )
        return cls(name, built, batch_of(name), loss)

    def double(self) -> "Case":
        """The same case in float64."""
        self.networks.double()
        values = {field.name: getattr(self.batch, field.name) for field in fields(self.batch)}
        changed: dict[str, Any] = {
            name: value.double() for name, value in values.items() if isinstance(value, Tensor)
        }
        self.batch = replace(self.batch, **changed)
        self.dtype = torch.float64
        return self

    def draws(self, seed: int) -> tuple[Latents, Draws]:
        generator = torch.Generator().manual_seed(seed)
        return encode_and_draw(
            Posterior(CASES[self.name]["num_frames"]),
            self.batch,
            loss=self.loss,
            num_timesteps=1000,
            num_blocks=len(self.networks.denoising_unet.block_names),
            random=ReferenceOrder(generator, generator),
        )

    def step(self, seed: int | None = None) -> StepOutput:
        latents, draws = self.draws(CASES[self.name]["seed"] if seed is None else seed)
        latents = Latents(latents.target.to(self.dtype), latents.reference.to(self.dtype))
        draws = replace(draws, noise=draws.noise.to(self.dtype))
        return denoising_loss(
            self.networks,
            self.batch,
            latents=latents,
            draws=draws,
            schedule=NoiseSchedule(),
            loss=self.loss,
        )
