"""One pair opened for reading: its pictures, sounds and looks, with a control's treatment applied."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from talkvid.evaluation.facts import picture_size
from talkvid.evaluation.frame_pairs import FramePair, aligned_pairs
from talkvid.evaluation.suite.looks import Looks, first_picture, stilled
from talkvid.evaluation.suite.metric import Need
from talkvid.evaluation.suite.pair import Control, Pair
from talkvid.evaluation.video_look import VideoLook
from talkvid.media.container import open_media, video_stream
from talkvid.media.video import VideoInfo, probe, read_frames
from talkvid.media.video_stream import decoded_frames
from talkvid.records import Array

VERSION = 1
"""Raised when pictures, sounds or looks of the same files become others."""
LENGTH_SLACK = 0.1
"""Share by which the made video may be shorter or longer than the true one."""
SHAPE_SLACK = 0.02
"""Share by which width over height may differ: beyond it the two show different parts of the scene."""
CONTROL_RATE_HZ = 16000


class OpenPair:
    """A pair as metrics see it, see `metric.ClipView`.

    Args:
        pair: the files and the control's treatment.
        looks: looks at files, and remembers.
        others: files whose sounds are those of other clips.
        allow_length_mismatch: whether a made video may be much shorter or longer than the true one.

    Raises:
        FileNotFoundError, ValueError: the made video cannot be opened.
    """

    def __init__(
        self, pair: Pair, looks: Looks, *, others: Sequence[Path] = (), allow_length_mismatch: bool = False
    ) -> None:
        self.pair = pair
        self.made: VideoInfo = probe(pair.made)
        self.yardstick_name = looks.eye.yardstick.name
        self.reference: VideoInfo | None = None
        self._looks, self._others = looks, others
        self._control = pair.control or Control(name="")
        self._problem = ""
        if pair.reference is not None:
            try:
                self.reference = probe(pair.reference)
            except (ValueError, FileNotFoundError) as error:
                self._problem = str(error)
            else:
                self._problem = "" if allow_length_mismatch else _mismatch(self.made, self.reference)

    def lacks(self, needs: frozenset[Need]) -> list[Need]:
        """Return what the pair does not have of `needs`; the first picture stands in for a portrait."""
        has_sound = self.pair.audio is not None or self.made.has_audio
        missing = {Need.REFERENCE: self.pair.reference is None, Need.SOUND: not has_sound}
        return [need for need in needs if missing.get(need, False)]

    def require_reference(self) -> Path:
        """Return the true video; ValueError without one, for a broken one and for lengths that differ."""
        if self.pair.reference is None:
            raise ValueError(f"{self.pair.made}: there is no true video; give one with --reference")
        if self._problem:
            raise ValueError(self._problem)
        return self.pair.reference

    def frames(self) -> Iterator[Array]:
        """Yield the made video's RGB (H W 3) uint8 pictures, the control's treatment applied."""
        return (
            _first_picture_throughout(self.pair.made) if self._control.still else read_frames(self.pair.made)
        )

    def reference_frames(self) -> Iterator[Array]:
        """Yield the true video's pictures; ValueError without one, or when the lengths differ too much."""
        return read_frames(self.require_reference())

    def frame_pairs(self) -> Iterator[FramePair]:
        """Yield each made picture beside the true one shown at its middle, both of the true one's size.

        A larger made picture is brought to that size by area, a smaller one by cubic interpolation.
        ValueError when the two are of different shape, or their lengths differ too much.
        """
        reference = self.require_reference()
        assert self.reference is not None
        yield from aligned_pairs(
            self._of_true_size(self.reference),
            read_frames(reference),
            made_fps=self.made.fps,
            truth_fps=self.reference.fps,
        )

    def sound(self, *, rate: int = 16000) -> Array:
        """Return the sound (N,) float32 mono that the video is heard with, as long as it was.

        A positive shift puts silence first, a negative one takes the beginning away and adds it at the end.
        """
        sound = self._looks.sound(self.pair.audio or self.pair.made, rate=rate)
        return shifted(sound, round(self._control.shift_s * rate))

    def other_sounds(self) -> list[Array]:
        """Return sounds at 16 kHz of other clips, those that can be read; empty where there is none."""
        found: list[Array] = []
        for path in self._others:
            try:
                found.append(self._looks.sound(path, rate=CONTROL_RATE_HZ))
            except (ValueError, FileNotFoundError):
                continue  # its own pair says what is wrong with it
        return found

    def look(self) -> VideoLook:
        """Return what the yardstick sees in the made video."""
        look = self._looks.of_video(self.pair.made)
        return stilled(look) if self._control.still else look

    def reference_look(self) -> VideoLook:
        """Return what the yardstick sees in the true video; ValueError without one."""
        return self._looks.of_video(self.require_reference())

    def portrait_look(self) -> VideoLook:
        """Return what the yardstick sees in the portrait, or in the true or made video's first picture."""
        if self.pair.portrait is not None:
            return self._looks.of_picture(self.pair.portrait)
        if self.pair.reference is not None:
            return first_picture(self._looks.of_video(self.pair.reference))
        return first_picture(self._looks.of_video(self.pair.made))

    def _of_true_size(self, reference: VideoInfo) -> Iterator[Array]:
        """Yield the made pictures at the true video's size; ValueError when their shape is another one."""
        size = reference.width, reference.height
        for frame in self.frames():
            if frame.shape[1::-1] == size:
                yield frame
                continue
            height, width = frame.shape[:2]
            if abs(width / height * size[1] / size[0] - 1) > SHAPE_SLACK:
                raise ValueError(
                    f"the made picture is {picture_size(frame)}, the true one {size[0]}x{size[1]}: another "
                    "shape, so not the same part of the scene; crop one like the other"
                )
            by_area = width * height > size[0] * size[1]
            yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA if by_area else cv2.INTER_CUBIC)


def shifted(sound: Array, samples: int) -> Array:
    """Return the sound (N,) that many samples later, silence first; below 0 earlier, silence last."""
    moved = np.zeros_like(sound)
    if samples >= 0:
        moved[samples:] = sound[: max(0, len(sound) - samples)]
    else:
        moved[:samples] = sound[-samples:]
    return moved


def _mismatch(made: VideoInfo, truth: VideoInfo) -> str:
    """Return why the lengths do not fit, "" when they do or a file does not state its own."""
    ours, theirs = _length_s(made), _length_s(truth)
    if ours is None or theirs is None or abs(ours / theirs - 1) <= LENGTH_SLACK + 1e-9:
        return ""
    return (
        f"the made video lasts {ours:.2f} s, the true one {theirs:.2f} s: over {LENGTH_SLACK:.0%} apart; "
        "cut one, or say --allow_length_mismatch to compare what they share"
    )


def _length_s(info: VideoInfo) -> float | None:
    if info.num_frames and info.fps > 0:
        return info.num_frames / info.fps
    return info.duration_s or None


def _first_picture_throughout(path: Path) -> Iterator[Array]:
    """Yield the first picture as often as the video has pictures; the others are not converted."""
    first: Array | None = None
    with open_media(path, what="video") as container:
        stream = video_stream(container, str(path))
        for frame in decoded_frames(container, stream, str(path), on_damage="raise"):
            first = frame.picture() if first is None else first
            yield first
