"""A metric whose numbers are planted beside cheap real ones, built by name in worker processes."""

import zlib
from collections.abc import Iterable, Iterator, Sequence

from talkvid.evaluation.suite.looks import Eye
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Need, Suite
from talkvid.evaluation.suite.registry import build_suite
from talkvid.evaluation.suite.run import ViewSettings
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.tracks import Sighting
from talkvid.records import Array

REAL = ("pixel", "ssim", "duration")
NO_NUMBER = 17
"""Every so many clips have no planted number."""


def planted_value(system: str, clip: str) -> float | None:
    """A number from 0 to 1 that anybody can compute from the names; None for some clips."""
    number = zlib.crc32(f"{system}/{clip}".encode())
    return None if number % NO_NUMBER == 0 else number / 2**32


class Planted:
    """Gives the planted number of a pair's names, after a look at its first picture."""

    name = "planted"
    columns: tuple[Column, ...] = (Column("planted", "planted", "lower", "A number that was planted.", 4),)
    needs: frozenset[Need] = frozenset()
    hears = False
    signature = "planted 1"

    def measure(self, view: ClipView) -> Measured:
        size = next(iter(view.frames())).shape
        value = planted_value(view.pair.row, view.pair.clip)
        notes = () if value is not None else ("no number was planted",)
        return Measured({"planted": value}, {"height": size[0]}, notes)


class Blind:
    """A yardstick for metrics that need none."""

    name = "blind"

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        raise AssertionError("no metric here looks for faces")

    def count(self, frame: Array) -> int:
        raise AssertionError("no metric here looks for faces")


def build_planted(names: Sequence[str], settings: MetricSettings) -> Suite:
    """The planted metric and the real ones named."""
    real = build_suite(names, settings)
    return Suite((Planted(), *real.metrics), real.sets, real.left_out)


def build_blind(settings: ViewSettings) -> Eye:
    return Eye(Blind())
