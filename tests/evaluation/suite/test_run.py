"""Runs over drawn videos: every number in its place, nothing measured twice, no failure costing another."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid import runner
from talkvid.evaluation.suite.pair import SHIFTED, STILL, TRUTH, WRONG, Control, Pair
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.run import ViewSettings, evaluate
from talkvid.evaluation.suite.store import load_evaluation
from talkvid.evaluation.suite.weights import MetricSettings
from tests.evaluation.suite.drawn_videos import (
    calls,
    drawn_eye,
    drawn_suite,
    write_sound,
    write_video,
)

Run = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips: true grey 100, made 10, 20 and 30 brighter; sounds of different loudness."""
    folder = tmp_path_factory.mktemp("videos")
    for number in (1, 2, 3):
        sound = write_sound(folder / f"{number}.wav", level=0.1 * number)
        write_video(folder / "true" / f"{number}.mp4", [100] * 5, sound=sound)
        write_video(folder / "made" / f"{number}.mp4", [100 + 10 * number] * 5)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Evaluate into the test's folder, in this process unless told otherwise."""

    def evaluate_here(pairs: list[Pair], *names: str, executor: str = "inline", **more: Any) -> Evaluation:
        return evaluate(
            pairs,
            names,
            MetricSettings(weights_dir=tmp_path),
            output=tmp_path / "output",
            executor=executor,
            suite_builder=drawn_suite,
            eye_builder=drawn_eye,
            **more,
        )

    return evaluate_here


def pairs_of(videos: Path, *, sound: bool = True) -> list[Pair]:
    return [
        Pair(
            "ours",
            str(number),
            videos / "made" / f"{number}.mp4",
            reference=videos / "true" / f"{number}.mp4",
            audio=videos / f"{number}.wav" if sound else None,
            groups={"side": "left" if number < 3 else "right"},
        )
        for number in (1, 2, 3)
    ]


def values(evaluation: Evaluation, metric: str) -> dict[str, float | None]:
    return {
        result.pair.id: result.metrics[metric].values[metric]
        for result in evaluation.pairs
        if metric in result.metrics
    }


def test_numbers_stand_where_they_belong_and_are_stored(videos: Path, run: Run, tmp_path: Path) -> None:
    found = run(pairs_of(videos), "brightness", "difference", "loudness", "absent")
    assert [result.pair.id for result in found.pairs] == ["ours/1", "ours/2", "ours/3"]
    assert values(found, "difference") == pytest.approx({"ours/1": 10, "ours/2": 20, "ours/3": 30}, abs=1.5)
    assert list(found.columns) == ["brightness", "difference", "loudness"]
    assert [(one.name, one.reason) for one in found.left_out] == [("absent", "was never fetched")]
    loudness = values(found, "loudness")
    assert all(20 < (loudness[f"ours/{clip}"] or 0) < 21 for clip in (1, 2, 3))  # two other clips' sounds
    assert load_evaluation(tmp_path / "output") == found
    told = found.settings
    hashes = (tmp_path / "output" / "files.sha256").read_text(encoding="utf-8")
    digest = hashlib.sha256((videos / "made" / "1.mp4").read_bytes()).hexdigest()
    assert f"{digest}  {videos / 'made' / '1.mp4'}\n" in hashes and told["files"]["count"] == 9
    assert told["files"]["sha256"] == hashlib.sha256(hashes.encode()).hexdigest()
    assert told["metrics"]["brightness"] == "brightness " and told["yardstick"] == "brightness"
    assert "numpy" in told["versions"] and told["machine"]["cores"] >= 1
    assert told["metric_settings"]["lpips_network"] == "alex"


