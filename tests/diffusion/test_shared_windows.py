"""Windows shared by processes (here threads that exchange tensors): the frames are those of one process."""

import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from talkvid.diffusion.noise import frame_noise
from talkvid.diffusion.sampler import stream_latents
from talkvid.diffusion.shared_windows import Share, frame_owner, rounds, stream_share
from talkvid.diffusion.windows import context_windows, window_reach

from .test_sampler import drifting_predictor, halfway


class Meeting:
    """Threads that wait for each other and read what each one brought; counts what was sent."""

    def __init__(self, count: int) -> None:
        self.brought: list[Tensor] = [torch.zeros(0)] * count
        self.barrier = threading.Barrier(count, timeout=20)
        self.numbers_sent = 0

    def exchange(self, rank: int, own: Tensor) -> Sequence[Tensor]:
        self.brought[rank] = own
        self.barrier.wait()
        everything = [tensor.clone() for tensor in self.brought]
        if rank == 0:
            self.numbers_sent += own.numel()
        self.barrier.wait()
        return everything


def together(
    count: int, num_frames: int, num_steps: int, size: int, overlap: int, first_frame: int = 0
) -> tuple[dict[int, Tensor], list[list[tuple[int, int]]], Meeting]:
    """Return the latents by frame, the (first frame, step) each process predicted, and their meeting."""
    meeting = Meeting(count)
    made: list[list[tuple[int, Tensor]]] = [[] for _ in range(count)]
    calls: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    errors: list[BaseException] = []

    def work(rank: int) -> None:
        def predict(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
            calls[rank].append((frames[0], step))
            return drifting_predictor(latents, frames, step)

        try:
            for handed, _ in stream_share(
                num_frames, num_steps, Share(rank, count), size=size, overlap=overlap, predict=predict,
                update=halfway, initial=lambda frame: frame_noise(3, frame, (2, 2, 2)),
                exchange=lambda own: meeting.exchange(rank, own), first_frame=first_frame,
            ):  # fmt: skip
                made[rank] += handed
        except BaseException as error:
            errors.append(error)
            meeting.barrier.abort()

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    owner = frame_owner(num_frames, size=size, overlap=overlap, count=count)
    assert all(owner(frame) == rank for rank, share in enumerate(made) for frame, _ in share)
    assert all([frame for frame, _ in share] == sorted(frame for frame, _ in share) for share in made)
    return {frame: latents for share in made for frame, latents in share}, calls, meeting


def alone(num_frames: int, num_steps: int, size: int, overlap: int) -> list[Tensor]:
    stream = stream_latents(
        num_frames, num_steps, size=size, overlap=overlap, predict=drifting_predictor, update=halfway,
        initial=lambda frame: frame_noise(3, frame, (2, 2, 2)),
    )  # fmt: skip
    return [latents for _, latents in stream]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize(("size", "overlap"), [(6, 2), (8, 0), (5, 4), (4, 3), (1, 0)])
@pytest.mark.parametrize(("num_frames", "num_steps"), [(1, 2), (7, 1), (23, 4), (40, 3)])
def test_any_number_of_processes_gives_the_same_latents_bit_for_bit(
    count: int, size: int, overlap: int, num_frames: int, num_steps: int
) -> None:
    expected = alone(num_frames, num_steps, size, overlap)
    found, calls, _ = together(count, num_frames, num_steps, size, overlap)
    assert sorted(found) == list(range(num_frames))
    assert all(torch.equal(found[frame], expected[frame]) for frame in found)
    every = [pair for share in calls for pair in share]
    assert len(every) == len(set(every)) == num_steps * len(context_windows(num_frames, size, overlap))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("size", "overlap"), [(6, 2), (8, 0), (4, 3)])
def test_together_they_may_start_in_the_middle(count: int, size: int, overlap: int) -> None:
    expected = alone(40, 3, size, overlap)
    for first in (7, 24, 39):
        found, _, _ = together(count, 40, 3, size, overlap, first)
        assert sorted(found) == list(range(first, 40))
        assert all(torch.equal(found[frame], expected[frame]) for frame in found)


def test_the_work_is_shared_evenly_and_only_shared_frames_travel() -> None:
    size, overlap, steps, numbers = 6, 2, 4, 8
    num_frames = 6 + 4 * 15  # 16 windows
    _, calls, meeting = together(4, num_frames, steps, size, overlap)
    assert {len(share) for share in calls} == {4 * steps}
    # A window shares `overlap` frames with each neighbour; rounds are padded to the busiest process.
    sent = meeting.numbers_sent / numbers
    assert (2 * 15 * overlap * steps) / 4 <= sent <= 1.5 * (2 * 16 * overlap * steps) / 4
    _, _, quiet = together(4, 64, steps, 8, 0)
    assert quiet.numbers_sent == 0


@pytest.mark.parametrize("reach", [0, 1, 3])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_pairs_of_a_round_depend_on_earlier_rounds_alone(reach: int, width: int) -> None:
    done: set[tuple[int, int]] = set()
    for pairs in rounds(11, 4, reach, width):
        for window, step in pairs:
            needed = {
                (near, step - 1) for near in range(window - reach, window + reach + 1) if 0 <= near < 11
            }
            assert step == 0 or needed <= done
        assert not done & set(pairs)
        done |= set(pairs)
    assert len(done) == 11 * 4
    assert window_reach(6, 2) == 1 and window_reach(8, 0) == 0 and window_reach(4, 3) == 3
