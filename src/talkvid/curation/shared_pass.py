"""One decode of a clip for all scorers: each sees the pictures it wants as they go by."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

from talkvid.curation.records import Span
from talkvid.curation.scorer import Look, LumaLook, Scorer
from talkvid.media.video_pick import pick_pictures
from talkvid.media.video_stream import Picture
from talkvid.media.video_window import FrameTables
from talkvid.records import Array

Pictures = Callable[[Span, Sequence[int]], Iterable[tuple[int, Picture]]]
"""Gives (number within the clip, picture) of the pictures with these numbers, in their order."""


@dataclass
class Viewing:
    """What one clip's decode left: the looks that saw it and what broke."""

    looks: dict[str, Look] = field(default_factory=dict)
    """Stage -> look that saw all its pictures."""
    faults: dict[str, Exception] = field(default_factory=dict)
    """Stage -> what its look raised while seeing."""
    damage: str = ""
    """Why decoding broke off; then no look saw all its pictures."""
    num_pictures: int = 0
    """How many pictures were shown to at least one look."""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Wall time by stage, and that of `decode`."""

    def recorded(self, stage: str) -> "_Recorded":
        """Return a context whose seconds and exception are noted as those of a stage."""
        return _Recorded(self, stage)


def view(span: Span, scorers: Mapping[str, Scorer], *, pictures: Pictures) -> Viewing:
    """Return the looks of the scorers (stage -> scorer) at a clip after one decode of it.

    A look that raises is dropped and the others go on; a file that does not decode ends the viewing.
    """
    viewing = Viewing()
    wanted: dict[str, set[int]] = {}
    for stage, scorer in scorers.items():
        with viewing.recorded(stage):
            wanted[stage] = set(scorer.wanted(span))
            viewing.looks[stage] = scorer.begin(span)
    union = sorted(set().union(*(wanted[stage] for stage in viewing.looks))) if viewing.looks else []
    try:
        for index, picture in _timed(pictures(span, union), viewing) if union else ():
            viewing.num_pictures += 1
            _show(index, picture, viewing, [stage for stage in viewing.looks if index in wanted[stage]])
    except (ValueError, OSError) as error:
        viewing.damage = " ".join(str(error).split())
    return viewing


def _show(index: int, picture: Picture, viewing: Viewing, stages: Sequence[str]) -> None:
    """Let the looks of these stages see a picture, converted once to colours and only if one wants them."""
    rgb: Array | None = None
    for stage in stages:
        look = viewing.looks[stage]
        if isinstance(look, LumaLook):
            luma = _converted(partial(picture.luma, look.luma_side), viewing)
            with viewing.recorded(stage):
                look.see_luma(index, luma)
            continue
        if rgb is None:
            rgb = _converted(picture.rgb, viewing)
        with viewing.recorded(stage):
            look.see(index, rgb)


def _converted(convert: Callable[[], Array], viewing: Viewing) -> Array:
    """Return a picture that no look can change, adding the time that it took to `decode`."""
    begin = perf_counter()
    picture = convert()
    picture.flags.writeable = False
    viewing.seconds["decode"] += perf_counter() - begin
    return picture


def file_pictures(tables: FrameTables) -> Pictures:
    """Return a reader of clips from their files that remembers where the pictures of each file are."""

    def read(span: Span, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        numbers = [span.first_frame + index for index in indices]
        for number, picture in pick_pictures(span.path, numbers, tables=tables):
            yield number - span.first_frame, picture

    return read


class _Recorded:
    """Adds the block's seconds to a stage and notes what it raises as that stage's fault alone."""

    def __init__(self, viewing: Viewing, stage: str) -> None:
        self._viewing = viewing
        self._stage = stage

    def __enter__(self) -> None:
        self._begin = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        self._viewing.seconds[self._stage] += perf_counter() - self._begin
        if not isinstance(error, Exception):
            return False
        self._viewing.faults[self._stage] = error
        self._viewing.looks.pop(self._stage, None)
        return True


def _timed(pictures: Iterable[tuple[int, Picture]], viewing: Viewing) -> Iterator[tuple[int, Picture]]:
    """Yield the pictures, adding the time that getting them took to `decode`."""
    iterator = iter(pictures)
    while True:
        begin = perf_counter()
        entry = next(iterator, None)
        viewing.seconds["decode"] += perf_counter() - begin
        if entry is None:
            return
        yield entry
