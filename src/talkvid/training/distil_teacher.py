"""The teacher of a distillation: frozen networks, in half precision where the run is, that guide."""

from pathlib import Path

import torch
from torch import Tensor

from talkvid.dataset.batch import Batch
from talkvid.diffusion.distillation import Predictor
from talkvid.model.bundle import load_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.guidance import guided_prediction
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.task import networks_of

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
MUST_AGREE = ("latent_channels", "num_pad_audio_frames", "prediction_type", "condition")


class Teacher:
    """Predicts as inference does, with its own portrait, key-point and sound networks, without gradients.

    The two halves of a guided prediction run one after the other, in half the memory.
    """

    def __init__(
        self,
        networks: TalkingHeadNetworks,
        *,
        guidance_scale: float,
        reference_weight: float = 1.0,
        audio_weight: float = 1.0,
    ) -> None:
        self.networks = networks.eval().requires_grad_(False)
        self.guidance_scale = guidance_scale
        self.reference_weight, self.audio_weight = reference_weight, audio_weight

    @classmethod
    def load(cls, folder: Path, *, guidance_scale: float, dtype: torch.dtype) -> "Teacher":
        """Return the teacher in a checkpoint folder, on the CPU; its attention weights are its config's."""
        bundle = load_bundle(folder, dtype=dtype)
        return cls(
            networks_of(bundle),
            guidance_scale=guidance_scale,
            reference_weight=bundle.config.reference_attention_weight,
            audio_weight=bundle.config.audio_attention_weight,
        )

    def to(self, device: torch.device) -> None:
        """Move the networks to a device."""
        self.networks.to(device)

    @torch.no_grad()
    def predictor(self, batch: Batch, reference_latents: Tensor) -> Predictor:
        """Return what predicts for a batch, whose conditions are computed once, here.

        reference_latents (B C h w); the predictor takes and gives float32.
        """
        networks = self.networks
        weights = next(networks.parameters())
        dtype, kind = weights.dtype, weights.device.type
        with torch.autocast(kind, enabled=False):
            features = networks.reference_net.features(reference_latents.to(dtype))
            reference = networks.denoising_unet.project_reference(features)
            tokens = networks.audio_projection(batch.audio_windows.to(dtype))
            kps_features = networks.v_kps_guider(batch.kps_images.to(dtype))

        @torch.no_grad()
        def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
            with torch.autocast(kind, enabled=False):
                return guided_prediction(
                    networks.denoising_unet,
                    latents.to(dtype),
                    timesteps=timesteps,
                    guidance_scale=self.guidance_scale,
                    audio_tokens=tokens,
                    kps_features=kps_features,
                    reference=reference,
                    reference_weight=self.reference_weight,
                    audio_weight=self.audio_weight,
                    batched=False,
                ).float()

        return predict


def teacher_dtype(teacher_precision: str, run_precision: str) -> torch.dtype:
    """Return the number type of a teacher's weights."""
    return DTYPES[run_precision if teacher_precision == "auto" else teacher_precision]


def copy_teacher(source: str, target: Path, *, student: BundleConfig, dtype: torch.dtype) -> None:
    """Write the model of a folder or hub id into `target`; ValueError for one unlike the student."""
    bundle = load_bundle(source)
    for name in MUST_AGREE:
        theirs, ours = getattr(bundle.config, name), getattr(student, name)
        if theirs != ours:
            raise ValueError(
                f"distil.teacher={source} has {name} {theirs}, the student {ours}: choose another teacher"
            )
    width, own_width = (_speech_dim(config) for config in (bundle.config, student))
    if width != own_width:
        raise ValueError(
            f"distil.teacher={source} reads speech features of width {width}, the student of {own_width}: "
            "choose another teacher"
        )
    networks_of(bundle)
    save_bundle(bundle, target, dtype=dtype)


def _speech_dim(config: BundleConfig) -> int:
    return int(config.modules["audio_projection"].config.get("embedding_dim", 768))
