"""A world of two pictures, and a small teacher that learned it with and without its conditions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkvid.dataset.batch import Batch
from talkvid.model.bundle import ModelBundle, build_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.unet_config import UNetConfig
from talkvid.training.config import LossConfig
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.randomness import StepRandom
from talkvid.training.task import TalkingHeadTask

SIDE, FRAMES, SPEECH_DIM, CLIPS = 32, 1, 4, 8


class Shrinking(nn.Module):
    """An image autoencoder that makes pictures eight times smaller, with their mean as a fourth channel."""

    channels, factor = 4, 8

    def encode(self, images: Tensor) -> Tensor:
        small = F.avg_pool2d(images, self.factor)
        return torch.cat([small, small.mean(dim=1, keepdim=True)], dim=1)

    def decode(self, latents: Tensor) -> Tensor:
        return F.interpolate(latents[:, :3], scale_factor=self.factor)


def clips() -> Batch:
    """Clips of both pictures: their portraits tell which is to be denoised."""
    pictures = torch.stack([torch.ones(3, SIDE, SIDE), -torch.ones(3, SIDE, SIDE)])
    pictures[0, :, : SIDE // 2] = -0.5
    pictures[1, 0, :, SIDE // 2 :] = 1
    pictures = pictures.repeat(CLIPS // 2, 1, 1, 1)
    return Batch(
        ids=("first", "second") * (CLIPS // 2),
        reference_image=pictures,
        target_images=pictures[:, :, None].expand(-1, -1, FRAMES, -1, -1).clone(),
        kps_images=torch.zeros(CLIPS, 3, FRAMES, SIDE, SIDE),
        audio_windows=torch.zeros(CLIPS, FRAMES, 10, SPEECH_DIM),
        lip_masks=torch.zeros(CLIPS, 1, FRAMES, SIDE // 8, SIDE // 8),
        reference_points=torch.zeros(CLIPS, 5, 2),
        target_points=torch.zeros(CLIPS, FRAMES, 5, 2),
    )


def small_bundle() -> ModelBundle:
    """Networks of two levels of 32 channels, without time, the same at every call."""
    unet = UNetConfig(
        block_out_channels=(32, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=8,
        motion=None,
    )
    config = BundleConfig.published(
        unet, speech_dim=SPEECH_DIM, reference_attention_weight=1.0, audio_attention_weight=1.0
    )
    guider = ModuleSpec("v_kps_guider", {"out_channels": 32, "block_channels": [4, 4, 8, 8]})
    config = BundleConfig(**{**vars(config), "modules": {**config.modules, "v_kps_guider": guider}})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        bundle = build_bundle(config)
    bundle.modules["vae"] = Shrinking()
    return bundle


def taught(steps: int) -> TalkingHeadNetworks:
    """Networks that learned to denoise the two pictures, every second step without any condition."""
    loss = LossConfig(snr_gamma=0, noise_offset=0, unconditional_probability=0.5)
    task = TalkingHeadTask(small_bundle(), loss=loss)
    task.network.enter_stage(3)
    weights = [entry for entry in task.network.parameters() if entry.requires_grad]
    learn(task, weights, steps=steps, learning_rate=3e-3)
    return task.network


def learn(
    task: TalkingHeadTask, weights: list[nn.Parameter], *, steps: int, learning_rate: float, seed: int = 7
) -> None:
    """Take steps of AdamW whose rate falls to zero."""
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    batch = clips()
    for step in range(steps):
        optimizer.zero_grad()
        task.loss(task.network, batch, StepRandom.of(seed, step=step)).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
