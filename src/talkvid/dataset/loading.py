"""Batches made ahead by other processes; what is wrong with a clip reaches the user as one line."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from talkvid.dataset.batch import Batch, Sample, SampleKey, collate
from talkvid.dataset.talking_face import TalkingFaceDataset


@dataclass(frozen=True)
class _Unreadable:
    """Goes from a worker to the training instead of a batch; an exception would come as a traceback."""

    reason: str


class _Told(Dataset[Sample | _Unreadable]):
    """A data set whose unreadable samples are values."""

    def __init__(self, dataset: TalkingFaceDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, key: SampleKey) -> Sample | _Unreadable:
        try:
            return self.dataset[key]
        except ValueError as error:
            return _Unreadable(str(error))


def load_batches(
    dataset: TalkingFaceDataset, places: Iterable[list[SampleKey]], *, num_workers: int
) -> Iterator[Batch]:
    """Yield the batch of each list of keys, in their order, made by `num_workers` processes (0: by this one).

    The batches are the same for any number of workers. Raises ValueError, one line naming the clip, when it
    is the turn of a batch with a clip that cannot be read.
    """
    loader: DataLoader[Batch | _Unreadable] = DataLoader(
        _Told(dataset),  # type: ignore[arg-type]
        batch_sampler=places,
        num_workers=num_workers,
        # Forked workers would wait for ever for the threads of OpenCV and torch, which stay behind.
        multiprocessing_context="forkserver" if num_workers else None,
        worker_init_fn=_begin_worker,
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
    )
    for batch in loader:
        if isinstance(batch, _Unreadable):
            raise ValueError(batch.reason)
        yield batch


def _collate(samples: Sequence[Sample | _Unreadable]) -> Batch | _Unreadable:
    for sample in samples:
        if isinstance(sample, _Unreadable):
            return sample
    return collate([sample for sample in samples if isinstance(sample, Sample)])


def _begin_worker(_worker: int) -> None:
    """Give a worker one thread, and leave it running when the whole group of processes is told to stop.

    Workers share the machine by their number; torch gives each one thread by itself, OpenCV does not. The
    training finishes its step and saves it before it stops, and its workers end with it.
    """
    cv2.setNumThreads(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
