import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkvid.curation.report_marks import (
    Html,
    Unit,
    axis,
    clock,
    histogram,
    histogram_plot,
    hours,
    name,
    safe,
    share,
    table,
    tag,
    ticks,
    value,
    with_margin,
)

EVIL = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>.mp4"


@given(st.text())
def test_no_text_can_leave_its_place(text: str) -> None:
    for made in (safe(text), tag("p", text, title=text), name(text), table(["a"], [[text]], numbers=(0,))):
        bare = made.replace("&lt;", "").replace("&gt;", "")
        assert bare.count("<") == bare.count(">") == made.count("<")
        assert made.count('"') % 2 == 0


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    for made in (safe(EVIL), name(EVIL), tag("b", EVIL), tag("b", "x", title=EVIL), table([EVIL], [[EVIL]])):
        assert "<script" not in made and "<img" not in made and "</style" not in made
        assert "&lt;script&gt;" in made


def test_marks_that_turn_the_writing_direction_become_visible() -> None:
    # Once: a file named "gpj.\u202e4pm" was shown as if it were another kind of file.
    assert "\u202e" not in name("clip\u202e4pm.gpj")
    assert "\N{REPLACEMENT CHARACTER}" in name("clip\u202e4pm.gpj")
    assert "\x00" not in safe("a\x00b")


def test_only_made_marks_stay_marks() -> None:
    assert tag("p", Html("<br>")) == "<p><br></p>"
    assert tag("p", "<br>") == "<p>&lt;br&gt;</p>"


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


def test_shares_say_all_and_none_only_when_it_is_so() -> None:
    assert share(0, 10) == "0 %" and share(10, 10) == "100 %"
    assert share(99_999, 100_000) == "99.9 %"
    assert share(1, 100_000) == "< 0.1 %"
    assert share(0, 0) == "\N{EN DASH}"


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


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_axes_have_round_numbers_within(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-9 * max(abs(low), 1):
        return
    found = ticks(low, high)
    assert 3 <= len(found) <= 25
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in found)
