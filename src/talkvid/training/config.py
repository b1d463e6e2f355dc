"""What a training run can be told: the schema of the stage YAMLs, its defaults being the shared values."""

from dataclasses import dataclass, field

from talkvid.training.config_checks import among, at_least, share
from talkvid.training.config_distil import DISTILLATION, DistilConfig, check_distillation

RECIPES = ("reference", "repaired")
PRECISIONS = ("fp32", "fp16", "bf16")
ENGINES = ("single", "ddp", "deepspeed")
OPTIMIZERS = ("adamw", "adamw_8bit")
TRACKERS = ("tensorboard", "mlflow", "wandb")
OFFLOADS = ("none", "optimizer", "parameters")


@dataclass(frozen=True)
class RunConfig:
    """Which run this is, how long it lasts and on what it runs."""

    stage: int = 1
    train: str = "TalkVid-Core"
    """Name of the training; the run folder is <output_root>/<train>/stage_<stage>."""
    output_root: str = "exp"
    recipe: str = "reference"
    """`reference` trains what the published recipe trains; `repaired` also the reference net's last block."""
    resume: bool = False
    """Continue from the latest complete checkpoint of the run folder."""
    seed: int = 42
    max_steps: int = 40000
    """Optimiser steps; the last one is the number in the file names."""
    save_every: int = 10000
    """Steps between two saves, the last step is one too; 0 saves nothing, for measuring."""
    keep_states: int = 2
    """Full states to keep (the exported modules stay); 0 keeps all."""
    log_every: int = 1
    """Steps between two rows of losses.csv."""
    device: str = "auto"
    engine: str = "single"
    """`single` process, `ddp`, or `deepspeed`; a launch that gives another one is refused."""
    num_processes: int = 1
    """Processes on all machines together; a launch that gives another number is refused."""
    deepspeed_config: str | None = None
    """JSON of DeepSpeed's own settings, such as src/configs/zero2_config.json; needed by that engine."""
    precision: str = "fp32"
    gradient_checkpointing: bool = False
    offload: str = "none"
    """What lives in the memory of the machine instead of the GPU: optimizer state, or parameters as well."""
    save_gpu_memory: bool = False
    """One switch for small cards: gradient checkpointing, and offloading where the engine can."""
    ema_decay: float = 0.0
    """Decay of a running mean of the trained weights, exported to ema/; 0 keeps none."""
    commercial_safe: bool = False
    """Refuse to start from weights that do not allow commercial use."""
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    """Where curves and samples go besides losses.csv: tensorboard, mlflow, wandb."""

    def __post_init__(self) -> None:
        among("run.recipe", self.recipe, RECIPES)
        among("run.precision", self.precision, PRECISIONS)
        among("run.engine", self.engine, ENGINES)
        among("run.offload", self.offload, OFFLOADS)
        for name in self.trackers:
            among("run.trackers", name, TRACKERS)
        among("run.stage", self.stage, (1, 2, 3, DISTILLATION))
        at_least("run.max_steps", self.max_steps, 1)
        at_least("run.save_every", self.save_every, 0)
        at_least("run.log_every", self.log_every, 1)
        at_least("run.num_processes", self.num_processes, 1)
        if not self.train or "/" in self.train or self.train in (".", ".."):
            raise ValueError(
                f"run.train must be a plain name, got {self.train!r}; it becomes a folder's name"
            )
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"run.ema_decay must be at least 0 and below 1, got {self.ema_decay}")


@dataclass(frozen=True)
class ModelConfig:
    """Where the networks and their first weights come from; every path may be empty."""

    config_path: str | None = None
    """Architecture of the whole model (a `config.json` of ours); empty takes the published one."""
    start_from: str | None = None
    """Folder of weights to start from; empty: the previous stage's latest for stages 2, 3 and 4."""
    random_init: bool = False
    """Start stage 1 from random weights when no path is given (small models, tests)."""
    unet_config_path: str | None = None
    vae_path: str | None = None
    reference_net_path: str | None = None
    denoising_unet_path: str | None = None
    motion_module_path: str | None = None
    v_kps_guider_path: str | None = None
    audio_projection_path: str | None = None
    new_audio_projection: bool = False
    """Start from a random audio projection, for speech features of another width than the first weights'."""


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters instead of whole weights (LoRA, arXiv 2106.09685), for fine-tuning on little data."""

    rank: int = 0
    """Rank of the adapters; 0 trains whole weights."""
    alpha: float = 0.0
    """Adapters are scaled by alpha / rank; 0 takes the rank."""
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: ["to_q", "to_k", "to_v", "to_out.0"])
    """Ends of the names of the linear layers that get an adapter, among the networks the stage trains."""

    def __post_init__(self) -> None:
        at_least("lora.rank", self.rank, 0)
        share("lora.dropout", self.dropout)
        if self.alpha < 0:
            raise ValueError(f"lora.alpha must be at least 0, got {self.alpha}; 0 takes the rank")
        if self.rank and not self.targets:
            raise ValueError("lora.targets is empty: name the layers that get an adapter, such as to_q")


@dataclass(frozen=True)
class DataConfig:
    """Which clips are seen, in what pieces."""

    meta_paths: list[str] = field(default_factory=list)
    """JSON lists of samples; empty takes data/<run.train>.json."""
    train_bs: int = 1
    """Clips per micro-batch."""
    num_frames: int = 8
    width: int = 512
    height: int = 512
    reference_margin: int = 30
    """Frames on both sides of the target window that the reference frame is never taken from."""
    languages: list[str] = field(default_factory=list)
    """Languages to keep; empty keeps all."""
    num_workers: int = 2
    latent_cache: str | None = None
    """Folder for the latents of all frames, filled once; empty encodes the frames of every step."""

    def __post_init__(self) -> None:
        for name in ("train_bs", "num_frames", "width", "height"):
            at_least(f"data.{name}", getattr(self, name), 1)
        at_least("data.reference_margin", self.reference_margin, 0)
        at_least("data.num_workers", self.num_workers, 0)


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of a sample, the same for its frames, key points and mask."""

    flip_probability: float = 0.5
    min_crop: float = 1.0
    """Smallest side of the random crop as a share of the picture; 1 never crops."""
    colour: float = 0.0
    """Largest relative change of brightness, contrast and saturation; 0 changes nothing."""

    def __post_init__(self) -> None:
        share("augment.flip_probability", self.flip_probability)
        share("augment.colour", self.colour)
        if not 0 < self.min_crop <= 1:
            raise ValueError(f"augment.min_crop must be above 0 and at most 1, got {self.min_crop}")


