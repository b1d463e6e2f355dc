"""A long video in the making that outlives its process: finished stretches are kept until it is whole.

`<video>.parts/` holds one mp4 without sound per 240 frames and a journal that says what each was made from.
On disk they take as much as the video's pictures; when they are joined both lie there for a moment.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from talkvid.files import make_parent
from talkvid.inference.sidecar import sha256
from talkvid.media.audio import AudioSource
from talkvid.media.joined import join
from talkvid.media.writer import QUICK, VideoWriter
from talkvid.records import Array
from talkvid.runner import Journal, Record
from talkvid.runner.journal import DONE

logger = logging.getLogger(__name__)

STRETCH_FRAMES = 240
"""A multiple of every usual number of frames that are decoded together, so that these stay the same."""
ORIGIN = "made from"


def parts_folder(target: Path) -> Path:
    """Return where the stretches of a video are kept."""
    return target.with_name(f"{target.name}.parts")


def mention_parts(target: Path) -> None:
    """Say that an earlier run left stretches of this video, which only --resume takes up."""
    if parts_folder(target).is_dir():
        logger.info("%s holds stretches of an earlier run; --resume would go on there", parts_folder(target))


class PartsWriter:
    """Writes a video as `VideoWriter` does, from `first_frame` on where an earlier process was stopped.

    Use as a context manager. Leaving it with an exception keeps the finished stretches; leaving it well joins
    them, lays the sound under them and removes the folder. `made_from` (JSON values) is everything the frames
    depend on: where it differs from what the stretches were made from, all is made anew, and a line says so.
    Raises ValueError when another process is at work on the same video.
    """

    def __init__(
        self,
        target: Path,
        size: tuple[int, int],
        fps: float,
        *,
        num_frames: int,
        made_from: Mapping[str, Any],
        audio: AudioSource,
        metadata: Mapping[str, str],
    ) -> None:
        self.target = target
        self.folder = parts_folder(target)
        self.first_frame = 0
        self._size, self._fps = size, fps
        self._num_frames = num_frames
        self._origin: dict[str, Any] = json.loads(
            json.dumps({**made_from, "encoding": QUICK}, default=str, sort_keys=True)
        )
        told = json.dumps(self._origin, sort_keys=True)
        self._signature = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._audio, self._metadata = audio, metadata
        self._writer: VideoWriter | None = None

    def __enter__(self) -> Self:
        make_parent(self.target.absolute())
        self._journal = Journal(self.folder / "journal.jsonl")
        try:
            self._compare()
            kept = 0
            while kept * STRETCH_FRAMES < self._num_frames and self._is_whole(kept):
                kept += 1
            self.first_frame = min(kept * STRETCH_FRAMES, self._num_frames)
        except BaseException:
            self._journal.close()
            raise
        if kept:
            logger.info(
                "%s: %d of %d frames were made before", self.folder, self.first_frame, self._num_frames
            )
        self._next = self.first_frame
        return self

    def write(self, frame: Array) -> None:
        """Append one RGB uint8 picture (H W 3)."""
        if self._writer is None:
            self._writer = VideoWriter(
                self._path(self._next // STRETCH_FRAMES), *self._size, self._fps, **QUICK
            )
            self._writer.__enter__()
        self._writer.write(frame)
        self._next += 1
        if self._next % STRETCH_FRAMES == 0 or self._next == self._num_frames:
            self._finish_stretch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writer is not None:
                self._writer.__exit__(kind, error, trace)
            if error is None:
                self._join()
        finally:
            self._journal.close()
        if error is None:
            shutil.rmtree(self.folder)

    def _compare(self) -> None:
        """Note what the video is made from; drop the stretches of another video."""
        known = self._journal.latest.get(ORIGIN)
        if known is not None and known.signature == self._signature:
            return
        if known is not None:
            logger.warning(
                "%s: the video is made anew, for these differ from the earlier run: %s",
                self.folder,
                ", ".join(differing(known.result, self._origin)),
            )
        for path in self.folder.glob("*.mp4"):
            path.unlink()
        self._journal.append(Record(ORIGIN, DONE, self._signature, self._origin))

    def _is_whole(self, number: int) -> bool:
        """Return whether a stretch was finished, is there and unchanged."""
        record, path = self._journal.latest.get(f"{number:06d}"), self._path(number)
        if record is None or record.signature != self._signature:
            return False
        if path.is_file() and sha256(path) == record.result["sha256"]:
            return True
        logger.warning("%s: this stretch is missing or spoiled; it is made again", path)
        return False

    def _finish_stretch(self) -> None:
        assert self._writer is not None
        self._writer.__exit__(None, None, None)
        path, frames = self._writer.path, self._writer.num_frames
        self._writer = None
        with path.open("rb") as file:
            os.fsync(file.fileno())
        result = {"frames": frames, "sha256": sha256(path)}
        self._journal.append(Record(path.stem, DONE, self._signature, result))

    def _join(self) -> None:
        assert self._next == self._num_frames and self._writer is None, (self._next, self._num_frames)
        stretches = [self._path(number) for number in range(-(-self._num_frames // STRETCH_FRAMES))]
        length_s = Fraction(self._num_frames) / Fraction(self._fps).limit_denominator(1001)
        join(stretches, self.target, audio=self._audio, length_s=length_s, metadata=self._metadata)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.mp4"


def differing(before: Any, now: Any, name: str = "") -> list[str]:
    """Return the names of the values that differ between two JSON values, those of objects with dots."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted({*before, *now})
        return [
            found
            for key in keys
            for found in differing(before.get(key), now.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if before == now else [name]
