"""A whole training run, from its settings to its files."""

import logging
from collections.abc import Sequence
from dataclasses import asdict

from talkvid import config as settings
from talkvid.dataset.index import Clip
from talkvid.dataset.talking_face import TalkingFaceDataset
from talkvid.model.bundle import ModelBundle
from talkvid.model.hub_card import copy_notices
from talkvid.model.hub_save import source_folder
from talkvid.training.clips import read_batches, usable_clips, window_settings
from talkvid.training.commercial import refuse_non_commercial_start
from talkvid.training.config import TrainConfig
from talkvid.training.config_distil import DISTILLATION
from talkvid.training.distil import COLUMNS, DistilTask
from talkvid.training.distil_start import distillation_record, distillation_task
from talkvid.training.engine import Engine, build_engine, memory_savings
from talkvid.training.engine_processes import Processes
from talkvid.training.latents import open_latents
from talkvid.training.provenance import RECORD, training_record
from talkvid.training.run_folder import SETTINGS_FILE, RunFolder, read_state, stage_folder
from talkvid.training.speech_fit import read_speech_features
from talkvid.training.start import starting_model
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trackers import Tracker, check_trackers, tracking
from talkvid.training.trainer import Trainer
from talkvid.training.validation import Validation, build_validation

logger = logging.getLogger(__name__)


def run_training(config: TrainConfig) -> list[float]:
    """Run or continue a training in its run folder and return the losses of the steps done now.

    Every process of run.engine calls this; the first one alone writes what all share.
    """
    engine = build_engine(config.run, optimizer=config.optimizer, train_bs=config.data.train_bs)
    if not engine.processes.is_main:
        logging.getLogger("talkvid").setLevel(logging.WARNING)
    try:
        return _train(config, engine)
    finally:
        engine.close()


def _train(config: TrainConfig, engine: Engine) -> list[float]:
    run, processes = config.run, engine.processes
    check_trackers(run.trackers)
    clips = usable_clips(config, config.meta_paths())
    folder = RunFolder(stage_folder(run.output_root, run.train, run.stage))
    checkpoint = processes.from_main(lambda: folder.open(resume=run.resume))
    speech = read_speech_features(clips)
    resuming = checkpoint is not None
    refuse_non_commercial_start(config, folder, resuming=resuming)
    bundle = starting_model(run, config.model, folder=folder, resuming=resuming, speech=speech)
    record = training_record(config, clips, bundle, resuming=resuming)
    task = build_task(config, bundle, folder=folder, resuming=resuming, processes=processes)
    # Adapters change what has been trained, so nothing of that is set to zero for them.
    task.network.enter_stage(run.stage, recipe=run.recipe, zero=not resuming and not config.lora.rank)
    if config.lora.rank:
        task.add_adapters(config.lora, seed=run.seed, base=record["base"])
    task.network.set_gradient_checkpointing(memory_savings(run).gradient_checkpointing)

    def describe() -> None:
        task.describe(
            folder,
            speech_encoder=speech.encoder or bundle.config.speech_encoder,
            name=f"{run.train}-stage_{run.stage}",
            description=f"Stage {run.stage} of the training {run.train!r}, from {record['base']}.",
            extra={**bundle.config.extra, RECORD: record},
            fps=clips[0].fps,
            width=config.data.width,
            height=config.data.height,
        )
        (folder.path / SETTINGS_FILE).write_text(settings.to_yaml(config), encoding="utf-8")
        if (base := source_folder(bundle)) is not None and not resuming:
            copy_notices(base, folder.path, bundle.config, derived=True)

    processes.from_main(describe)
    latents = open_latents(config, task, clips, engine)
    dataset = TalkingFaceDataset(clips, window_settings(config, bundle), seed=run.seed, latents=latents)
    logger.info(
        "stage %d on %d x %s in %s: %d clips, %d x %d frames of %d x %d px per step, into %s",
        run.stage,
        processes.count,
        engine.device.type,
        run.precision,
        len(clips),
        config.data.train_bs * config.optimizer.accumulation * processes.count,
        config.data.num_frames,
        config.data.width,
        config.data.height,
        folder.path,
    )
    with tracking(
        run.trackers if processes.is_main else (),
        folder.path,
        run_name=f"{run.train}-stage_{run.stage}",
        settings=asdict(config),
        first_step=0 if checkpoint is None else int(read_state(checkpoint)["step"]),
    ) as trackers:
        trainer = Trainer(
            task,
            engine=engine,
            run=run,
            optimizer=config.optimizer,
            folder=folder,
            checkpoint=checkpoint,
            batches=lambda reader: read_batches(dataset, config, reader),
            validate=_validation(task, config, folder, trackers, processes=processes),
            validate_every=config.validation.every,
            record=_record(config, clips),
            trackers=trackers,
            before_step=task.before_step if isinstance(task, DistilTask) else None,
            columns=COLUMNS if isinstance(task, DistilTask) else (),
        )
        return trainer.train()


def build_task(
    config: TrainConfig, bundle: ModelBundle, *, folder: RunFolder, resuming: bool, processes: Processes
) -> TalkingHeadTask:
    """Return what the stage learns: clips, or what a teacher predicts."""
    if config.run.stage != DISTILLATION:
        return TalkingHeadTask(bundle, loss=config.loss)
    return distillation_task(config, bundle, folder=folder, resuming=resuming, processes=processes)


def _validation(
    task: TalkingHeadTask,
    config: TrainConfig,
    folder: RunFolder,
    trackers: Sequence[Tracker],
    *,
    processes: Processes,
) -> Validation | None:
    """Return the main process's look at held-out clips; a clip that cannot be used stops all processes."""
    found: list[Validation | None] = [None]

    def build() -> None:
        found[0] = build_validation(task, config, folder, trackers=trackers)

    processes.from_main(build)
    return found[0]


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
        "lora": asdict(config.lora) if config.lora.rank else None,
        "distil": distillation_record(config) if config.run.stage == DISTILLATION else None,
    }
