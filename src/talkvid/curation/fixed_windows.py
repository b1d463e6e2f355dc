"""Windows of a fixed number of pictures, laid over a clip one after another."""


def fixed_windows(num_frames: int, window: int) -> list[tuple[int, int]]:
    """Return [first, stop) of the windows that cover a clip, each of exactly `window` pictures.

    They follow each other without a gap; the last one is moved back to end with the clip, so it overlaps the
    one before unless the length is a multiple. A clip shorter than a window has none.
    """
    if window < 1:
        raise ValueError(f"a window must have at least 1 picture, got {window}")
    starts = list(range(0, num_frames - window + 1, window))
    if starts and starts[-1] + window < num_frames:
        starts.append(num_frames - window)
    return [(start, start + window) for start in starts]
