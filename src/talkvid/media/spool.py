"""Long rows of numbers on disk: written once from front to back, read anywhere, memory of one slice only."""

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from talkvid.records import Array

BYTES = 4


class Samples(Protocol):
    """Sound (N,) float32: an array, or something that reads the slices it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Array: ...


class Spool:
    """Float32 rows of `shape` in a nameless temporary file below TMPDIR, which is gone with the object.

    `shape` () makes single numbers (sound at 16 kHz: 64 kB per second), (80,) rows of 80.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.row_shape = shape
        self._width = math.prod(shape)
        self._file = tempfile.TemporaryFile(prefix="talkvid-", buffering=0)  # noqa: SIM115 -- until close()
        self._count = 0

    def append(self, rows: Array) -> None:
        """Write rows (n, *shape) behind the others; ValueError when the temporary folder is full."""
        assert rows.shape[1:] == self.row_shape, (rows.shape, self.row_shape)
        if not rows.size:
            return
        data = np.ascontiguousarray(rows, np.float32).data.cast("B")
        written = self._count * self._width * BYTES
        try:
            while data:
                done = os.pwrite(self._file.fileno(), data, written)
                data, written = data[done:], written + done
        except OSError as error:
            raise ValueError(
                f"{tempfile.gettempdir()}: temporary data cannot be written ({error.strerror}); "
                "free some room or set TMPDIR to another folder"
            ) from error
        self._count += len(rows)

    def resize(self, count: int) -> None:
        """Cut the rows off behind `count`, or add rows of zeros up to it."""
        os.ftruncate(self._file.fileno(), count * self._width * BYTES)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: slice) -> Array:
        """Return the rows of a slice without step."""
        first, stop, step = index.indices(self._count)
        assert step == 1, index
        count = max(stop - first, 0)
        rows = np.empty((count, *self.row_shape), np.float32)
        if rows.size:
            left, place = rows.data.cast("B"), first * self._width * BYTES
            while left:
                done = os.preadv(self._file.fileno(), [left], place)
                assert done, "the temporary file is shorter than it was"
                left, place = left[done:], place + done
        return rows

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # no temporary file could be made
            self._file.close()


def blocks(total: int, size: int) -> Iterator[slice]:
    """Yield slices of `size` (the last may be shorter) that cover 0 … total - 1."""
    for first in range(0, total, size):
        yield slice(first, min(first + size, total))
