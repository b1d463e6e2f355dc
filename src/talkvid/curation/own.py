"""Filters of your own: scorers of plug-in files, as a stage after the others or in the place of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from talkvid import plugins
from talkvid.curation.records import Span
from talkvid.curation.scorer import Look, Scorer
from talkvid.records import Array


@dataclass(frozen=True)
class OwnConfig:
    """Which filters of plug-in files score the clips; what passes is said by rules of the stage `own`."""

    filters: list[str] = field(default_factory=list)
    """Names of filters, see `talkvid.plugins`."""

    def __post_init__(self) -> None:
        known = plugins.names("filter")
        for name in self.filters:
            if name not in known:
                raise ValueError(
                    f"own.filters holds {name!r}: the files of ${plugins.VARIABLE} give "
                    f"{', '.join(known) or 'no filter'}"
                )


class PluggedIn:
    """A plug-in's scorer under the stage and the name that it is used by."""

    def __init__(self, scorer: Scorer, *, stage: str, name: str, origin: Mapping[str, str]) -> None:
        self.stage = stage
        self.backend = name
        self._scorer = scorer
        self._origin = dict(origin)

    def signature(self) -> Mapping[str, Any]:
        """Return what the scores depend on: the scorer's own words and its file's hash."""
        return {**self._scorer.signature(), **self._origin, "backend": self.backend}

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the numbers of the pictures that the scorer wants."""
        return self._scorer.wanted(span)

    def begin(self, span: Span) -> Look:
        """Return the scorer's look at a clip."""
        return self._scorer.begin(span)


def plugged_in(kind: str, name: str, *, stage: str) -> PluggedIn:
    """Return the scorer that a plug-in file gives under this name, made; what it raises goes on."""
    scorer = plugins.find(kind, name)()
    return PluggedIn(scorer, stage=stage, name=name, origin=plugins.describe(kind, name))


def build_own_scorer(config: OwnConfig) -> "OwnScorer":
    """Return the scorer of the stage `own`; ValueError when no filter is named."""
    if not config.filters:
        raise ValueError("stage own has no filter: name some with own.filters=[NAME]")
    return OwnScorer([plugged_in("filter", name, stage="own") for name in config.filters])


class OwnScorer:
    """Several filters as one stage; their scores stand beside each other."""

    stage = "own"

    def __init__(self, filters: Sequence[PluggedIn]) -> None:
        self.backend = "+".join(one.backend for one in filters)
        self._filters = filters

    def signature(self) -> Mapping[str, Any]:
        """Return what the scores depend on, filter by filter."""
        return {"backend": self.backend, "filters": [dict(one.signature()) for one in self._filters]}

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the numbers of the pictures that any filter wants, ascending."""
        return sorted({index for one in self._filters for index in one.wanted(span)})

    def begin(self, span: Span) -> "OwnLook":
        """Return fresh looks of all filters at a clip."""
        return OwnLook([(set(one.wanted(span)), one.begin(span)) for one in self._filters])


class OwnLook:
    """The filters' views of one clip; each sees the pictures that it wants."""

    def __init__(self, looks: Sequence[tuple[set[int], Look]]) -> None:
        self._looks = looks

    def see(self, index: int, picture: Array) -> None:
        """Show a picture, RGB (H W 3) uint8, to the filters that want it."""
        for wanted, look in self._looks:
            if index in wanted:
                look.see(index, picture)

    def finish(self) -> Mapping[str, float]:
        """Return all scores by name; ValueError when two filters give one of the same name."""
        scores: dict[str, float] = {}
        for _, look in self._looks:
            found = dict(look.finish())
            twice = sorted(scores.keys() & found.keys())
            if twice:
                raise ValueError(f"two filters give the score {twice[0]!r}; rename one of them")
            scores |= found
        return scores
