"""Windows: how a long video is cut into stretches that the denoiser can see at once."""

from collections.abc import Iterator
from itertools import islice


def window_starts(num_frames: int, size: int, overlap: int) -> range:
    """Return the first frame of every window.

    Windows of `size` frames follow each other every `size - overlap` frames; the last one is the first that
    reaches the end of the video. Raises ValueError when the numbers cannot make windows.
    """
    if num_frames < 1:
        raise ValueError(f"a video needs at least 1 frame, got {num_frames}; check the length of the sound")
    if size < 1:
        raise ValueError(f"context_frames must be at least 1, got {size}")
    if not 0 <= overlap < size:
        raise ValueError(f"context_overlap must be from 0 to context_frames - 1 = {size - 1}, got {overlap}")
    if num_frames <= size:
        return range(1)
    return range(0, num_frames - overlap, size - overlap)


def context_windows(num_frames: int, size: int, overlap: int) -> list[list[int]]:
    """Return the frame indices of every window, in order of time.

    A video no longer than `size` is one window of its own length. Otherwise every window has `size` entries;
    where the last one reaches past the end it repeats the last frame, and what is predicted for the repeats
    is thrown away (`real_frames`).
    """
    starts = window_starts(num_frames, size, overlap)
    if len(starts) == 1:
        return [list(range(num_frames))]
    return [[min(frame, num_frames - 1) for frame in range(start, start + size)] for start in starts]


def first_window(num_frames: int, size: int, overlap: int, frame: int) -> int:
    """Return the number of the first window that covers a frame."""
    starts = window_starts(num_frames, size, overlap)
    return next(number for number, start in enumerate(starts) if start + size > frame)


def real_frames(window: list[int]) -> list[int]:
    """Return the window without the padding at its end: every frame once."""
    return list(dict.fromkeys(window))


def frame_coverage(windows: list[list[int]], num_frames: int) -> list[int]:
    """Return for each frame the number of windows it belongs to, padding not counted."""
    counts = [0] * num_frames
    for window in windows:
        for frame in real_frames(window):
            counts[frame] += 1
    return counts


def window_reach(size: int, overlap: int) -> int:
    """Return how many neighbours on each side share a frame with a window: 1 while overlap <= size / 2."""
    return -(-size // (size - overlap)) - 1


def plain_order(num_windows: int, num_steps: int) -> Iterator[tuple[int, int]]:
    """Yield (window, step) pairs step by step over the whole video, as the reference implementation goes."""
    for step in range(num_steps):
        for window in range(num_windows):
            yield window, step


def diagonal_order(num_windows: int, num_steps: int, reach: int) -> Iterator[tuple[int, int]]:
    """Yield (window, step) pairs so that early windows finish while late ones have not begun.

    Step s of window w needs step s - 1 of the windows w - reach to w + reach only. Walking the diagonals
    w + reach * s = 0, 1, 2, ... with decreasing w inside each keeps that order while no more than about
    reach * num_steps windows are under way, however long the video is.
    """
    stride = max(reach, 1)
    for diagonal in range(num_windows + stride * (num_steps - 1)):
        first_step = max(0, -(-(diagonal - num_windows + 1) // stride))
        last_step = min(num_steps - 1, diagonal // stride)
        for step in range(first_step, last_step + 1):
            yield diagonal - stride * step, step


def wavefront(
    num_windows: int, num_steps: int, reach: int, *, batch: int, first: int = 0
) -> Iterator[list[tuple[int, int]]]:
    """Yield lists of at most `batch` (window, step) pairs that need nothing of each other.

    Each list takes the earliest windows that can go on, so early windows still finish first: no more than
    about (reach + 1) * batch + reach * num_steps are under way. Two windows that share a frame take a step in
    order of time, as in the other orders, so sums over windows come out the same. Windows before `first` make
    only the steps that later ones depend on.
    """
    wanted = {window: max(0, num_steps - -(-(first - window) // max(reach, 1))) for window in range(first)}
    if reach == 0:
        wanted = dict.fromkeys(range(first), 0)
    done: dict[int, int] = {}
    low = 0

    def can_go_on(window: int) -> bool:
        step = done.get(window, 0)
        if step >= wanted.get(window, num_steps):
            return False
        near = range(max(low, window - reach), min(num_windows, window + reach + 1))
        return all(done.get(other, 0) >= min(step, wanted.get(other, num_steps)) for other in near)

    while True:
        while low < num_windows and done.get(low, 0) >= wanted.get(low, num_steps):
            done.pop(low, None)
            low += 1
        if low == num_windows:
            return
        chosen = list(islice(filter(can_go_on, range(low, num_windows)), batch))
        pairs = [(window, done.get(window, 0)) for window in chosen]
        for window, step in pairs:
            done[window] = step + 1
        yield pairs
