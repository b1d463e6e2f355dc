"""The talking-head training task: its networks, its loss, what it writes."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from talkvid.dataset.batch import Batch
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.model.adapters import adapter_file_name, save_adapters
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import CONFIG_FILE
from talkvid.model.checkpoints import module_file_name
from talkvid.model.vae import ImageAutoencoder
from talkvid.model.weights import save_state, save_weights
from talkvid.training.config import LoraConfig, LossConfig
from talkvid.training.lora import add_lora, collect_adapters, merged_state
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder
from talkvid.training.step import denoising_loss, encode_and_draw
from talkvid.training.trainer import StepOutput


class TalkingHeadTask:
    """Velocity prediction of latent frames under portrait, key points and sound."""

    def __init__(self, bundle: ModelBundle, *, loss: LossConfig) -> None:
        self.bundle = bundle
        self.loss_config = loss
        self.lora = LoraConfig()
        self.base = bundle.config.name
        self.schedule = NoiseSchedule()
        self.network = networks_of(bundle)
        vae = bundle.vae
        assert isinstance(vae, ImageAutoencoder)
        self.vae = vae
        self.autoencoder_rests = False

    def to(self, device: torch.device) -> None:
        """Move the networks, and the image autoencoder unless it rests, to a device."""
        self.network.to(device)
        if not self.autoencoder_rests:
            self.bundle.vae.to(device)

    def rest_autoencoder(self) -> None:
        """Keep the image autoencoder on the CPU: training reads stored latents."""
        self.autoencoder_rests = True
        self.bundle.vae.to("cpu")

    @contextmanager
    def awake_autoencoder(self) -> Iterator[None]:
        """Have the image autoencoder where the networks are, for a look at held-out clips."""
        self.bundle.vae.to(self.device)
        try:
            yield
        finally:
            if self.autoencoder_rests:
                self.bundle.vae.to("cpu")

    def add_adapters(self, config: LoraConfig, *, seed: int, base: str) -> None:
        """Train adapters instead of whole weights from here on; `base` names the model without them."""
        add_lora(self.network, config, seed=seed)
        self.lora, self.base = config, base

    @property
    def device(self) -> torch.device:
        """Return where the networks are."""
        return next(self.network.parameters()).device

    @property
    def sampling(self) -> dict[str, Any]:
        """Return settings of sampling that follow from what is learned now, none in most stages."""
        return {}

    def loss(self, network: nn.Module, batch: Batch, random: StepRandom) -> StepOutput:
        """Return the loss of a batch under the step's random numbers."""
        with _drawn_from(random) if self.lora.dropout else nullcontext():
            return self._loss(network, batch, random=random, config=self.loss_config)

    def validation_loss(self, batch: Batch, random: StepRandom) -> float:
        """Return the loss of a batch that sees all its conditions."""
        config = replace(self.loss_config, unconditional_probability=0.0, reference_drop=0.0, kps_drop=0.0)
        return float(self._loss(self.network, batch, random=random, config=config).loss)

    def complete_gradients(self) -> None:
        """Give zero gradients to weights whose branch was a constant in this step."""
        self.network.complete_gradients()

    def export(self, folder: RunFolder, step: int) -> None:
        """Write each network whole as <network>-<step>.safetensors, and adapters alone as lora-<step>.

        Adapters are added to the networks' weights. The step counts once its denoiser is there, the last.
        """
        networks = self.network.networks()
        last = "denoising_unet"
        (folder.path / module_file_name(last, step)).unlink(missing_ok=True)
        if self.lora.rank:
            adapters = collect_adapters(networks, self.lora, base=self.base, step=step)
            save_adapters(adapters, folder.path / adapter_file_name(step))
        for name in sorted(networks, key=lambda name: name == last):
            save_state(merged_state(networks[name]), folder.path / module_file_name(name, step))

    def describe(self, folder: RunFolder, **changes: Any) -> None:
        """Write the model's config and image autoencoder, so that the folder is a whole checkpoint."""
        config = replace(self.bundle.config, **changes)
        vae_file = folder.path / "vae.safetensors"
        if not vae_file.is_file():
            save_weights(self.bundle.vae, vae_file)
        config.to_file(folder.path / CONFIG_FILE)

    def _loss(
        self, network: nn.Module, batch: Batch, *, random: StepRandom, config: LossConfig
    ) -> StepOutput:
        latents, draws = encode_and_draw(
            self.vae,
            batch,
            loss=config,
            num_timesteps=self.schedule.num_train_timesteps,
            num_blocks=len(self.network.denoising_unet.block_names),
            random=random,
        )
        return denoising_loss(
            network, batch, latents=latents, draws=draws, schedule=self.schedule, loss=config
        )


@contextmanager
def _drawn_from(random: StepRandom) -> Iterator[None]:
    """Let torch's own random numbers, which dropout takes, follow from the step's place."""
    seed = int(random.integers(2**62, 1))
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(seed)
        yield


def networks_of(bundle: ModelBundle) -> TalkingHeadNetworks:
    """Return the trained networks of a model; ValueError when it is of another kind or lacks one."""
    parts = {
        "reference_net": bundle.reference_net,
        "denoising_unet": bundle.denoising_unet,
        "v_kps_guider": bundle.v_kps_guider,
        "audio_projection": bundle.audio_projection,
    }
    missing = [name for name, part in parts.items() if part is None]
    if missing or bundle.config.condition != "none" or bundle.config.prediction_type != "v_prediction":
        reason = f"it has no {missing[0]}" if missing else "it was built for another kind of training"
        raise ValueError(
            f"model {bundle.config.name!r} cannot be trained in these stages: {reason}; choose another "
            "model.config_path or model.start_from"
        )
    return TalkingHeadNetworks(**parts)  # type: ignore[arg-type]
