"""The sampling loop: windows x steps in an order that needs memory for a few windows only.

Shapes: C channels, F frames of one window, h w latent height and width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from talkvid.diffusion.windows import (
    context_windows,
    diagonal_order,
    first_window,
    frame_coverage,
    real_frames,
    wavefront,
    window_reach,
    window_starts,
)

Memory = tuple[Tensor, ...]
"""What a solver remembers of frames between two steps, each (C F h w), or (C h w) of one frame."""


class WindowPredictor(Protocol):
    """Predicts for one window at one step, guidance already applied."""

    def __call__(self, latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        """Return the prediction (1 C F h w) for the latents (1 C F h w) of these frames."""


@runtime_checkable
class BatchPredictor(Protocol):
    """A predictor that takes several windows at once."""

    def together(self, latents: Tensor, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> Tensor:
        """Return the predictions (B C F h w) for latents (B C F h w) of B windows, each with its own step."""


class LatentUpdate(Protocol):
    """Takes one sampling step for some frames at once."""

    def __call__(self, prediction: Tensor, latents: Tensor, step: int) -> Tensor:
        """Return the latents (C F h w) after `step`, from the averaged prediction (C F h w)."""


@runtime_checkable
class Solver(Protocol):
    """Takes one sampling step for some frames at once, remembering what it needs of each frame."""

    def advance(
        self, prediction: Tensor, latents: Tensor, step: int, *, frames: Sequence[int], memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Return the latents (C F h w) after `step`, and what the next step of these frames will be given.

        The memory of step 0 is empty. No frame may influence another: which come together is arbitrary.
        """


@dataclass
class _Frame:
    """What is kept of a frame while it is under way."""

    latents: Tensor
    """(C h w) after `steps_done` steps."""
    windows_left: int
    """Windows that have yet to predict for the step at hand."""
    steps_done: int = 0
    prediction: Tensor | None = None
    """(C h w) sum so far of the windows' predictions, each divided by the number of windows."""
    memory: Memory = ()
    """Each (C h w), as the solver left it."""


def guide(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Return the classifier-free guided prediction (Ho and Salimans, 2022): u + scale * (c - u)."""
    return unconditional + scale * (conditional - unconditional)


def num_calls(num_frames: int, num_steps: int, *, size: int, overlap: int, first_frame: int = 0) -> int:
    """Return how many times `stream_latents` will call its predictor."""
    starts, reach = window_starts(num_frames, size, overlap), window_reach(size, overlap)
    first = first_window(num_frames, size, overlap, first_frame)
    skipped = (max(0, first - reach * ahead) for ahead in range(num_steps))
    return len(starts) * num_steps - sum(skipped)


def stream_latents(
    num_frames: int,
    num_steps: int,
    *,
    size: int,
    overlap: int,
    predict: WindowPredictor,
    update: LatentUpdate | Solver,
    initial: Callable[[int], Tensor],
    order: Iterable[tuple[int, int]] | None = None,
    first_frame: int = 0,
    windows_per_batch: int = 1,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (frame, final latents (C h w)) in order of time, each as soon as it is finished.

    Every window is predicted at every step; where windows overlap the predictions are averaged (each
    divided by the number of windows that cover the frame, then summed), and a frame takes its step when the
    last of its windows has spoken. `initial(frame)` gives the starting latents when a frame is first needed.
    A frame is never asked for again after it was yielded, so its conditions may be released.
    `order` replaces the diagonal order by another valid one; the result is the same for any.
    With `first_frame` the frames before it are not yielded, and of the windows before it only those steps are
    made that later frames depend on: what is yielded is the same.
    With `windows_per_batch` > 1 up to that many windows that do not wait for each other, at whatever step
    each of them is, go to `predict.together`; the result is the same for any number.
    """
    windows = context_windows(num_frames, size, overlap)
    coverage = frame_coverage(windows, num_frames)
    reach = window_reach(size, overlap)
    begin = first_window(num_frames, size, overlap, first_frame)
    batches: Iterable[list[tuple[int, int]]]
    if windows_per_batch > 1:
        assert order is None, "an order of single windows cannot be batched"
        batches = wavefront(len(windows), num_steps, reach, batch=windows_per_batch, first=begin)
    else:
        pairs = diagonal_order(len(windows), num_steps, reach) if order is None else order
        batches = ([pair] for pair in pairs if pair[0] >= begin - reach * (num_steps - 1 - pair[1]))
    active: dict[int, _Frame] = {}
    next_frame = first_frame
    for batch in batches:
        for window, step in batch:
            for frame in real_frames(windows[window]):
                if frame not in active:
                    assert step == 0 and (frame >= next_frame or next_frame == first_frame), (
                        "a finished frame was needed again"
                    )
                    active[frame] = _Frame(initial(frame), coverage[frame])
                assert active[frame].steps_done == step, "the order of windows and steps is not valid"
        chosen = [windows[window] for window, _ in batch]
        predictions = _predict(predict, active, chosen, [step for _, step in batch])
        for frames, prediction in zip(chosen, predictions, strict=True):
            _collect(active, real_frames(frames), prediction, coverage)
        for frames in chosen:
            _advance(active, real_frames(frames), coverage, update)
        while next_frame in active and active[next_frame].steps_done == num_steps:
            yield next_frame, active.pop(next_frame).latents
            next_frame += 1
            if next_frame == first_frame + 1:
                active = {frame: state for frame, state in active.items() if frame > first_frame}
    assert next_frame == num_frames, "the order left frames unfinished"


def _predict(
    predict: WindowPredictor, active: dict[int, _Frame], windows: list[list[int]], steps: list[int]
) -> Tensor:
    """Return the predictions (B C F h w) for windows that need nothing of each other."""
    latents = torch.stack(
        [torch.stack([active[frame].latents for frame in frames], dim=1) for frames in windows]
    )
    if len(windows) == 1:
        return predict(latents, windows[0], steps[0])
    assert isinstance(predict, BatchPredictor), "this predictor takes one window at a time"
    return predict.together(latents, windows, steps)


def _collect(
    active: dict[int, _Frame], frames: list[int], prediction: Tensor, coverage: Sequence[int]
) -> None:
    """Add one window's prediction (C F h w) to the frames it covers."""
    for slot, frame in enumerate(frames):
        share = prediction[:, slot] / coverage[frame]
        state = active[frame]
        state.prediction = share if state.prediction is None else state.prediction + share
        state.windows_left -= 1


def _advance(
    active: dict[int, _Frame], frames: list[int], coverage: Sequence[int], update: LatentUpdate | Solver
) -> None:
    """Take the step of those frames whose windows have all spoken."""
    ready = [frame for frame in frames if active[frame].windows_left == 0]
    if not ready:
        return
    states = [active[frame] for frame in ready]
    predictions = torch.stack([state.prediction for state in states if state.prediction is not None], dim=1)
    latents = torch.stack([state.latents for state in states], dim=1)
    step = states[0].steps_done
    memory: Memory = ()
    if isinstance(update, Solver):
        gathered = zip(*(state.memory for state in states), strict=True)
        remembered = tuple(torch.stack(parts, dim=1) for parts in gathered)
        stepped, memory = update.advance(predictions, latents, step, frames=ready, memory=remembered)
    else:
        stepped = update(predictions, latents, step)
    for slot, frame in enumerate(ready):
        kept = tuple(part[:, slot] for part in memory)
        active[frame] = _Frame(stepped[:, slot], coverage[frame], step + 1, memory=kept)
