"""A whole training run, from its settings to its files."""

import logging
from collections.abc import Callable, Iterable, Sequence

import torch
from torch.utils.data import DataLoader

from talkvid import config as settings
from talkvid.dataset.batch import Batch, StepBatches, collate
from talkvid.dataset.face_info import stored_metadata
from talkvid.dataset.index import Clip, find_clips, least_frames
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings, load_audio_features
from talkvid.model.bundle import ModelBundle
from talkvid.training.config import TrainConfig
from talkvid.training.engine import check_launch, choose_device
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder, stage_folder
from talkvid.training.start import starting_model
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trainer import Reader, Trainer

logger = logging.getLogger(__name__)

SETTINGS_FILE = "settings.yaml"


def run_training(config: TrainConfig) -> list[float]:
    """Run or continue a training in its run folder and return the losses of the steps done now."""
    run = config.run
    check_launch(run)
    device = choose_device(run.device)
    clips = usable_clips(config, config.meta_paths())
    folder = RunFolder(stage_folder(run.output_root, run.train, run.stage))
    checkpoint = folder.open(resume=run.resume)
    speech_dim = load_audio_features(clips[0].audio_embeds).shape[1]
    bundle = starting_model(
        run, config.model, folder=folder, resuming=checkpoint is not None, speech_dim=speech_dim
    )
    task = TalkingHeadTask(bundle, loss=config.loss)
    task.network.enter_stage(run.stage, recipe=run.recipe, zero=checkpoint is None)
    task.network.set_gradient_checkpointing(run.gradient_checkpointing)
    encoder = stored_metadata(clips[0].audio_embeds).get("speech_encoder")
    task.describe(
        folder,
        speech_encoder=encoder or bundle.config.speech_encoder,
        name=f"{run.train}-stage_{run.stage}",
        fps=clips[0].fps,
        width=config.data.width,
        height=config.data.height,
    )
    (folder.path / SETTINGS_FILE).write_text(settings.to_yaml(config), encoding="utf-8")
    dataset = TalkingFaceDataset(clips, window_settings(config, bundle), seed=run.seed)
    trainer = Trainer(
        task,
        run=run,
        optimizer=config.optimizer,
        folder=folder,
        checkpoint=checkpoint,
        batches=lambda reader: read_batches(dataset, config, reader),
        validate=_validation(task, config),
        validate_every=config.validation.every,
        record=_record(config, clips),
    )
    logger.info(
        "stage %d on %s in %s: %d clips, %d x %d frames of %d x %d px per step, into %s",
        run.stage,
        device,
        run.precision,
        len(clips),
        config.data.train_bs * config.optimizer.accumulation,
        config.data.num_frames,
        config.data.width,
        config.data.height,
        folder.path,
    )
    return trainer.train()


def usable_clips(config: TrainConfig, meta_paths: Sequence[str]) -> list[Clip]:
    """Return the clips of some lists that the settings can use."""
    data = config.data
    return find_clips(
        meta_paths,
        at_least=least_frames(data.num_frames, reference_margin=data.reference_margin),
        languages=data.languages,
    )


def window_settings(config: TrainConfig, bundle: ModelBundle, *, augmented: bool = True) -> WindowSettings:
    """Return how samples are cut for a model."""
    data, augment = config.data, config.augment
    changes = {
        "flip_probability": augment.flip_probability,
        "min_crop": augment.min_crop,
        "colour": augment.colour,
    }
    return WindowSettings(
        num_frames=data.num_frames,
        width=data.width,
        height=data.height,
        latent_factor=int(bundle.vae.factor),  # type: ignore[arg-type]
        reference_margin=data.reference_margin,
        num_pad_audio_frames=bundle.config.num_pad_audio_frames,
        **(changes if augmented else {"flip_probability": 0.0}),
    )


def read_batches(dataset: TalkingFaceDataset, config: TrainConfig, reader: Reader) -> Iterable[Batch]:
    """Return the micro-batches of a process from a step on, prepared by the data workers."""
    places = StepBatches(
        len(dataset),
        config.data.train_bs,
        seed=config.run.seed,
        first_step=reader.first_step,
        last_step=reader.last_step,
        accumulation=reader.accumulation,
        rank=reader.rank,
        processes=reader.processes,
    )
    loader: DataLoader[Batch] = DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=places,  # type: ignore[arg-type]
        num_workers=config.data.num_workers,
        # Forked workers would wait for ever for the threads of OpenCV and torch, which stay behind.
        multiprocessing_context="forkserver" if config.data.num_workers else None,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )
    return loader


def _validation(task: TalkingHeadTask, config: TrainConfig) -> Callable[[], float] | None:
    if not config.validation.meta_paths:
        return None
    clips = usable_clips(config, config.validation.meta_paths)
    dataset = TalkingFaceDataset(
        clips, window_settings(config, task.bundle, augmented=False), seed=config.run.seed
    )

    def validate() -> float:
        losses = []
        for number in range(config.validation.num_batches):
            first = number * config.data.train_bs
            batch = collate(
                [dataset[place % len(dataset)] for place in range(first, first + config.data.train_bs)]
            )
            random = StepRandom.of_validation(config.run.seed, batch=number)
            losses.append(task.validation_loss(batch.to(task.device), random))
        return sum(losses) / len(losses)

    return validate


def _record(config: TrainConfig, clips: Sequence[Clip]) -> dict[str, object]:
    """Return what a resumed run must have in common with the one it continues."""
    return {
        "stage": config.run.stage,
        "seed": config.run.seed,
        "recipe": config.run.recipe,
        "train_bs": config.data.train_bs,
        "num_frames": config.data.num_frames,
        "accumulation": config.optimizer.accumulation,
        "optimizer": config.optimizer.name,
        "num_clips": len(clips),
    }
