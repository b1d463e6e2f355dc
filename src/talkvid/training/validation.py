"""A look at held-out clips now and then: their loss, and videos of them; training never notices."""

import logging
from collections.abc import Callable, Sequence

import torch

from talkvid.dataset.batch import Batch, collate
from talkvid.dataset.talking_face import TalkingFaceDataset
from talkvid.training.clips import usable_clips, window_settings
from talkvid.training.config import TrainConfig
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder
from talkvid.training.samples import SampleVideos
from talkvid.training.speech_fit import require_width
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trackers import Tracker

logger = logging.getLogger(__name__)

HALF_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
Validation = Callable[[int], dict[str, float]]


def build_validation(
    task: TalkingHeadTask, config: TrainConfig, folder: RunFolder, *, trackers: Sequence[Tracker] = ()
) -> Validation | None:
    """Return what looks at the held-out clips after a step, or None when no clips are named for it.

    It is called with the step, gives {"validation_loss": mean over the same batches with the same noise each
    time}, and writes videos of some clips to samples/step-<N>/, which `trackers` are shown. It works on the
    task's own networks with no process but this one, and expects them in evaluation mode without gradients
    (`trainer.untouched`). Raises ValueError or FileNotFoundError for clips that cannot be used.
    """
    if not config.validation.meta_paths:
        return None
    clips = usable_clips(config, config.validation.meta_paths)
    require_width(clips, task.bundle.config)
    dataset = TalkingFaceDataset(
        clips, window_settings(config, task.bundle, augmented=False), seed=config.run.seed
    )
    samples = None
    if config.validation.num_videos:
        samples = SampleVideos(task, config, clips=clips, folder=folder.path, trackers=trackers)

    def validate(step: int) -> dict[str, float]:
        with task.awake_autoencoder(), forward_precision(config.run.precision, task.device):
            loss = held_out_loss(task, dataset, config)
            if samples is not None:
                samples.write(step)
        return {"validation_loss": loss}

    return validate


def held_out_loss(task: TalkingHeadTask, dataset: TalkingFaceDataset, config: TrainConfig) -> float:
    """Return the mean loss over the first batches of a data set, seeing all conditions."""
    losses = []
    for number in range(config.validation.num_batches):
        random = StepRandom.of_validation(config.run.seed, batch=number)
        batch = fixed_batch(dataset, number, size=config.data.train_bs)
        losses.append(task.validation_loss(batch.to(task.device), random))
    return sum(losses) / len(losses)


def fixed_batch(dataset: TalkingFaceDataset, number: int, *, size: int) -> Batch:
    """Return batch `number` of the samples in their order, beginning again behind the last."""
    places = range(number * size, (number + 1) * size)
    return collate([dataset[place % len(dataset)] for place in places])


def forward_precision(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which a training of this precision computes.

    It keeps no cache of weights in half precision: made without gradients, they must not serve a step.
    """
    return torch.autocast(
        device.type,
        dtype=HALF_TYPES.get(precision),
        enabled=precision in HALF_TYPES,
        cache_enabled=False,
    )
