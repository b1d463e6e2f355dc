"""The sampling loop of `sampler`, shared by several processes: each predicts every n-th window.

Shapes: C channels, F frames of one window, h w latent height and width.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from talkvid.diffusion.sampler import LatentUpdate, Solver, WindowPredictor, _advance, _Frame, _predict
from talkvid.diffusion.windows import (
    context_windows,
    first_window,
    frame_coverage,
    real_frames,
    window_reach,
    window_starts,
)


class Exchange(Protocol):
    """Gives every process what each of them has."""

    def __call__(self, own: Tensor) -> Sequence[Tensor]:
        """Return the tensors of all processes in order of their numbers; all have the same shape."""


@dataclass(frozen=True)
class Share:
    """Which of how many processes this is; window w belongs to process w modulo `count`."""

    rank: int
    count: int


def frame_owner(num_frames: int, *, size: int, overlap: int, count: int) -> Callable[[int], int]:
    """Return the function that says which of `count` processes finishes a frame: its first window's."""
    return lambda frame: first_window(num_frames, size, overlap, frame) % count


def rounds(num_windows: int, num_steps: int, reach: int, width: int) -> Iterator[list[tuple[int, int]]]:
    """Yield lists of (window, step) pairs, in order of the windows, that do not depend on each other.

    `width` neighbouring windows make a group that goes through the steps together. Step s of group g is in
    round g + (d + 1) s, where d groups on either side share frames with it: they were at step s - 1 in
    earlier rounds. About (d + 1) num_steps groups are under way, however long the video is.
    """
    groups, distance = -(-num_windows // width), -(-reach // width)
    stride = distance + 1
    for number in range(groups + stride * (num_steps - 1)):
        pairs = []
        for step in reversed(range(num_steps)):
            group = number - stride * step
            if 0 <= group < groups:
                members = range(group * width, min((group + 1) * width, num_windows))
                pairs += [(window, step) for window in members]
        yield sorted(pairs)


def stream_share(
    num_frames: int,
    num_steps: int,
    share: Share,
    *,
    size: int,
    overlap: int,
    predict: WindowPredictor,
    update: LatentUpdate | Solver,
    initial: Callable[[int], Tensor],
    exchange: Exchange,
    first_frame: int = 0,
    windows_per_batch: int = 1,
) -> Iterator[tuple[list[tuple[int, Tensor]], list[int]]]:
    """Yield after each round (frame, final latents (C h w)) of frames to hand out, and all frames that ended.

    All processes together hand out what `stream_latents` yields. Between two rounds they tell each other the
    predictions of those frames that windows of several processes cover, and nothing else: per window and step
    2 x overlap x C x h x w numbers in float32. Of its own windows in a round a process predicts up to
    `windows_per_batch` together.
    """
    assert window_starts(num_frames, size, overlap) and 0 <= share.rank < share.count
    windows = context_windows(num_frames, size, overlap)
    coverage = frame_coverage(windows, num_frames)
    reach = window_reach(size, overlap)
    begin = first_window(num_frames, size, overlap, first_frame)
    owners: dict[int, list[int]] = {}
    for number, frames in enumerate(windows):
        for frame in real_frames(frames):
            owners.setdefault(frame, []).append(number % share.count)
    state = _State(share, coverage, owners, initial, update, num_steps, first_frame)
    for pairs in rounds(len(windows), num_steps, reach, share.count):
        pairs = [(window, step) for window, step in pairs if window >= begin - reach * (num_steps - 1 - step)]
        told: dict[tuple[int, int], Tensor] = {}
        own = [pair for pair in pairs if pair[0] % share.count == share.rank]
        for first in range(0, len(own), windows_per_batch):
            batch = own[first : first + windows_per_batch]
            predictions = state.predict(predict, [windows[window] for window, _ in batch], batch)
            for (window, _), prediction in zip(batch, predictions, strict=True):
                for slot, frame in enumerate(windows[window]):
                    told.setdefault((window, frame), prediction[:, slot])
        told |= _from_others(pairs, windows, owners, told, share, exchange, state.shape)
        for window, _ in pairs:
            mine = [frame for frame in real_frames(windows[window]) if share.rank in owners[frame]]
            state.collect(mine, [told[window, frame] for frame in mine])
        yield state.finished()


class _State:
    """The frames under way in this process: those of its windows."""

    def __init__(
        self,
        share: Share,
        coverage: Sequence[int],
        owners: dict[int, list[int]],
        initial: Callable[[int], Tensor],
        update: LatentUpdate | Solver,
        num_steps: int,
        first_frame: int,
    ) -> None:
        self._share, self._coverage, self._owners = share, coverage, owners
        self._initial, self._update = initial, update
        self._num_steps, self._first_frame = num_steps, first_frame
        self._active: dict[int, _Frame] = {}
        self._shape: torch.Size | None = None

    def shape(self) -> torch.Size:
        """Return (C, h, w)."""
        if self._shape is None:
            self._shape = self._initial(self._first_frame).shape
        return self._shape

    def predict(
        self, predict: WindowPredictor, windows: list[list[int]], pairs: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Return the predictions (B C F h w) of windows that need nothing of each other."""
        steps = [step for _, step in pairs]
        for frames, step in zip(windows, steps, strict=True):
            self._open(frames)
            assert all(self._active[frame].steps_done == step for frame in frames), "the order is not valid"
        return _predict(predict, self._active, windows, steps)

    def collect(self, frames: list[int], predictions: Sequence[Tensor]) -> None:
        """Add a window's predictions (C h w) of these frames; take the step of those that are ready."""
        self._open(frames)
        for frame, prediction in zip(frames, predictions, strict=True):
            state, part = self._active[frame], prediction / self._coverage[frame]
            state.prediction = part if state.prediction is None else state.prediction + part
            state.windows_left -= 1
        if frames:
            _advance(self._active, frames, self._coverage, self._update)

    def finished(self) -> tuple[list[tuple[int, Tensor]], list[int]]:
        """Return (frame, latents) of those to hand out, and all that are done with, and forget them."""
        done = sorted(frame for frame, state in self._active.items() if state.steps_done == self._num_steps)
        ended = [(frame, self._active.pop(frame).latents) for frame in done]
        handed = [
            (frame, latents)
            for frame, latents in ended
            if self._owners[frame][0] == self._share.rank and frame >= self._first_frame
        ]
        return handed, done

    def _open(self, frames: Sequence[int]) -> None:
        for frame in real_frames(list(frames)):
            if frame not in self._active:
                latents = self._initial(frame)
                self._shape = latents.shape
                self._active[frame] = _Frame(latents, self._coverage[frame])


def _from_others(
    pairs: Sequence[tuple[int, int]],
    windows: Sequence[list[int]],
    owners: dict[int, list[int]],
    told: dict[tuple[int, int], Tensor],
    share: Share,
    exchange: Exchange,
    shape: Callable[[], torch.Size],
) -> dict[tuple[int, int], Tensor]:
    """Return the predictions (C h w) by (window, frame) that others made of frames of several processes."""
    shared: list[list[tuple[int, int]]] = [[] for _ in range(share.count)]
    for window, _ in pairs:
        for frame in real_frames(windows[window]):
            if len(set(owners[frame])) > 1:
                shared[window % share.count].append((window, frame))
    most = max(map(len, shared))
    if not most:
        return {}
    own = [told[key] for key in shared[share.rank]]
    blank = (own[0] if own else torch.zeros(shape())).new_zeros(most, *shape())
    if own:
        blank[: len(own)] = torch.stack(own)
    received = exchange(blank)
    return {
        key: received[rank][place]
        for rank, keys in enumerate(shared)
        if rank != share.rank
        for place, key in enumerate(keys)
    }
