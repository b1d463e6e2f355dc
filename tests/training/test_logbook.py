"""What a run leaves to look at: the rows of its losses, the curve, the page, and the line on the way."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from talkvid.media.image import load_image
from talkvid.training import logbook
from talkvid.training.logbook import Logbook, Progress, duration, memory_gb, read_losses
from talkvid.training.page import write_page
from talkvid.training.plot import MOST_RAW_POINTS, plot_losses, running_mean, spans_decades

COLUMNS = ("loss", "validation_loss")


class Listener:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append((step, dict(values)))

    def picture(self, step: int, name: str, path: Path) -> None:
        raise AssertionError("no picture is expected")

    video = picture

    def close(self) -> None:
        raise AssertionError("the logbook does not own the trackers")


def test_rows_are_on_disk_at_once_and_the_trackers_get_all_values(tmp_path: Path) -> None:
    listener = Listener()
    book = Logbook(tmp_path, first_step=0, columns=COLUMNS, trackers=[listener])
    book.add(1, {"loss": 0.5, "plain_loss": 0.25})
    row = read_losses(tmp_path / "losses.csv")[0]
    assert row["step"] == 1 and row["loss"] == 0.5
    assert 0.01 < row["memory_gb"] < 1000
    assert "plain_loss" not in row and "validation_loss" not in row
    book.add(2, {"loss": 0.1 + 0.2, "validation_loss": 1.0})
    book.close()
    assert [row["loss"] for row in read_losses(tmp_path / "losses.csv")] == [0.5, 0.1 + 0.2]
    assert [step for step, _ in listener.rows] == [1, 2]
    assert listener.rows[0][1]["plain_loss"] == 0.25 and listener.rows[0][1]["memory_gb"] > 0


def test_rows_behind_the_checkpoint_are_dropped_and_new_columns_find_their_place(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("step,loss,seconds\n1,0.5,2\n2,0.4,2\n3,0.3,2\n")
    book = Logbook(tmp_path, first_step=2, columns=("seconds", *COLUMNS))
    book.add(3, {"loss": 0.25, "seconds": 3.0})
    book.close()
    assert path.read_text().splitlines()[0] == "step,seconds,loss,validation_loss,memory_gb"
    rows = read_losses(path)
    assert [(row["step"], row["loss"], row["seconds"]) for row in rows] == [
        (1, 0.5, 2),
        (2, 0.4, 2),
        (3, 0.25, 3),
    ]


@pytest.mark.parametrize(
    "end", ["4,0.2", "4,0.25,1.5,2", "4,0.2,", "4", "", "\x00,\x00\n", "4,0.2,1,2,9\n", "4,zero,1,2\n"]
)
def test_a_row_that_a_crash_cut_or_spoiled_is_left_out(tmp_path: Path, end: str) -> None:
    # "4,0.25,1.5,2" may have been "4,0.25,1.5,2.75": only the end of the line says that a row is whole.
    path = tmp_path / "losses.csv"
    path.write_text(f"step,loss,validation_loss,memory_gb\n3,0.3,,1.5\n{end}")
    assert read_losses(path) == [{"step": 3, "loss": 0.3, "memory_gb": 1.5}]


def test_without_a_file_there_are_no_rows(tmp_path: Path) -> None:
    assert read_losses(tmp_path / "losses.csv") == []


def rows_of(count: int, *, falls_to: float) -> list[dict[str, float]]:
    rng = np.random.default_rng(0)
    trend = np.linspace(0, np.log(falls_to), count)
    losses = np.exp(trend + 0.3 * rng.standard_normal(count))
    every = max(1, count // 20)
    return [
        {"step": step, "loss": loss, **({"validation_loss": 2 * loss} if step % every == 0 else {})}
        for step, loss in enumerate(losses.tolist(), start=1)
    ]


@pytest.mark.parametrize("count", [0, 1, 10, MOST_RAW_POINTS, 100_000])
def test_a_curve_of_any_length_is_drawn(tmp_path: Path, count: int) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "losses.png"
    assert plot_losses(rows_of(count, falls_to=0.01), target, title="TalkVid-Core / stage_1")
    picture = load_image(target)
    assert picture.shape == (600, 1080, 3)
    blue = (picture[..., 2].astype(int) - picture[..., 0]) > 40
    columns = blue[:, 100:].any(axis=0).mean()
    # The curve runs over the whole width, as soon as it has more than one point.
    assert columns > 0.8 if count > 1 else columns < 0.2


def test_losses_that_are_not_numbers_do_not_stop_the_drawing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [
        {"step": 1.0, "loss": float("nan")},
        {"step": 2.0, "loss": float("inf")},
        {"step": 3.0, "loss": 1.0},
    ]
    assert plot_losses(rows, tmp_path / "losses.png")


def test_the_running_mean_keeps_a_constant_and_follows_a_slope() -> None:
    assert running_mean(np.full(1000, 3.0)) == pytest.approx(np.full(1000, 3.0))
    slope = np.arange(1000.0)
    assert running_mean(slope)[100:900] == pytest.approx(slope[100:900])
    few = np.array([1.0, 5.0, 2.0])
    assert running_mean(few).tolist() == few.tolist()
    noisy = np.random.default_rng(0).standard_normal(10_000)
    assert running_mean(noisy).std() < 0.2 * noisy.std()


def test_the_axis_is_logarithmic_from_a_decade_on() -> None:
    assert spans_decades(np.array([1.0, 0.1]))
    assert not spans_decades(np.array([1.0, 0.2]))
    assert not spans_decades(np.array([1.0, 0.0]))
    assert not spans_decades(np.array([]))


def test_a_run_without_matplotlib_has_its_page_and_no_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    book = Logbook(tmp_path, first_step=0, columns=COLUMNS)
    book.add(1, {"loss": 0.5})
    book.close()
    assert not (tmp_path / "losses.png").exists()
    assert "<img" not in (tmp_path / "index.html").read_text()


def test_the_page_shows_the_curve_the_samples_and_the_settings_and_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    folder = tmp_path / 'a "run" & <more>'
    for step in (5, 10):
        samples = folder / "samples" / f"step-{step}"
        samples.mkdir(parents=True)
        (samples / "sheet.png").write_bytes(b"")
        (samples / "1-it's & <b>.mp4").write_bytes(b"")
    (folder / "samples" / "step-x").mkdir()
    (folder / "losses.png").write_bytes(b"")
    (folder / "settings.yaml").write_text("run:\n  train: <script>alert(1)</script>\n")
    page = write_page(folder, title=folder.name, plot="losses.png").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<h1>a &quot;run&quot; &amp; &lt;more&gt;</h1>" in page
    assert page.index("Step 10") < page.index("Step 5") and page.count("<details open>") == 1
    assert 'src="samples/step-10/1-it%27s%20%26%20%3Cb%3E.mp4"' in page
    assert 'src="losses.png"' in page and 'src="samples/step-5/sheet.png"' in page
    assert "://" not in page


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(logbook.time, "monotonic", lambda: self.now)


def test_a_slow_first_step_does_not_spoil_the_time_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="talkvid")
    clock = Clock(monkeypatch)
    progress = Progress(100, 1100)
    clock.now += 300.0
    progress.update(101, {"loss": 0.5})
    for step in range(102, 121):
        clock.now += 2.0
        progress.update(step, {"loss": 0.25})
    assert progress.rate() == pytest.approx(0.5)
    lines = [record.getMessage() for record in caplog.records]
    # 300 s for the first, then a line every ten seconds; 985 steps of 2 s are left after step 115.
    assert len(lines) == 4
    assert "step 116 of 1100, loss 0.25, 2.00 s/it, 0:32:48 left, " in lines[-1] and lines[-1].endswith(" GB")


def test_the_rate_is_that_of_the_last_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    progress = Progress(0, 10_000)
    for seconds in (10.0, 0.1):
        for _ in range(200):
            clock.now += seconds
            progress.update(progress.recent[-1][1] + 1, {"loss": 1.0})
    assert progress.rate() == pytest.approx(10.0)


def test_the_last_step_is_always_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="talkvid")
    Clock(monkeypatch)
    progress = Progress(0, 2)
    progress.update(1, {"loss": 1.0})
    progress.update(2, {"loss": 0.5})
    progress.close()
    assert [record.getMessage().split(",")[0] for record in caplog.records] == ["step 2 of 2"]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock = Clock(monkeypatch)
    progress = Progress(0, 4)
    for step in range(1, 5):
        clock.now += 0.5
        progress.update(step, {"loss": 0.125})
    progress.bar.refresh()
    progress.close()
    shown = capsys.readouterr().err
    assert "4/4" in shown and "loss 0.125, 2.00 it/s, 0:00:00 left" in shown and " GB" in shown


def test_lengths_of_time_are_readable() -> None:
    assert [duration(value) for value in (0, 59.6, 3725, 30 * 86400 + 61)] == [
        "0:00:00",
        "0:01:00",
        "1:02:05",
        "30 d 0:01:01",
    ]


def test_memory_is_that_of_this_process() -> None:
    before = memory_gb()
    block = np.ones(40_000_000)
    assert memory_gb() - before > 0.25
    assert block[0] == 1
