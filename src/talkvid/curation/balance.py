"""Lengths of clips spread over a range: long takes divided at random lengths, surplus clips named."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from talkvid.curation.clip_row import ClipRow
from talkvid.curation.records import KEPT, REJECTED

CODE, STAGE = "BALANCED_OUT", "balance"


@dataclass(frozen=True)
class BalanceConfig:
    """How many clips of each length may stay."""

    shortest_s: float = 3.0
    longest_s: float = 30.0
    num_bins: int = 9
    """Equal parts of the range; 9 parts of 3 to 30 s are 3 s each."""
    most_per_bin: int = 0
    """Clips that one part may hold; 0: `ratio` decides."""
    ratio: float = 0.0
    """A part may hold so many times as the median of the parts that hold any; 0: no clip is left out."""
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 < self.shortest_s < self.longest_s:
            raise ValueError(
                f"lengths must be 0 < shortest_s < longest_s, got {self.shortest_s} and {self.longest_s}"
            )
        if self.num_bins < 1 or self.most_per_bin < 0 or self.ratio < 0:
            raise ValueError("num_bins must be at least 1, most_per_bin and ratio 0 or more")


def draw_lengths(key: str, *, shortest_s: float, longest_s: float, seed: int) -> Iterator[float]:
    """Yield lengths in seconds, even over the range, for ever; the same for the same key and seed.

    Drawn by ends that differ from one another: as many short as long pieces come out, not as many seconds.
    """
    generator = np.random.default_rng(_number(f"{seed}/{key}"))
    while True:
        yield float(generator.uniform(shortest_s, longest_s))


def balanced_out(lengths_s: Mapping[str, float], config: BalanceConfig) -> dict[str, str]:
    """Return the clips (id -> length in seconds) that are too many of their length: id -> reason in words.

    Which of a part's clips stay depends on seed and ids alone, not on their order or on the other parts.
    Clips outside of the range are no surplus. Nothing is left out while both limits are 0.
    """
    part_of = {name: _part(length, config) for name, length in lengths_s.items()}
    members = {part: [name for name in part_of if part_of[name] == part] for part in range(config.num_bins)}
    most = _most(Counter(part for part in part_of.values() if part is not None).values(), config)
    out = {}
    for part, names in members.items():
        width = (config.longest_s - config.shortest_s) / config.num_bins
        begin = config.shortest_s + part * width
        for name in sorted(names, key=lambda name: _number(f"{config.seed}/{name}"))[most or len(names) :]:
            out[name] = (
                f"{len(names)} clips of {begin:g} to {begin + width:g} s, at most {most} are asked for"
            )
    return out


def balanced_rows(rows: Callable[[], Iterator[ClipRow]], config: BalanceConfig) -> Iterator[ClipRow]:
    """Yield the rows, surplus ones of those that would be kept rejected; `rows` is called twice then."""
    if not (config.most_per_bin or config.ratio):
        yield from rows()
        return
    out = balanced_out({row.clip_id: row.duration_s for row in rows() if row.status == KEPT}, config)
    for row in rows():
        if (reason := out.get(row.clip_id)) is None:
            yield row
        else:
            yield replace(row, status=REJECTED, code=CODE, reason=reason, failed_stage=STAGE)


def _part(length_s: float, config: BalanceConfig) -> int | None:
    if not config.shortest_s <= length_s <= config.longest_s:
        return None
    share = (length_s - config.shortest_s) / (config.longest_s - config.shortest_s)
    return min(int(share * config.num_bins), config.num_bins - 1)


def _most(counts: Iterable[int], config: BalanceConfig) -> int:
    """Return how many clips a part may hold; 0 for any number."""
    filled = sorted(counts)
    if config.most_per_bin or not config.ratio or not filled:
        return config.most_per_bin
    return max(1, int(config.ratio * float(np.median(filled))))


def _number(text: str) -> int:
    """Return a number drawn from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
