"""The clips of a training, how samples are cut out of them, and the stream of micro-batches."""

from collections.abc import Iterable, Sequence

from talkvid.dataset.batch import Batch, StepBatches
from talkvid.dataset.index import Clip, find_clips, least_frames
from talkvid.dataset.loading import load_batches
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings
from talkvid.model.bundle import ModelBundle
from talkvid.training.config import TrainConfig
from talkvid.training.learning import Reader


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
    return load_batches(dataset, places, num_workers=config.data.num_workers)
