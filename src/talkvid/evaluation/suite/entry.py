"""A line of the registry: what a metric is called, tells and needs, and how it is built."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from talkvid.evaluation.facts import Fact
from talkvid.evaluation.suite.metric import ClipView, Column, Measured, Metric, Need, SetMetric
from talkvid.evaluation.suite.weights import MetricSettings


@dataclass(frozen=True)
class Entry:
    """One metric that can be asked for by name."""

    name: str
    description: str
    """What it does, in one line."""
    columns: tuple[Column, ...]
    """As with the published weights; with others the headings and keys say so once it is built."""
    needs: frozenset[Need]
    build: Callable[[MetricSettings], Metric | SetMetric]
    """Raises NotAtHand or ImportError when weights or a package are missing, ValueError for broken ones."""
    hears: bool = False
    weights: str = ""
    """The names that `talkvid models fetch` knows them by; empty when nothing is to be fetched."""
    in_default: bool = True
    of_sets: bool = False
    """Whether it compares two sets of videos as wholes."""
    models: tuple[str, ...] = ()
    """The models of the catalogue that its numbers stand on, besides the yardstick's."""


class PlainMetric:
    """A metric that is one function of a view, for everything that is settled when it is built."""

    def __init__(
        self,
        entry: Entry,
        measure: Callable[[ClipView], Measured],
        *,
        version: int,
        columns: tuple[Column, ...] | None = None,
        **settings: Fact,
    ) -> None:
        """Take the entry it belongs to; `settings` are all that its numbers depend on beside the files."""
        self.name = entry.name
        self.columns = entry.columns if columns is None else columns
        self.needs = entry.needs
        self.hears = entry.hears
        self._measure = measure
        self._signature = signature_of(entry.name, version, **settings)

    @property
    def signature(self) -> str:
        """Return what its numbers depend on beside the files, one line."""
        return self._signature

    def measure(self, view: ClipView) -> Measured:
        """Return the numbers of one pair; ValueError with the reason where they cannot be had."""
        found = self._measure(view)
        assert set(found.values) == {column.key for column in self.columns}, (self.name, sorted(found.values))
        return found


def signature_of(name: str, version: int, **settings: Fact) -> str:
    """Return one line that differs when any of it differs."""
    return json.dumps({"metric": name, "version": version, **settings}, sort_keys=True)
