"""Which numbers of a run not to believe, one line each."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from talkvid.evaluation.suite.cells import FEW_CLIPS
from talkvid.evaluation.suite.gathered import Gathered
from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.pair import TRUTH, WRONG
from talkvid.evaluation.suite.separation import BetterThanTruth, Separation

MOST_NAMED = 3
"""So many clips are told by name."""


def warnings_of(
    numbers: Gathered, separations: Sequence[Separation], above: Sequence[BetterThanTruth]
) -> Iterator[str]:
    """Yield the warnings: what did not open, who has other clips, and what the controls say."""
    yield from _about_rows(numbers)
    yield from _about_missing_controls(numbers)
    columns = {one.id: one.column for one in numbers.columns}
    controls = list(dict.fromkeys(one.control for one in separations))
    for control in controls:
        found = [one for one in separations if one.control == control]
        few = [one for one in found if one.told is None]
        if few:
            named = _headings(columns[one.metric, one.key] for one in few)
            most = max(one.num_clips for one in few)
            clips = f"{most} clip{'s' if most > 1 else ''}"
            yield f"too few clips to say whether {named} can tell {_both(few[0])}: {clips} of {FEW_CLIPS}"
        same = [one for one in found if one.told is False and one.same]
        if same:
            named = _headings(columns[one.metric, one.key] for one in same)
            yield f"{named} cannot tell {_both(same[0])}: equal in every clip"
        for one in found:
            if one.told is False and not one.same:
                yield (
                    f"{columns[one.metric, one.key].heading} cannot tell {_both(one)} here "
                    f"(AUC {one.auc:.2f} of {one.num_clips} clips){_or_the_video(one)}"
                )
    for beaten in above:
        yield _above(beaten, columns[beaten.metric, beaten.key])


def _both(one: Separation) -> str:
    control = one.control.removeprefix(f"{one.row}: ")
    return f"the truth from {control}" if one.row == TRUTH else f"{one.row} from {one.row} with {control}"


def _or_the_video(one: Separation) -> str:
    return "" if one.row == TRUTH else ", or these videos are no better than that"


def _above(found: BetterThanTruth, column: Column) -> str:
    made, truth, low, high = (
        f"{number:.{max(column.digits, 2)}f}" for number in (found.made, found.truth, found.low, found.high)
    )
    what = {"zero": ", distance to 0", "one": ", distance to 1"}.get(column.better, "")
    return (
        f"{column.heading}{what}: {found.row} is better than the truth ({made} against {truth}, by {low} to "
        f"{high} in {found.num_clips} clips): here the number rewards something else, such as what "
        "a system was trained towards"
    )


def _about_rows(numbers: Gathered) -> Iterator[str]:
    main = numbers.shown[numbers.main_rows].any(axis=0)
    for row, pair in enumerate(numbers.rows):
        failed = [clip for (where, clip) in numbers.failed if where == row]
        if failed:
            reason = numbers.failed[row, failed[0]]
            yield f"{pair.row}: {len(failed)} of {numbers.shown[row].sum()} videos did not open ({reason})"
        lacking = np.flatnonzero(main & ~numbers.shown[row])
        if len(lacking) and row in numbers.main_rows:
            names = ", ".join(numbers.clips[place] for place in lacking[:MOST_NAMED])
            more = f" and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
            yield (
                f"{pair.row} lacks {len(lacking)} of {main.sum()} clips ({names}{more}): compare it on the "
                "clips that all have"
            )


def _about_missing_controls(numbers: Gathered) -> Iterator[str]:
    controls = [pair.control for pair in numbers.rows if pair.control is not None]
    if not any(control.name != TRUTH for control in controls):
        yield "no controls were scored: nothing shows that these numbers tell good from bad here"
    elif not any(control.name == WRONG for control in controls):
        yield "no control with a wrong sound: there are no two clips with different sounds"


def _headings(columns: Iterable[Column]) -> str:
    return ", ".join(column.heading for column in columns)