@dataclass(frozen=True)
class LossConfig:
    """Noise, conditions left out at random, and the weights of the loss."""

    lip_weight: float = 1.0
    """Factor on the lip region; 1 means no emphasis."""
    snr_gamma: float = 5.0
    """Min-SNR cap; 0 turns the weighting off."""
    noise_offset: float = 0.05
    unconditional_probability: float = 0.1
    """Chance that a whole step sees neither key points, sound nor reference."""
    reference_drop: float = 0.0
    """Chance per frame and block that the reference is not seen there."""
    kps_drop: float = 0.0
    """Chance per clip that the key points are not seen."""

    def __post_init__(self) -> None:
        if self.lip_weight < 1:
            raise ValueError(f"loss.lip_weight must be >= 1, got {self.lip_weight}")
        if self.snr_gamma < 0:
            raise ValueError(f"loss.snr_gamma must be >= 0, got {self.snr_gamma}; 0 turns the weighting off")
        for name in ("unconditional_probability", "reference_drop", "kps_drop"):
            share(f"loss.{name}", getattr(self, name))


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and how often it steps; the learning rate is constant."""

    name: str = "adamw"
    learning_rate: float = 1e-6
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this total norm; 0 leaves them."""
    accumulation: int = 1
    """Micro-batches per optimiser step."""

    def __post_init__(self) -> None:
        among("optimizer.name", self.name, OPTIMIZERS)
        at_least("optimizer.accumulation", self.accumulation, 1)
        if self.learning_rate <= 0:
            raise ValueError(f"optimizer.learning_rate must be above 0, got {self.learning_rate}")


@dataclass(frozen=True)
class ValidationConfig:
    """A look at held-out clips now and then, which leaves the training as it was."""

    meta_paths: list[str] = field(default_factory=list)
    """JSON lists of held-out samples; empty: no validation."""
    every: int = 1000
    num_batches: int = 4
    num_videos: int = 1
    """Held-out clips that are generated and put beside the real ones in samples/; 0 makes no video."""
    video_s: float = 2.0
    """Length of these videos in seconds."""
    num_inference_steps: int = 25
    guidance_scale: float = 3.5

    def __post_init__(self) -> None:
        at_least("validation.every", self.every, 1)
        at_least("validation.num_batches", self.num_batches, 1)
        at_least("validation.num_videos", self.num_videos, 0)
        at_least("validation.num_inference_steps", self.num_inference_steps, 1)
        if self.video_s <= 0:
            raise ValueError(f"validation.video_s must be above 0, got {self.video_s}")
        if not 1 <= self.guidance_scale <= 100:
            raise ValueError(f"validation.guidance_scale must be from 1 to 100, got {self.guidance_scale}")
        if self.num_inference_steps > 1000:
            raise ValueError(
                f"validation.num_inference_steps must be at most 1000, got {self.num_inference_steps}"
            )


@dataclass(frozen=True)
class TrainConfig:
    """The whole of a training run."""

    run: RunConfig = field(default_factory=RunConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)

    def __post_init__(self) -> None:
        if self.run.stage == DISTILLATION:
            self._check_distillation()
        elif self.distil != DistilConfig():
            raise ValueError(f"distil: stage {self.run.stage} has no teacher; set run.stage={DISTILLATION}")
        if self.model.new_audio_projection and self.lora.rank:
            raise ValueError(
                "model.new_audio_projection=true with lora.rank: a random projection has to train whole; set "
                "lora.rank=0, or train the projection first and start from that"
            )
        if self.model.new_audio_projection and self.model.audio_projection_path:
            raise ValueError("model.new_audio_projection=true and model.audio_projection_path: choose one")
        if self.data.latent_cache and (self.augment.min_crop < 1 or self.augment.colour > 0):
            raise ValueError(
                f"data.latent_cache cannot follow augment.min_crop={self.augment.min_crop:g} and "
                f"augment.colour={self.augment.colour:g}: set these to 1 and 0, or data.latent_cache=null"
            )

    def _check_distillation(self) -> None:
        loss = self.loss
        check_distillation(
            self.distil,
            max_steps=self.run.max_steps,
            must_be={
                "loss.unconditional_probability": (loss.unconditional_probability, 0),
                "loss.reference_drop": (loss.reference_drop, 0),
                "loss.kps_drop": (loss.kps_drop, 0),
                "validation.guidance_scale": (self.validation.guidance_scale, 1),
                "model.new_audio_projection": (self.model.new_audio_projection, False),
            },
        )

    def meta_paths(self) -> list[str]:
        """Return the training lists: those named, or the one that bears the training's name."""
        return list(self.data.meta_paths) or [f"data/{self.run.train}.json"]
