"""Frames as they are finished, their number known beforehand; whoever takes them sets the pace."""

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Self

from talkvid.records import Array


class FrameStream:
    """An iterator over the frames (H W 3) uint8 of one video, in order.

    A frame is worked on when it is asked for (those that share its window are finished with it), so a slow
    taker slows the making down and nothing piles up. `close()`, leaving a `with` block or dropping the stream
    ends the work at once and gives back its memory and temporary files; the model stays loaded.
    """

    def __init__(
        self,
        frames: Generator[Array, None, None],
        *,
        num_frames: int,
        fps: float,
        size: tuple[int, int],
        on_close: Callable[[], None],
    ) -> None:
        self.num_frames = num_frames
        """How many frames there will be."""
        self.fps = fps
        self.width, self.height = size
        self._frames = frames
        self._on_close = on_close

    def __len__(self) -> int:
        return self.num_frames

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Array:
        """Return the next frame (height width 3) uint8."""
        try:
            return next(self._frames)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the work; a closed stream has no more frames."""
        self._frames.close()
        self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