def test_adding_a_metric_measures_that_one_alone(videos: Path, run: Run, tmp_path: Path) -> None:
    pairs = pairs_of(videos)
    first = run(pairs, "brightness")
    assert len(calls(tmp_path)) == 3
    both = run(pairs, "difference", "brightness")
    assert calls(tmp_path) == ["difference ours/1", "difference ours/2", "difference ours/3"]
    assert values(both, "brightness") == values(first, "brightness")
    # One alone, then the other: what is not asked for is remembered all the same.
    assert list(run(pairs, "brightness").pairs[0].metrics) == ["brightness"]
    assert run(pairs, "difference", "brightness").pairs == both.pairs
    assert calls(tmp_path) == []
    # Another version of a metric is another metric.
    run(pairs, "difference", "brightness@2")
    assert calls(tmp_path) == ["brightness ours/1", "brightness ours/2", "brightness ours/3"]


def test_changed_files_and_conditions_are_measured_again(videos: Path, run: Run, tmp_path: Path) -> None:
    pairs = pairs_of(videos)
    pairs[0] = replace(pairs[0], made=write_video(tmp_path / "mine.mp4", [50] * 5))
    assert values(run(pairs, "brightness"), "brightness")["ours/1"] == pytest.approx(50, abs=1)
    calls(tmp_path)
    write_video(tmp_path / "mine.mp4", [70] * 5)
    assert values(run(pairs, "brightness"), "brightness")["ours/1"] == pytest.approx(70, abs=1)
    assert calls(tmp_path) == ["brightness ours/1"]
    run(pairs, "brightness", views=ViewSettings(allow_length_mismatch=True))
    assert len(calls(tmp_path)) == 3
    # Sounds of other clips belong to what hears, and to nothing else.
    run(pairs, "brightness", "loudness", views=ViewSettings(allow_length_mismatch=True))
    calls(tmp_path)
    pairs[2] = replace(pairs[2], audio=write_sound(tmp_path / "other.wav", level=0.9))
    run(pairs, "brightness", "loudness", views=ViewSettings(allow_length_mismatch=True))
    assert calls(tmp_path) == ["brightness ours/3", "loudness ours/1", "loudness ours/2", "loudness ours/3"]


def test_a_failing_metric_costs_itself_alone(videos: Path, run: Run, tmp_path: Path) -> None:
    found = run(pairs_of(videos)[:1], "refusing", "broken", "nan", "brightness").pairs[0].metrics
    assert found["refusing"].reason == "this one is not to my taste"
    assert found["refusing"].values == {"refusing": None}
    assert found["broken"].reason.startswith("RuntimeError: a wheel came off (drawn_videos.py:")
    # Once: one NaN made the mean of a whole table a NaN.
    assert found["nan"].values == {"nan": None} and found["nan"].notes == ("no nan: not a finite number",)
    assert found["brightness"].values["brightness"] == pytest.approx(110, abs=1)
    # What lies in the files stays as it is; what a program did is tried again.
    calls(tmp_path)
    run(pairs_of(videos)[:1], "refusing", "broken", "nan", "brightness")
    assert calls(tmp_path) == ["broken ours/1"]
    (tmp_path / "mended").touch()
    assert run(pairs_of(videos)[:1], "broken").pairs[0].metrics["broken"].values == {"broken": 1.0}
    calls(tmp_path)
    run(pairs_of(videos)[:1], "broken")
    assert calls(tmp_path) == []


def test_a_video_that_cannot_be_opened_is_a_recorded_row(videos: Path, run: Run, tmp_path: Path) -> None:
    pairs = pairs_of(videos)
    (tmp_path / "noise.mp4").write_bytes(b"no video")
    pairs[1] = replace(pairs[1], made=tmp_path / "noise.mp4")
    pairs[2] = replace(pairs[2], made=tmp_path / "gone.mp4")
    found = run(pairs, "brightness")
    assert not found.pairs[0].failure and "cannot be opened" in found.pairs[1].failure
    assert "gone.mp4" in found.pairs[2].failure and not found.pairs[2].metrics
    assert list(values(found, "brightness")) == ["ours/1"]
    # Mended, it is measured by the next run.
    write_video(tmp_path / "gone.mp4", [130] * 5)
    assert list(values(run(pairs, "brightness"), "brightness")) == ["ours/1", "ours/3"]


