from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.page.extremes import by_system, chosen_columns
from talkvid.evaluation.suite.page.figures import badness_range, told
from talkvid.evaluation.suite.page.glance import glance_table
from talkvid.evaluation.suite.page.results import best_systems, measured_columns, unmeasured_metrics
from talkvid.evaluation.suite.page.strips import HEIGHT, Strip, strip_plot
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.page_reader import Reader, page_of


def with_values(values: dict[str, list[float]], better: str) -> Evaluation:
    """Return a run of several systems with one column."""
    column = Column("x", "X", better, "Something.")  # type: ignore[arg-type]
    pairs = [
        PairResult(
            Pair(system, f"c{number}", Path(f"/{system}/{number}.mp4")), {"m": MetricResult({"x": value}, {})}
        )
        for system, numbers in values.items()
        for number, value in enumerate(numbers)
    ]
    return Evaluation({"m": (column,)}, tuple(pairs))


APART, NEAR = [1.0, 1.1, 0.9, 1.0, 1.05, 0.95], [1.0, 1.2, 0.8, 1.1, 0.9, 1.0]


@pytest.mark.parametrize(
    ("better", "shift", "winner"),
    [("lower", 5.0, "a"), ("higher", 5.0, "b"), ("zero", 5.0, "a"), ("zero", -1.0, "b"), ("one", 5.0, "a"),
     ("none", 5.0, None), ("lower", 0.0, None), ("lower", 0.08, None)],
)  # fmt: skip
def test_the_best_is_marked_only_where_intervals_do_not_meet(
    better: str, shift: float, winner: str | None
) -> None:
    run = with_values({"a": APART, "b": [number + shift for number in NEAR]}, better)
    summary = summarise(run, resamples=200)
    assert best_systems(summary, summary.columns).get(("m", "x")) == winner


def test_the_best_of_three_must_beat_the_second() -> None:
    run = with_values({"a": APART, "b": NEAR, "c": [number + 9 for number in NEAR]}, "lower")
    summary = summarise(run, resamples=200)
    assert best_systems(summary, summary.columns) == {}


def test_the_star_stands_in_the_row_of_the_best(tmp_path: Path) -> None:
    run = with_values({"a": APART, "b": [number + 9 for number in NEAR]}, "lower")
    page_of(run, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count('<td class="n edge best">') == 1
    row = text.rindex("<tr", 0, text.index('<td class="n edge best">'))
    assert '<bdi class="name">a</bdi>' in text[row : text.index('<td class="n edge best">')]


def test_no_system_is_best_of_too_few_clips() -> None:
    run = with_values({"a": [1.0, 1.0], "b": [9.0, 9.0]}, "lower")
    summary = summarise(run, resamples=50)
    assert best_systems(summary, summary.columns) == {}


def test_the_truth_and_controls_are_never_the_best_system() -> None:
    summary = summarise(made_up_evaluation(), resamples=100)
    winners = set(best_systems(summary, summary.columns).values())
    assert winners and winners <= {"ours", "wav2lip", "sadtalker"}


def test_badness_of_an_interval_around_the_goal_begins_at_none() -> None:
    assert badness_range(-1.0, 3.0, "zero") == (0.0, 3.0)
    assert badness_range(0.5, 0.75, "one") == (0.25, 0.5)
    assert badness_range(2.0, 3.0, "higher") == (-3.0, -2.0)


def test_best_clips_come_first_and_controls_are_no_systems() -> None:
    run = made_up_evaluation()
    column = run.columns["flicker"][0]
    clips = by_system(run, "flicker", column)
    assert set(clips) == {"ours", "wav2lip", "sadtalker"}
    away = [abs(shown.value - 1) for shown in clips["ours"]]
    assert away == sorted(away) and len(away) == 12
    assert chosen_columns(run, ["flicker"]) == [("flicker", column)]
    with pytest.raises(ValueError, match="nothing: no such column; this run has lse_d"):
        chosen_columns(run, ["nothing"])


def test_numbers_are_told_with_their_digits_and_no_minus_before_nothing() -> None:
    assert [told(number, 2) for number in (1234.567, -0.001, -1.5, None, float("nan"))] == [
        "1,234.57", "0.00", "-1.50", "\N{EN DASH}", "\N{EN DASH}",
    ]  # fmt: skip


def strip(values: list[float], label: str = "ours") -> Strip:
    clips = [f"c{number}" for number in range(len(values))]
    return Strip(label, "system", clips, values, float(np.mean(values)), None, None, "told")


def test_every_dot_lies_within_its_line_in_the_order_of_values() -> None:
    values = list(np.random.default_rng(0).normal(size=500))
    made = strip_plot([strip(values)])
    dots = next(part for part in made.split("<path ") if part.startswith('class="dot many"'))
    spots = [spot.split(" ") for spot in dots.split('d="')[1].split('"')[0].replace("h0", "").split("M")[1:]]
    places = [int(place) for place, _ in spots]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= 1000
    assert all(0 <= float(height) <= HEIGHT for _, height in spots)
    assert len(spots) > 450  # only dots that would lie on one another are one


def test_a_value_far_off_is_drawn_at_the_edge_and_counted() -> None:
    made = Reader(strip_plot([strip([*np.linspace(0, 1, 50), 1e6])]))
    assert "Drawn at the edge: 1 clip of ours" in made.text
    assert "1" in made.text and "200,000" not in made.text


@pytest.mark.parametrize("values", [[0.0], [5.0] * 20, [-3.0, -3.0], [1e-9, 2e-9]])
def test_clips_that_are_all_alike_have_a_plot(values: list[float]) -> None:
    assert len(Reader(strip_plot([strip(values)])).all("path")) >= 3


def test_the_leading_number_of_each_metric_stands_above_the_full_tables() -> None:
    run = made_up_evaluation()
    summary = summarise(run, resamples=50)
    parts = glance_table(summary, measured_columns(summary))
    lines = Reader("".join(parts)).text
    assert "LSE-D" in lines and "LSE-C" not in lines and "pictures" not in lines
    assert "truth" in lines and "still frame" not in lines
    few = {name: run.columns[name] for name in ("lmd", "fid")}
    assert glance_table(summary, measured_columns(summarise(replace(run, columns=few), resamples=50))) == []


def test_a_metric_without_any_number_is_named_and_has_no_column() -> None:
    run = made_up_evaluation()
    nothing = {"empty": (Column("empty", "Nothing", "lower", "Never measured."),)}
    summary = summarise(replace(run, columns={**run.columns, **nothing}), resamples=50)
    assert unmeasured_metrics(summary) == ["empty"]
    assert "empty" not in {column.metric for column in measured_columns(summary)}
