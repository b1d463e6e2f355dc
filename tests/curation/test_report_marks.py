import numpy as np
import pytest

from talkvid.curation.report_marks import (
    Unit,
    axis,
    clock,
    histogram,
    histogram_plot,
    hours,
    value,
    with_margin,
)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00.0"), (59.96, "1:00.0"), (63.25, "1:03.2"), (3723.4, "1:02:03.4")]
)
def test_a_moment_reads_like_a_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0.0, "0"),
        (0.12345, "0.1235"),
        (1.23456, "1.235"),
        (78.0498, "78.05"),
        (160.0, "160.0"),
        (1234.5, "1,234"),
    ],
)
def test_values_keep_the_digits_that_matter(number: float, told: str) -> None:
    assert value(number) == told


def test_a_margin_is_never_shown_as_nothing_when_there_is_one() -> None:
    assert with_margin(0.8489, -0.0011) == ("0.8489", "-0.0011")
    figure, margin = with_margin(59.99999, -0.00001)
    assert float(margin) == pytest.approx(-0.00001) and figure == "59.999990"
    assert with_margin(float("nan"), float("nan"))[1] == ""


def test_lengths_of_one_page_share_a_unit() -> None:
    assert Unit.fitting(5_000).text(3_600) == "1.00 h"
    assert Unit.fitting(600).text(90) == "1.50 min"
    assert Unit.fitting(3_600 * 2_000).text(3_600 * 1_244) == "1,244 h"


def test_hours_of_large_sets_are_written_out() -> None:
    # Once: 1,244 hours were written as 1.24e+03.
    assert [hours(3600 * amount) for amount in (1244.4, 15.82, 0.148, 0)] == [
        "1,244",
        "15.8",
        "0.148",
        "0.000",
    ]


def test_every_value_is_in_the_histogram_on_its_side() -> None:
    values = np.linspace(0, 100, 501)
    shown = histogram(values, values >= 60, [60.0])
    assert shown.good.sum() == np.count_nonzero(values >= 60)
    assert shown.bad.sum() == np.count_nonzero(values < 60)
    assert shown.below == shown.above == 0
    assert 0 < shown.place(60.0) < 100


def test_a_value_far_off_does_not_squeeze_the_others_and_is_counted() -> None:
    values = np.concatenate([np.linspace(0, 1, 2000), [1e6]])
    shown = histogram(values, np.ones(len(values), bool), [])
    assert shown.high < 2 and shown.above > 0
    assert shown.good.sum() == len(values)


def test_a_threshold_beyond_all_values_is_still_shown() -> None:
    shown = histogram(np.array([90.0, 91.0]), np.array([True, True]), [50.0])
    assert 0 < shown.place(50.0) < 100
    assert 'class="limit"' in histogram_plot(shown, [50.0], title="x")


def test_one_single_value_has_a_histogram() -> None:
    for only in (0.0, 7.0, -3.0):
        shown = histogram(np.array([only]), np.array([True]), [])
        assert shown.good.sum() == 1 and shown.low < only < shown.high
        assert axis(shown)