def test_a_broken_or_much_longer_true_video_costs_what_needs_it(
    videos: Path, run: Run, tmp_path: Path
) -> None:
    pairs = pairs_of(videos)
    pairs[0] = replace(pairs[0], reference=write_video(tmp_path / "long.mp4", [100] * 9))
    (tmp_path / "noise.mp4").write_bytes(b"no video")
    pairs[1] = replace(pairs[1], reference=tmp_path / "noise.mp4")
    found = run(pairs, "brightness", "difference", "greys")
    assert len(values(found, "brightness")) == 3
    reasons = [result.metrics["difference"].reason for result in found.pairs]
    assert "lasts 0.20 s, the true one 0.36 s" in reasons[0] and "cannot be opened" in reasons[1]
    assert not reasons[2] and "lasts 0.20 s" in found.pairs[0].metrics["greys"].reason


def test_what_a_pair_lacks_is_left_out_and_counted(videos: Path, run: Run) -> None:
    pairs = [replace(pair, reference=None, audio=None) for pair in pairs_of(videos)]
    found = run([*pairs[:2], pairs_of(videos)[2]], "brightness", "difference", "loudness")
    assert [sorted(result.metrics) for result in found.pairs] == [
        ["brightness"],
        ["brightness"],
        ["brightness", "difference", "loudness"],
    ]
    assert found.settings["lacking"] == {"a sound": 2, "a true video": 2}


def test_controls_are_treated_and_deaf_metrics_pass_over_those_of_sound(videos: Path, run: Run) -> None:
    video = videos / "true" / "1.mp4"
    truth = Pair("truth", "1", video, reference=video, audio=videos / "1.wav")
    rows = [
        pairs_of(videos)[0],
        replace(truth, control=Control(TRUTH)),
        replace(truth, control=Control(SHIFTED, shift_s=0.2)),
        replace(truth, control=Control(WRONG), audio=videos / "3.wav"),
        replace(truth, control=Control(STILL, still=True)),
    ]
    found = run(rows, "brightness", "loudness", "greys")
    has = {result.pair.row: sorted(result.metrics) for result in found.pairs}
    assert has["truth: wrong sound"] == has["truth: shifted sound by 0.2 s"] == ["loudness"]
    assert has["truth"] == has["truth: still frame"] == ["brightness", "loudness"]
    loud = {row.partition("/")[0]: value or 0 for row, value in values(found, "loudness").items()}
    assert loud["truth: shifted sound by 0.2 s"] == pytest.approx(loud["truth"] / 2, rel=0.1)
    assert loud["truth: wrong sound"] > 2 * loud["truth"]
    assert [one.row for one in found.sets if not one.group] == ["ours", "truth", "truth: still frame"]


def test_distances_of_sets_per_row_and_subgroup_are_those_worked_by_hand(
    videos: Path, run: Run, tmp_path: Path
) -> None:
    found = run(pairs_of(videos), "greys")
    sets = {(one.row, one.group): one for one in found.sets}
    assert list(sets) == [("ours", ""), ("ours", "side=left"), ("ours", "side=right")]
    assert sets["ours", ""].values["greys"] == pytest.approx((10 + 20 + 30) / 3, abs=1)
    assert sets["ours", "side=left"].values["greys"] == pytest.approx(15, abs=1)
    assert sets["ours", "side=left"].facts == {"crop": "none", "clips": 2, "pictures": 10}
    few = sets["ours", "side=right"]
    assert few.values == {"greys": None} and few.reason == "1 clip is too few; give 2" and few.num_clips == 1
    assert not any("greys" in result.metrics for result in found.pairs)
    # Features lie on disk, a truth that two rows share once; lost ones are made again.
    files = sorted((tmp_path / "output" / "features" / "greys").iterdir())
    assert len(files) == 4 and np.load(files[0]).dtype == np.float32
    calls(tmp_path)
    run(pairs_of(videos), "greys")
    assert calls(tmp_path) == []
    for file in files:
        file.unlink()
    again = run(pairs_of(videos), "greys")
    assert len(calls(tmp_path)) == 3 and again.sets == found.sets


