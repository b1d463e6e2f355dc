"""The distillation task: a student learns to go without guidance, and in few steps, where its teacher goes.

Each round has its own target. Guidance: the teacher's guided velocity at any noise level (arXiv 2210.03142,
section 3.1). Steps: the velocity whose one DDIM step is several of the teacher's (arXiv 2202.00512). Students
start on noise as inference does, and see pictures of the data at the other levels, as both papers have it.
The error is that of the velocity: SNR + 1 times that of the clean latents, one of the second paper's choices.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from talkvid.dataset.batch import Batch
from talkvid.diffusion.distillation import progressive_target
from talkvid.diffusion.losses import diffusion_loss
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.training.config import LossConfig
from talkvid.training.distil_rounds import Round, round_of
from talkvid.training.distil_teacher import Teacher
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder
from talkvid.training.step import encode_and_draw
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trainer import StepOutput

logger = logging.getLogger(__name__)

COLUMNS = ("plain_loss", "clean_loss", "student_steps")
"""Parts of the loss: without weights, in clean latents, and the round it belongs to (0: guidance)."""


class DistilTask(TalkingHeadTask):
    """The student and, round by round, its teacher, which lies in the run's folder."""

    def __init__(
        self,
        bundle: ModelBundle,
        *,
        loss: LossConfig,
        rounds: Sequence[Round],
        folder: RunFolder,
        dtype: torch.dtype,
        num_inference_steps: int,
    ) -> None:
        super().__init__(bundle, loss=loss)
        self.rounds, self.folder, self.dtype = rounds, folder, dtype
        self.num_inference_steps = num_inference_steps
        self.round = rounds[0]
        self.teacher: Teacher | None = None

    def to(self, device: torch.device) -> None:
        """Move student, teacher and image autoencoder to a device."""
        super().to(device)
        if self.teacher is not None:
            self.teacher.to(device)

    def before_step(self, done: int, export: Callable[[str], None]) -> None:
        """Let the step behind `done` steps have its teacher; at the end of a round that is its student."""
        wanted = round_of(self.rounds, done + 1)
        if self.teacher is not None and wanted == self.round:
            return
        place = self.rounds.index(wanted)
        if place and self.rounds[place - 1].last_step == done:
            export(wanted.teacher)
        self.teacher = None  # its memory is for the next one
        teacher = Teacher.load(
            self.folder.path / wanted.teacher, guidance_scale=wanted.guidance_scale, dtype=self.dtype
        )
        teacher.to(self.device)
        self.round, self.teacher = wanted, teacher
        what = "the guided prediction at every noise level"
        if wanted.num_steps:
            what = f"{wanted.num_steps} steps, each {wanted.substeps} of the teacher's"
        logger.info(
            "until step %d: %s, from %s with guidance %g",
            wanted.last_step,
            what,
            wanted.teacher,
            wanted.guidance_scale,
        )

    @property
    def sampling(self) -> dict[str, Any]:
        """Return how the student of this round is sampled."""
        count = self.round.num_steps
        return {"sampler": "ddim", "num_inference_steps": count} if count else {"sampler": "ddim"}

    def export(self, folder: RunFolder, step: int) -> None:
        """Write each network, and into the config how a student of this step is sampled."""
        super().export(folder, step)
        path = folder.path / CONFIG_FILE
        replace(BundleConfig.from_file(path), **self._defaults(round_of(self.rounds, step))).to_file(path)

    def describe(self, folder: RunFolder, **changes: Any) -> None:
        """Write the model's config, which speaks of the round at hand, and its image autoencoder."""
        super().describe(folder, **{**changes, **self._defaults(self.round)})

    def _defaults(self, finished: Round) -> dict[str, Any]:
        return {
            "guidance_scale": 1.0,
            "sampler": "ddim",
            "num_inference_steps": finished.num_steps or self.num_inference_steps,
        }

    def _loss(
        self, network: nn.Module, batch: Batch, *, random: StepRandom, config: LossConfig
    ) -> StepOutput:
        now, schedule = self.round, self.schedule
        assert self.teacher is not None, "a step before its teacher was loaded"
        latents, draws = encode_and_draw(
            self.vae,
            batch,
            loss=config,
            num_timesteps=now.num_steps or schedule.num_train_timesteps,
            num_blocks=len(self.network.denoising_unet.block_names),
            random=random,
        )
        timesteps = draws.timesteps
        if now.num_steps:
            timesteps = schedule.timesteps(now.num_steps).to(timesteps.device)[timesteps]
        noisy = schedule.add_noise(latents.target, draws.noise, timesteps)
        predict = self.teacher.predictor(batch, latents.reference)
        if now.num_steps:
            target = progressive_target(
                predict,
                noisy.float(),
                start=timesteps,
                length=schedule.num_train_timesteps // now.num_steps,
                substeps=now.substeps,
                schedule=schedule,
            )
        else:
            target = predict(noisy, timesteps)
        velocity = network(
            noisy,
            timesteps,
            reference_latents=latents.reference,
            kps_images=batch.kps_images,
            audio_windows=batch.audio_windows,
            reference_weight=self.teacher.reference_weight,
            audio_weight=self.teacher.audio_weight,
        )
        result = diffusion_loss(
            velocity,
            target,
            snr=schedule.snr(timesteps),
            lip_mask=batch.lip_masks,
            lip_weight=config.lip_weight,
            snr_gamma=config.snr_gamma,
        )
        with torch.no_grad():
            # The noisy latents are the same, so clean latents differ by sigma times the velocity.
            sigma = (1 - schedule.alphas_cumprod.to(timesteps.device)[timesteps]).sqrt()
            error = (velocity.float() - target).square().flatten(1).mean(dim=1)
            clean = (error * sigma.square()).mean()
        values = (result.plain, clean, clean.new_tensor(now.column))
        return StepOutput(result.total, dict(zip(COLUMNS, values, strict=True)))
