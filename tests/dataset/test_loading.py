"""What is read depends on the seed and the place alone, and what cannot be read is said in one line."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from talkvid.dataset.batch import Batch, StepBatches
from talkvid.dataset.index import find_clips
from talkvid.dataset.loading import load_batches
from talkvid.dataset.talking_face import TalkingFaceDataset, WindowSettings
from tests.training.synthetic import make_dataset

SETTINGS = WindowSettings(
    num_frames=3, width=64, height=64, reference_margin=2, flip_probability=0.5, min_crop=0.8, colour=0.2
)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("faces"), num_clips=5)


def dataset(path: Path) -> TalkingFaceDataset:
    return TalkingFaceDataset(find_clips([path], at_least=SETTINGS.least_frames), SETTINGS, seed=9)


def same(first: Batch, second: Batch) -> bool:
    pairs = ((getattr(first, field.name), getattr(second, field.name)) for field in fields(Batch))
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_batches_are_the_same_for_any_number_of_workers_and_processes(listed: Path) -> None:
    def read(*, workers: int, processes: int) -> list[Batch]:
        streams = [
            load_batches(
                dataset(listed),
                StepBatches(5, 1, seed=9, last_step=8 // processes, rank=rank, processes=processes),
                num_workers=workers,
            )
            for rank in range(processes)
        ]
        return [batch for step in zip(*streams, strict=True) for batch in step]

    alone = read(workers=0, processes=1)
    assert len(alone) == 8 and not same(alone[0], alone[1])
    for workers, processes in ((2, 1), (0, 2)):
        others = read(workers=workers, processes=processes)
        assert all(same(mine, other) for mine, other in zip(alone, others, strict=True)), (workers, processes)


@pytest.mark.parametrize(
    ("workers", "broken"), [(0, "video"), (0, "face_info"), (0, "audio_embeds"), (1, "video")]
)
def test_a_clip_that_cannot_be_read_ends_in_one_line_naming_clip_and_file(
    tmp_path: Path, workers: int, broken: str
) -> None:
    data = dataset(make_dataset(tmp_path, num_clips=2))
    path: Path = getattr(data.clips[1], broken)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(ValueError) as caught:
        for _ in load_batches(data, StepBatches(2, 1, seed=0, last_step=2), num_workers=workers):
            pass
    message = str(caught.value)
    assert message.startswith("clip clip1: ") and path.name in message and "\n" not in message
    assert message.endswith("or take the clip out of its data list")


@pytest.mark.parametrize("broken", ["video", "face_info", "audio_embeds"])
def test_a_file_that_vanishes_during_training_is_named(tmp_path: Path, broken: str) -> None:
    data = dataset(make_dataset(tmp_path, num_clips=1))
    path: Path = getattr(data.clips[0], broken)
    path.unlink()
    with pytest.raises(ValueError, match=rf"^clip clip0: .*{path.name}"):
        _ = data[0]


def test_a_list_that_promises_more_frames_than_there_are_is_found_out(tmp_path: Path) -> None:
    data = dataset(make_dataset(tmp_path, num_clips=1))
    data.clips[0] = replace(data.clips[0], num_frames=90)
    with pytest.raises(ValueError, match=r"^clip clip0: .*14 frames, number \d+ is asked for"):
        for epoch in range(9):
            _ = data[epoch, 0]  # type: ignore[index]
