"""The plan of a study: equally often, both ways round, the same clip, another order for everybody."""

import itertools
from collections import Counter

import pytest

from talkvid.evaluation.raters.design import Design, Trial, default_trials, plan
from talkvid.evaluation.raters.questions import Kind


def design(
    kind: Kind = "ab",
    *,
    systems: int = 3,
    clips: int = 5,
    raters: int = 7,
    trials: int = 8,
    catch: int = 2,
    seed: int = 0,
) -> Design:
    names = tuple(f"s{number}" for number in range(systems))
    return Design(
        kind, names, tuple(f"c{number}" for number in range(clips)), raters, trials, catch, seed, names
    )


def rated(plans: list[list[Trial]]) -> list[Trial]:
    return [trial for trials in plans for trial in trials if not trial.catch]


@pytest.mark.parametrize(
    ("systems", "clips", "raters", "trials"), [(2, 1, 5, 1), (3, 5, 7, 8), (4, 6, 11, 13), (5, 4, 3, 40)]
)
def test_every_pair_comes_equally_often_and_each_way_round(
    systems: int, clips: int, raters: int, trials: int
) -> None:
    shown = rated(plan(design(systems=systems, clips=clips, raters=raters, trials=trials)))
    assert len(shown) == raters * trials
    ordered = Counter(tuple(one.name for one in trial.shown) for trial in shown)
    pairs = {
        pair: (ordered[pair], ordered[pair[::-1]])
        for pair in itertools.combinations([f"s{n}" for n in range(systems)], 2)
    }
    totals = [sum(ways) for ways in pairs.values()]
    assert max(totals) - min(totals) <= 1
    # A side that is not balanced turns a habit of clicking left into a preference.
    assert max(abs(one - other) for one, other in pairs.values()) <= 1


def test_all_pairs_go_through_the_same_clips_and_nobody_sees_a_comparison_twice() -> None:
    plans = plan(design(systems=3, clips=5, raters=10, trials=9))
    for trials in plans:
        seen = Counter((trial.clip, frozenset(trial.shown)) for trial in trials if not trial.catch)
        assert set(seen.values()) == {1}
        clips = Counter(trial.clip for trial in trials if not trial.catch)
        assert set(clips.values()) == {3}, "each of the three pairs on the same three clips"
    used = Counter((trial.clip, frozenset(trial.shown)) for trial in rated(plans))
    assert set(used.values()) == {6} and len(used) == 15


def test_orders_differ_between_raters_and_are_the_same_for_the_same_seed() -> None:
    settings = design(trials=15, raters=6)
    orders = plan(settings)
    assert orders == plan(settings)
    assert orders != plan(design(trials=15, raters=6, seed=1))
    assert len({tuple(trial.clip for trial in trials) for trials in orders}) == 6
    repeats = sum(
        one.clip == two.clip for trials in orders for one, two in itertools.pairwise(trials) if not two.catch
    )
    assert repeats <= 8, "of 84 neighbours; unsorted shuffles give about 12"


def test_catch_trials_are_spread_never_first_and_the_still_one_stands_on_both_sides() -> None:
    plans = plan(design(raters=10, trials=15, catch=3))
    sides: Counter[bool] = Counter()
    for trials in plans:
        assert len(trials) == 18 and not trials[0].catch
        catches = [number for number, trial in enumerate(trials) if trial.catch]
        assert len(catches) == 3 and catches[-1] - catches[0] >= 5
        for trial in trials:
            if trial.catch:
                one, other = trial.shown
                assert one.name == other.name and one.still != other.still
                sides[one.still] += 1
    assert sides == {True: 15, False: 15}


def test_on_the_scale_every_system_is_rated_equally_often_on_the_same_clips() -> None:
    plans = plan(design("mos", systems=4, clips=6, raters=9, trials=8, catch=1))
    for trials in plans:
        own = [trial for trial in trials if not trial.catch]
        assert set(Counter(trial.shown[0].name for trial in own).values()) == {2}
        assert set(Counter(trial.clip for trial in own).values()) == {4}
    catches = [trial for trials in plans for trial in trials if trial.catch]
    assert all(trial.shown[0].still and len(trial.shown) == 1 for trial in catches)


def test_impossible_designs_are_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match="16 asked for, but 3 comparisons of 5 clips give 15"):
        plan(design(trials=16))
    with pytest.raises(ValueError, match="side by side needs two"):
        plan(design(systems=1, trials=1))
    with pytest.raises(ValueError, match="raters 0, trials 8"):
        plan(design(raters=0))


def test_the_default_number_of_trials_divides_evenly() -> None:
    assert default_trials("ab", 2, 100) == 30
    assert default_trials("ab", 4, 100) == 30
    assert default_trials("ab", 4, 3) == 18
    assert default_trials("ab", 10, 3) == 45, "at least once each"
    assert default_trials("mos", 4, 100) == 28
