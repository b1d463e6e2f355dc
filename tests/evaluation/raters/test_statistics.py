"""Shares, strengths and agreement against numbers worked by hand or published."""

import math

import numpy as np
import pytest

from talkvid.evaluation.raters.agreement import krippendorff_alpha
from talkvid.evaluation.raters.bradley_terry import connected, log_strengths
from talkvid.evaluation.raters.resampling import (
    draw_counts,
    percentile_interval,
    weighted_means,
    wilson,
)

PUBLISHED = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""Four observers, twelve units: the example of Krippendorff 2011, section C."""


def published_units() -> list[list[int]]:
    rows = [line.split() for line in PUBLISHED]
    return [[int(row[unit]) - 1 for row in rows if row[unit] != "."] for unit in range(12)]


def test_alpha_equals_the_published_values() -> None:
    assert krippendorff_alpha(published_units(), categories=5, level="nominal") == pytest.approx(
        0.743, abs=5e-4
    )
    assert krippendorff_alpha(published_units(), categories=5, level="ordinal") == pytest.approx(
        0.815, abs=5e-4
    )


def test_alpha_of_two_observers_by_hand() -> None:
    # Units 00 01 11 11: o = [[2, 1], [1, 4]], n = (3, 5): alpha = 1 - 7 * 2 / 30.
    assert krippendorff_alpha([[0, 0], [0, 1], [1, 1], [1, 1]], categories=2, level="nominal") == (
        pytest.approx(1 - 7 * 2 / 30)
    )
    assert krippendorff_alpha([[0, 1], [1, 0]], categories=2, level="nominal") == pytest.approx(-0.5)
    assert krippendorff_alpha([[0, 0, 0], [2, 2]], categories=3, level="ordinal") == 1


def test_alpha_is_unknown_without_two_judgements_or_two_categories() -> None:
    assert krippendorff_alpha([[0], [1], []], categories=2, level="nominal") is None
    assert krippendorff_alpha([[1, 1], [1, 1]], categories=2, level="ordinal") is None


def test_wilson_equals_the_textbook() -> None:
    # 15 of 20: (0.5313, 0.8881), as in the tables of Newcombe 1998 for his methods.
    found = wilson(15, 20)
    assert (found.low, found.high) == (pytest.approx(0.5313, abs=1e-4), pytest.approx(0.8881, abs=1e-4))
    assert wilson(0, 10).low == 0 and wilson(0, 10).high == pytest.approx(0.2775, abs=1e-4)
    assert wilson(0, 0).low is None


def test_two_systems_have_the_log_odds_of_their_wins() -> None:
    wins = np.array([[0.0, 30.0], [10.0, 0.0]])
    strengths = log_strengths(wins, prior=0)
    assert strengths[0] - strengths[1] == pytest.approx(math.log(3))
    assert log_strengths(wins)[0] - log_strengths(wins)[1] == pytest.approx(math.log(30.5 / 10.5))


def test_strengths_that_made_the_comparisons_are_found_again() -> None:
    planted = np.array([0.9, 0.2, -0.3, -0.8])
    chance = 1 / (1 + np.exp(planted[None] - planted[:, None]))
    wins = np.where(np.eye(4) > 0, 0, 40 * chance)
    assert np.allclose(log_strengths(wins, prior=0), planted - planted.mean(), atol=1e-7)
    stacked = log_strengths(np.stack([wins, wins.T]), prior=0)
    assert np.allclose(stacked[0], -stacked[1], atol=1e-7)


def test_a_system_that_never_wins_has_a_finite_strength_and_only_linked_systems_compare() -> None:
    wins = np.array([[0.0, 5.0, 5.0], [0.0, 0.0, 2.5], [0.0, 2.5, 0.0]])
    strengths = log_strengths(wins)
    assert np.isfinite(strengths).all() and strengths[0] > strengths[1] == pytest.approx(strengths[2])
    assert connected(wins)
    assert not connected(np.array([[0.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]))


def test_the_bootstrap_of_a_mean_has_its_standard_error() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=400)
    weights = draw_counts(400, 4000, generator)
    means = weighted_means(values, np.zeros(400, int), weights, 1)[:, 0]
    interval = percentile_interval(means)
    assert interval.low is not None and interval.high is not None
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(values.std() / 20, rel=0.05)


def test_one_unit_alone_is_held_and_too_few_defined_draws_give_no_interval() -> None:
    assert (draw_counts(1, 5, np.random.default_rng(0)) == 1).all()
    assert percentile_interval(np.array([1.0, np.nan, np.nan])).low is None
