"""The four trained networks as one module, so that any engine wraps a single thing."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.training.stages import choose_trainable, contributes_nothing, zero_projections


class TalkingHeadNetworks(nn.Module):
    """Reference net, denoiser, key-point guider and audio projection; forward is the prediction."""

    def __init__(
        self,
        *,
        reference_net: ReferenceNet,
        denoising_unet: DenoisingUNet,
        v_kps_guider: VKpsGuider,
        audio_projection: AudioProjection,
    ) -> None:
        super().__init__()
        self.reference_net = reference_net
        self.denoising_unet = denoising_unet
        self.v_kps_guider = v_kps_guider
        self.audio_projection = audio_projection
        self.hears = True
        """Whether audio attention can change anything; settled by `enter_stage`."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the networks by name."""
        return dict(self.named_children())

    def enter_stage(self, stage: int, *, recipe: str = "reference", zero: bool = True) -> None:
        """Prepare for a stage: zero its projections, freeze what it does not train, skip what cannot matter.

        `zero` False keeps the projections as they are (a resumed run, which has trained them).
        """
        if zero:
            zero_projections(self.networks(), stage)
        choose_trainable(self.networks(), stage, recipe=recipe)
        self.skip_idle_branches()
        self.train()

    def skip_idle_branches(self) -> None:
        """Leave out time and sound where their frozen output projections are zero, which is exact."""
        self.denoising_unet.set_skips_motion(contributes_nothing(self.networks(), "temporal_out"))
        self.hears = not contributes_nothing(self.networks(), "audio_out")

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Recompute layers of both U-Nets in backward to save memory; acts in every mode."""
        self.denoising_unet.set_gradient_checkpointing(enabled)
        self.reference_net.set_gradient_checkpointing(enabled)

    def complete_gradients(self) -> None:
        """Give zero gradients to what a network that took part in the step computed as a constant.

        Attention to zeros is not computed here although its weights have a gradient, which is zero. With it
        the optimiser's momentum and decay treat these weights as they would if it were computed.
        """
        for network in self.networks().values():
            parameters = [entry for entry in network.parameters() if entry.requires_grad]
            if any(entry.grad is not None for entry in parameters):
                for entry in parameters:
                    if entry.grad is None:
                        entry.grad = torch.zeros_like(entry)

    def forward(
        self,
        noisy_latents: Tensor,
        timesteps: Tensor,
        *,
        reference_latents: Tensor | None,
        kps_images: Tensor | None,
        audio_windows: Tensor | None,
        kps_drop: Tensor | None = None,
        reference_drop: Tensor | None = None,
        reference_weight: float = 1.0,
        audio_weight: float = 1.0,
    ) -> Tensor:
        """Return the prediction: noisy latents (B C F h w), timesteps (B,) -> (B C' F h w).

        reference_latents (B C h w), kps_images (B 3 F H W) in [0, 1], audio_windows (B F W D); None is an
        absent condition. kps_drop (B,) bool hides a clip's key points; reference_drop (blocks B F) bool
        hides the reference from a frame in one block; the weights scale the output of their attention.
        """
        kps_features = None
        if kps_images is not None:
            kps_features = self.v_kps_guider(kps_images)
            if kps_drop is not None:
                kps_features = torch.where(kps_drop[:, None, None, None, None], 0.0, kps_features)
        tokens = None
        if audio_windows is not None and self.hears:
            tokens = self.audio_projection(audio_windows)
        features = None if reference_latents is None else self.reference_net.features(reference_latents)
        prediction: Tensor = self.denoising_unet(
            noisy_latents,
            timesteps,
            audio_tokens=tokens,
            kps_features=kps_features,
            reference=features,
            reference_drop=None if features is None else reference_drop,
            reference_weight=reference_weight,
            audio_weight=audio_weight,
        )
        return prediction
