from hypothesis import given
from hypothesis import strategies as st

from talkvid.page.marks import Html, document, name, safe, share, table, tag, ticks

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


def test_shares_say_all_and_none_only_when_it_is_so() -> None:
    assert share(0, 10) == "0 %" and share(10, 10) == "100 %"
    assert share(99_999, 100_000) == "99.9 %"
    assert share(1, 100_000) == "< 0.1 %"
    assert share(0, 0) == "\N{EN DASH}"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_axes_have_round_numbers_within(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-9 * max(abs(low), 1):
        return
    found = ticks(low, high)
    assert 3 <= len(found) <= 25
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in found)


def test_a_head_of_marks_stays_words_where_only_words_may_be() -> None:
    # Once: a column whose head was made of tags ended its cells' attribute, and the rest stood in every cell.
    head = tag("b", 'LSE "D"', title="<x>")
    made = table([head], [["1"]], numbers=(0,))
    assert 'data-head="LSE &quot;D&quot;"' in made and "<td" in made and made.count("<b ") == 1
    assert tag("p", "x", title=head) == '<p title="LSE &quot;D&quot;">x</p>'


def test_a_document_escapes_its_heading_and_runs_nothing() -> None:
    page = document(EVIL, "p{}", tag("p", "x"))
    assert "<script" not in page and "&lt;script&gt;" in page and page.count("<title>") == 1
