"""Answers in, numbers out: hand-worked ones, planted preferences found again, and raters who did not look."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.raters.analysis import Analysis, analyse
from talkvid.evaluation.raters.answers import Answer, Collected, RaterAnswers, read_answers
from talkvid.evaluation.raters.key import Key, KeyFile, KeyTrial
from talkvid.evaluation.raters.opinion import OpinionTable
from talkvid.evaluation.raters.preference import PreferenceTable
from talkvid.evaluation.raters.questions import FIRST, SAME, SECOND, Kind
from talkvid.evaluation.raters.screening import Rules
from tests.evaluation.raters.planted import Rule, attentive, planted_key, write_answers

STRENGTHS = {"alpha": 0.8, "beta": 0.0, "gamma": -0.8}


def small_key(kind: Kind, shown: Mapping[str, tuple[str, str, tuple[str, ...]]]) -> Key:
    """Return a key of trials given as name: (rater, clip, systems)."""
    files = {
        f"{clip}-{name}": KeyFile(clip, name, False, "", "", 1.0, 64, 64)
        for _, clip, names in shown.values()
        for name in names
    }
    trials = {
        trial: KeyTrial(rater, clip, tuple(f"{clip}-{name}" for name in names), False)
        for trial, (rater, clip, names) in shown.items()
    }
    raters = tuple(dict.fromkeys(rater for rater, _, _ in shown.values()))
    systems = tuple(dict.fromkeys(name for _, _, names in shown.values() for name in names))
    return Key("small", kind, ("overall",), tuple(sorted(systems)), raters, files, trials, {})


def collected(key: Key, values: dict[str, str | int]) -> Collected:
    by_rater: dict[str, list[Answer]] = {rater: [] for rater in key.raters}
    for name, value in values.items():
        rater = key.trials[name].rater
        by_rater[rater].append(Answer(rater, name, {"overall": value}, 10.0))
    return Collected(
        tuple(RaterAnswers(rater, f"{rater}.json", tuple(given)) for rater, given in by_rater.items())
    )


def preferences(analysis: Analysis) -> PreferenceTable:
    table = analysis.tables[0]
    assert isinstance(table, PreferenceTable)
    return table


def opinions(analysis: Analysis) -> OpinionTable:
    table = analysis.tables[0]
    assert isinstance(table, OpinionTable)
    return table


def test_shares_ties_and_sides_equal_those_counted_by_hand() -> None:
    # Four raters, one pair, both ways round: a is better 5 times, b once, no difference twice.
    ways = [("a", "b"), ("b", "a")]
    key = small_key(
        "ab", {f"{rater}{way}": (f"r{rater}", "c", ways[way]) for rater in range(4) for way in (0, 1)}
    )
    given = {"00": FIRST, "01": SECOND, "10": FIRST, "11": SECOND, "20": FIRST, "21": FIRST}
    analysis = analyse(key, collected(key, {**given, "30": SAME, "31": SAME}))
    pair = preferences(analysis).pairs[0]
    assert (pair.first, pair.second, pair.answers, pair.raters) == ("a", "b", 8, 4)
    assert (pair.first_better.number, pair.same.number, pair.second_better.number) == (5, 2, 1)
    assert pair.first_better.share == 5 / 8 and pair.score == (5 + 2 / 2) / 8
    assert pair.first_better.interval.low == pytest.approx(0.3057, abs=1e-4)
    left = preferences(analysis).left
    assert (left.number, left.share) == (4, 4 / 6)
    # With one tie more: 6.5 wins to 2.5.
    one, other = preferences(analysis).systems
    assert one.strength is not None and other.strength is not None
    assert one.strength - other.strength == pytest.approx(np.log(6.5 / 2.5))
    # Within a single thing that was judged, raters differ as they differ over all things: by chance.
    assert preferences(analysis).alpha == pytest.approx(0)
    assert analysis.scores["a"].mean == 0.75 and analysis.scores["b"].mean == 0.25


def test_mean_opinion_scores_equal_those_counted_by_hand() -> None:
    shown = {
        f"{rater}{clip}{name}": (f"r{rater}", f"c{clip}", (name,))
        for rater in range(3)
        for clip in range(2)
        for name in "ab"
    }
    key = small_key("mos", shown)
    grades = {"a": [5, 4, 4, 4, 5, 3], "b": [2, 1, 2, 3, 2, 2]}
    values: dict[str, str | int] = {}
    for name, row in grades.items():
        for number, grade in enumerate(row):
            values[f"{number // 2}{number % 2}{name}"] = grade
    analysis = analyse(key, collected(key, values))
    a, b = opinions(analysis).opinions
    assert (a.mean, b.mean) == (pytest.approx(25 / 6), 2.0)
    assert (a.answers, a.raters, a.clips, a.counts) == (6, 3, 2, (0, 0, 1, 3, 2))
    assert a.interval.low is not None and a.interval.high is not None
    assert 3 <= a.interval.low < 25 / 6 < a.interval.high <= 5
    difference = opinions(analysis).differences[0]
    assert difference.mean == pytest.approx(25 / 6 - 2)
    assert difference.interval.low is not None and difference.interval.low > 0
    assert analysis.scores["b"].unit == "mean opinion score, 1 to 5"


def test_the_interval_grows_with_raters_who_differ_though_answers_are_many() -> None:
    # A plain standard error over answers takes one rater's forty answers for forty opinions.
    key = planted_key("mos", systems=("a", "b"), clips=20, raters=6, trials=40, catch=0)
    table = opinions(
        analyse(
            key,
            collected(key, {name: 2 + int(trial.rater[1:]) % 3 for name, trial in key.trials.items()}),
            rules=Rules(monotone_from=1000),
        )
    )
    span = table.opinions[0].interval
    assert table.opinions[0].mean == 3 and span.low is not None and span.high is not None
    naive = 2 * 1.96 * np.sqrt(2 / 3) / np.sqrt(120)
    assert span.high - span.low > 3 * naive


def by_strength(source: random.Random) -> Rule:
    def answer(trial: KeyTrial, key: Key) -> str:
        left, right = (STRENGTHS[name] for name in key.names(trial))
        if source.random() < 0.15:
            return SAME
        return FIRST if source.random() < 1 / (1 + np.exp(right - left)) else SECOND

    return attentive(answer)


def test_planted_preferences_are_found_again(tmp_path: Path) -> None:
    key = planted_key(raters=60)
    folder = write_answers(tmp_path, key, by_strength(random.Random(5)))
    analysis = analyse(key, read_answers([folder], key))
    assert analysis.kept == 60 and analysis.answers == 60 * 18 and analysis.clips == 6
    found = {system.system: system for system in preferences(analysis).systems}
    # Ties are half a win for each, which draws strengths together by the share of ties.
    for name, planted in STRENGTHS.items():
        system = found[name]
        assert system.strength is not None
        low, high = system.strength_interval.low, system.strength_interval.high
        assert low is not None and high is not None and low < system.strength < high
        assert system.strength == pytest.approx(0.85 * planted, abs=0.12)
    assert [score.mean for score in analysis.scores.values()] == sorted(
        (score.mean for score in analysis.scores.values()), reverse=True
    )
    assert not [warning for warning in analysis.warnings if "left" in warning]


def test_planted_opinions_are_found_again_and_agree(tmp_path: Path) -> None:
    key = planted_key("mos", raters=30)
    source = random.Random(3)
    middle = {"alpha": 4.2, "beta": 3.0, "gamma": 1.9}

    def answer(trial: KeyTrial, key: Key) -> int:
        return int(np.clip(round(source.gauss(middle[key.names(trial)[0]], 0.6)), 1, 5))

    analysis = analyse(key, read_answers([write_answers(tmp_path, key, attentive(answer))], key))
    for opinion in opinions(analysis).opinions:
        assert opinion.mean == pytest.approx(middle[opinion.system], abs=0.12)
        assert opinion.interval.low is not None and opinion.interval.high is not None
        assert opinion.interval.low < middle[opinion.system] < opinion.interval.high
    alpha = opinions(analysis).alpha
    assert alpha is not None and 0.6 < alpha < 0.95
    assert opinions(analysis).alpha_units == 18


def test_raters_who_guess_agree_as_by_chance(tmp_path: Path) -> None:
    key = planted_key(raters=40)
    source = random.Random(4)
    guess = attentive(lambda trial, key: source.choice([FIRST, SAME, SECOND]))
    analysis = analyse(key, read_answers([write_answers(tmp_path, key, guess)], key))
    alpha = preferences(analysis).alpha
    assert alpha is not None and abs(alpha) < 0.05
    assert all(abs(score.mean - 0.5) < 0.06 for score in analysis.scores.values())


def test_a_rater_who_always_clicks_left_is_found_and_gives_no_system_an_advantage(tmp_path: Path) -> None:
    # Once: nothing noticed a rater who pressed one key all the time.
    key = planted_key(raters=12, catch=0)
    write_answers(tmp_path, key, by_strength(random.Random(6)), raters=key.raters[1:])
    write_answers(tmp_path, key, lambda trial, key: FIRST, raters=key.raters[:1])
    analysis = analyse(key, read_answers([tmp_path], key))
    lazy = analysis.raters[0]
    assert (lazy.kept, lazy.first, lazy.second) == (False, 18, 0)
    assert lazy.reasons == ("chose the left video in 18 of 18 decided trials (p = 8e-06)",)
    assert all(rater.kept for rater in analysis.raters[1:])
    lenient = analyse(key, read_answers([tmp_path / "answers-r0.json"], key), rules=Rules(one_sided_p=0))
    for score in lenient.scores.values():
        assert score.mean == pytest.approx(0.5, abs=0.1), "balanced sides"


def test_with_catch_trials_left_clicking_fails_those_on_the_other_side(tmp_path: Path) -> None:
    key = planted_key(raters=1, catch=2)
    write_answers(tmp_path, key, lambda trial, key: FIRST)
    with pytest.raises(ValueError, match=r"no rater is left of 1 \(r0: failed 1 of 2 catch trials"):
        analyse(key, read_answers([tmp_path], key))
    tolerant = analyse(key, read_answers([tmp_path], key), rules=Rules(failed_catches=1, one_sided_p=0))
    assert tolerant.kept == 1


def test_a_single_rater_gets_shares_but_no_interval_over_raters(tmp_path: Path) -> None:
    key = planted_key(raters=1)
    write_answers(tmp_path, key, by_strength(random.Random(7)))
    analysis = analyse(key, read_answers([tmp_path], key))
    assert preferences(analysis).pairs[0].interval.low is None
    assert preferences(analysis).pairs[0].first_better.interval.low is not None
    assert analysis.scores["alpha"].low is None and analysis.scores["alpha"].mean > 0.5
    assert any("a single rater" in warning for warning in analysis.warnings)
    assert preferences(analysis).alpha is None


def test_each_rule_excludes_with_its_reason(tmp_path: Path) -> None:
    key = planted_key("mos", raters=5, trials=12)
    good = attentive(lambda trial, key: 4 if key.names(trial)[0] == "alpha" else 2)
    write_answers(tmp_path, key, good)

    def edit(rater: str, change: str) -> None:
        path = tmp_path / f"answers-{rater}.json"
        content = json.loads(path.read_text())
        rated = [one for one in content["answers"] if not key.trials[one["trial"]].catch]
        if change == "short":
            content["answers"] = rated[:5] + [one for one in content["answers"] if one not in rated]
        elif change == "fast":
            for one in rated[:4]:
                one["seconds"] = 0.3
        elif change == "same":
            for one in rated:
                one["values"] = {"overall": 3}
        elif change == "no catch":
            content["answers"] = rated
        path.write_text(json.dumps(content))

    for rater, change in zip(key.raters, ("short", "fast", "same", "no catch"), strict=False):
        edit(rater, change)
    analysis = analyse(key, read_answers([tmp_path], key))
    assert [rater.reasons for rater in analysis.raters] == [
        ("answered 5 of 12 trials",),
        ("4 of 14 answers faster than the videos last",),
        ("gave 3 to everything",),
        ("answered no catch trial",),
        (),
    ]
    assert analysis.answers == 12 and analysis.dropped == {"faster than its videos last": 4}
    half = analyse(key, read_answers([tmp_path], key), rules=Rules(least_share=0.4))
    assert half.raters[0].kept and half.raters[0].notes == ("incomplete: 5 of 12",)


def test_systems_that_no_kept_comparison_links_have_no_strength() -> None:
    key = small_key("ab", {"1": ("r", "c", ("a", "b")), "2": ("q", "c", ("c", "d"))})
    table = preferences(analyse(key, collected(key, {"1": FIRST, "2": FIRST})))
    assert [system.strength for system in table.systems] == [None] * 4
    assert [system.score for system in table.systems] == [1, 0, 1, 0]
    assert [pair.score for pair in table.pairs if pair.answers] == [1, 1]


def test_the_same_files_give_the_same_numbers_and_few_draws_are_refused(tmp_path: Path) -> None:
    key = planted_key(raters=12)
    write_answers(tmp_path, key, by_strength(random.Random(8)))
    read = read_answers([tmp_path], key)
    assert analyse(key, read) == analyse(key, read)
    assert analyse(key, read, seed=1).tables != analyse(key, read).tables
    with pytest.raises(ValueError, match="draws must be 200 or more"):
        analyse(key, read, draws=10)
