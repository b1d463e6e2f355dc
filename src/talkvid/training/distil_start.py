"""How a distillation begins: its rounds planned, its teacher copied into the run's folder."""

from dataclasses import asdict, replace
from typing import Any

from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.training.config import TrainConfig
from talkvid.training.distil import DistilTask
from talkvid.training.distil_rounds import TEACHER_FOLDER, plan_rounds
from talkvid.training.distil_teacher import copy_teacher, teacher_dtype
from talkvid.training.engine_processes import Processes
from talkvid.training.run_folder import RunFolder
from talkvid.training.start import starting_folder


def distillation_task(
    config: TrainConfig, bundle: ModelBundle, *, folder: RunFolder, resuming: bool, processes: Processes
) -> DistilTask:
    """Return the task of stage 4 for the student in `bundle`; one process copies its first teacher.

    ValueError for a teacher that is not named, or unlike the student.
    """
    distil = config.distil
    dtype = teacher_dtype(distil.teacher_precision, config.run.precision)
    teacher = folder.path / TEACHER_FOLDER
    if not resuming:
        source = distil.teacher or starting_folder(config.run, config.model)
        if source is None:
            raise ValueError("a student made of single parts has no teacher: set distil.teacher")
        processes.from_main(lambda: copy_teacher(source, teacher, student=bundle.config, dtype=dtype))
    taught = BundleConfig.from_file(teacher)
    # What the teacher was trained to be sampled with is what the student is trained with.
    bundle.config = replace(
        bundle.config,
        reference_attention_weight=taught.reference_attention_weight,
        audio_attention_weight=taught.audio_attention_weight,
    )
    return DistilTask(
        bundle,
        loss=config.loss,
        rounds=plan_rounds(distil, config.run.max_steps),
        folder=folder,
        dtype=dtype,
        num_inference_steps=taught.num_inference_steps,
    )


def distillation_record(config: TrainConfig) -> dict[str, Any]:
    """Return what a resumed distillation must share: with other steps its rounds would be others."""
    return {"max_steps": config.run.max_steps, **asdict(config.distil)}