def test_a_killed_worker_costs_a_second_try_and_a_late_one_its_pair(
    videos: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "deadly").write_text("1 2 2")
    found = run(pairs_of(videos), "brightness", "deadly", executor="local", workers=2, deadline_s=60.0)
    failures = [result.failure for result in found.pairs]
    assert failures[0] == failures[2] == "" and "killed by SIGKILL" in failures[1]
    assert not found.pairs[1].metrics
    # The next run does what is missing, and keeps the rest.
    calls(tmp_path)
    again = run(pairs_of(videos), "brightness", "deadly", executor="local")
    assert calls(tmp_path) == ["brightness ours/2", "deadly ours/2"]
    assert not any(result.failure for result in again.pairs) and len(values(again, "deadly")) == 3
    # What was known stays known when a later run fails.
    pair = replace(pairs_of(videos)[0], clip="slow")
    run([pair], "brightness")
    late = run([pair], "brightness", "slow", executor="local", deadline_s=1.0).pairs[0]
    assert late.failure == "not finished after 1 s" and list(late.metrics) == ["brightness"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on_where_it_was(
    videos: Path, run: Run, tmp_path: Path, number: signal.Signals
) -> None:
    pairs = [*pairs_of(videos), replace(pairs_of(videos)[0], clip="slow")]
    told = {"folder": str(tmp_path), "pairs": [[pair.clip, str(pair.made)] for pair in pairs]}
    # A shell starts its background jobs deaf to Ctrl-C, and the tests may run in one.
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluation.suite.drawn_videos", json.dumps(told)],
        cwd=Path(__file__).resolve().parents[3],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = tmp_path / "output" / "journal.jsonl"
    deadline = time.monotonic() + 240
    while not (journal.exists() and journal.read_bytes().count(b"\n") == 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(120) == (-9 if number == signal.SIGKILL else 130)
    assert not (tmp_path / "output" / "results.json").exists()
    (tmp_path / "hurry").touch()
    calls(tmp_path)
    plain = [Pair("ours", pair.clip, pair.made) for pair in pairs]
    found = run(plain, "brightness", "slow")
    assert calls(tmp_path) == ["brightness ours/slow", "slow ours/slow"]
    assert len(values(found, "slow")) == 4 and not any(result.failure for result in found.pairs)


def test_results_are_the_same_for_any_number_of_workers(videos: Path, run: Run, tmp_path: Path) -> None:
    one = run(pairs_of(videos), "opening", "difference", "greys")
    (tmp_path / "output").rename(tmp_path / "first")
    two = run(pairs_of(videos), "opening", "difference", "greys", executor="local", workers=2)
    assert one.pairs == two.pairs and one.sets == two.sets


def test_a_run_whose_journal_is_in_use_is_refused(videos: Path, run: Run, tmp_path: Path) -> None:
    with (
        runner.Journal(tmp_path / "output" / "journal.jsonl"),
        pytest.raises(ValueError, match="another run is writing to this journal"),
    ):
        run(pairs_of(videos), "brightness")


def test_a_pair_given_twice_is_refused(videos: Path, run: Run) -> None:
    with pytest.raises(ValueError, match="id 'ours/1' is used by 2 items"):
        run([pairs_of(videos)[0]] * 2, "brightness")


def test_stored_results_of_another_kind_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"results\.json: no such file; talkvid evaluate writes it"):
        load_evaluation(tmp_path)
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "columns": {}}', json.dumps({"format": None})):
        (tmp_path / "results.json").write_text(text)
        with pytest.raises(ValueError, match=r"results\.json: not the results of a run"):
            load_evaluation(tmp_path)
