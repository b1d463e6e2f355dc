"""Who sees what: a plan of trials in which every comparison, side and clip comes equally often."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from talkvid.evaluation.raters.questions import Kind

MOST_BY_DEFAULT = 30
"""Trials of a rater where no number is given: about a quarter of an hour with clips of ten seconds."""
SHUFFLES = 30


@dataclass(frozen=True)
class Shown:
    """One video of a trial."""

    name: str
    """The system that made it."""
    still: bool = False
    """Whether its first picture stands still while the sound goes on: only in catch trials."""


@dataclass(frozen=True)
class Trial:
    """One screen: one video, or two of the same clip in the order of the screen."""

    clip: str
    shown: tuple[Shown, ...]
    catch: bool = False


@dataclass(frozen=True)
class Design:
    """What a plan is made from."""

    kind: Kind
    systems: tuple[str, ...]
    clips: tuple[str, ...]
    raters: int
    trials: int
    """Of each rater, catch trials not counted."""
    catch: int
    """Catch trials of each rater."""
    seed: int
    catch_names: tuple[str, ...]
    """Whose videos catch trials are made of: the true ones where there are any, else those of all systems."""

    def cells(self) -> list[tuple[str, ...]]:
        """Return what is compared: all pairs of systems, or the single systems."""
        return list(itertools.combinations(self.systems, 2 if self.kind == "ab" else 1))


def default_trials(kind: Kind, num_systems: int, num_clips: int) -> int:
    """Return the trials of a rater: a multiple of what is compared, near MOST_BY_DEFAULT at most."""
    num_cells = num_systems * (num_systems - 1) // 2 if kind == "ab" else num_systems
    return num_cells * max(1, min(num_clips, MOST_BY_DEFAULT // num_cells))


def check_systems(kind: Kind, number: int) -> None:
    """Raise ValueError when there is nothing to compare."""
    if number < (2 if kind == "ab" else 1):
        raise ValueError(f"{number} system is given; side by side needs two: --videos NAME=DIR for each")


def check(design: Design) -> None:
    """Raise ValueError with the numbers for a design that cannot be."""
    check_systems(design.kind, len(design.systems))
    if design.raters < 1 or design.trials < 1 or design.catch < 0:
        raise ValueError(
            f"raters {design.raters}, trials {design.trials}, catch {design.catch}: "
            "raters and trials must be 1 or more, catch 0 or more"
        )
    most = len(design.cells()) * len(design.clips)
    if design.trials > most:
        raise ValueError(
            f"trials: {design.trials} asked for, but {len(design.cells())} comparisons of "
            f"{len(design.clips)} clips give {most} different ones; take --trials {most} or fewer"
        )


def plan(design: Design) -> list[list[Trial]]:
    """Return the trials of every rater in the order they are seen.

    Over all raters, every pair of systems (or system) comes equally often, at most one more than another;
    each pair stands each way round equally often, at most one more; and goes through all clips, in one
    shuffled order that is the same for all pairs, before any clip comes again, then with sides changed. So a
    rater never sees the same comparison of a clip twice. The order of the trials is shuffled for each rater
    by seed and number, the same clip not twice running where that can be had. ValueError as `check` says.
    """
    check(design)
    source = random.Random(f"talkvid study {design.seed}")
    cells = design.cells()
    source.shuffle(cells)
    clips = list(design.clips)
    source.shuffle(clips)
    first_turns = [source.randrange(2) for _ in cells]
    uses = [0] * len(cells)
    rated = []
    for rater in range(design.raters):
        trials = []
        for cell in quotas(len(cells), design.trials, rater):
            trials.append(_trial(cells[cell], clips, uses[cell], first_turns[cell]))
            uses[cell] += 1
        order = random.Random(f"talkvid study {design.seed} rater {rater}")
        rated.append(_with_catches(_shuffled(trials, order), design, rater, order))
    return rated


def quotas(num_cells: int, num_trials: int, rater: int) -> list[int]:
    """Return the cell of each trial of one rater; what does not divide evenly rotates from rater to rater."""
    start = rater * (num_trials % num_cells) % num_cells
    return [(start + position) % num_cells for position in range(num_trials)]


def _trial(systems: tuple[str, ...], clips: Sequence[str], use: int, first_turn: int) -> Trial:
    round_number, position = divmod(use, len(clips))
    turned = (position + round_number + first_turn) % 2
    ordered = systems[::-1] if turned else systems
    return Trial(clips[position], tuple(Shown(name) for name in ordered))


def _shuffled(trials: list[Trial], source: random.Random) -> list[Trial]:
    """Return them in the best of some shuffles: the fewest neighbours that show the same clip."""
    best = list(trials)
    fewest = len(trials)
    for _ in range(SHUFFLES):
        candidate = source.sample(trials, len(trials))
        repeats = sum(one.clip == other.clip for one, other in itertools.pairwise(candidate))
        if repeats < fewest:
            best, fewest = candidate, repeats
        if not repeats:
            break
    return best


def _with_catches(trials: list[Trial], design: Design, rater: int, source: random.Random) -> list[Trial]:
    """Return the trials with the catch trials spread among them, never the first one."""
    result = list(trials)
    stretch = len(trials) / max(1, design.catch)
    for number in reversed(range(design.catch)):
        at = 1 + int((number + source.random()) * stretch)
        result.insert(min(at, len(trials)), _catch(design, rater, number, source))
    return result


def _catch(design: Design, rater: int, number: int, source: random.Random) -> Trial:
    name = design.catch_names[(rater + number) % len(design.catch_names)]
    moving, still = Shown(name), Shown(name, still=True)
    both = (moving, still) if (rater + number) % 2 else (still, moving)
    return Trial(source.choice(design.clips), both if design.kind == "ab" else (still,), catch=True)
