"""Trackers: tensorboard for real, the others as stand-ins that keep what they are told."""

import logging
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from talkvid.media.image import save_image
from talkvid.training import run as training_run
from talkvid.training.config import TrainConfig
from talkvid.training.run import run_training
from talkvid.training.trackers import check_trackers, flat_settings, open_trackers, tracking
from tests.training.synthetic import Settings

SETTINGS = {"run": {"stage": 1, "trackers": ["a", "b"]}, "loss": {"gamma": 5.0, "path": None}}


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "samples" / "step-2" / "sheet.png"
    save_image(path, np.full((8, 12, 3), 200, np.uint8))
    return path


def test_settings_become_flat_keys() -> None:
    assert flat_settings(SETTINGS) == {
        "run.stage": 1,
        "run.trackers": "a, b",
        "loss.gamma": 5.0,
        "loss.path": None,
    }
    flat = flat_settings(asdict(TrainConfig()))
    assert flat["optimizer.learning_rate"] == 1e-6 and flat["run.trackers"] == "tensorboard"
    assert all(value is None or isinstance(value, str | int | float) for value in flat.values())


def test_tensorboard_holds_curves_settings_and_the_sheet(tmp_path: Path, sheet: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    with tracking(["tensorboard"], folder, run_name="r", settings=SETTINGS) as (tracker,):
        tracker.log(1, {"loss": 0.5})
        tracker.log(2, {"loss": 0.25, "validation_loss": 1.0})
        tracker.log(3, {"loss": 9.0})
        tracker.picture(2, "samples", sheet)
        tracker.video(2, "samples/1-a", sheet.with_name("1-a.mp4"))
    # Continued from step 2: what the run before said of step 3 no longer counts.
    with tracking(["tensorboard"], folder, run_name="r", settings=SETTINGS, first_step=2) as (tracker,):
        tracker.log(3, {"loss": 0.125})
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (1, 0.5),
        (2, 0.25),
        (3, 0.125),
    ]
    assert [event.value for event in events.Scalars("validation_loss")] == [1.0]
    (image,) = events.Images("samples")
    assert (image.step, image.width, image.height) == (2, 12, 8)
    (note,) = events.Tensors("samples/1-a/text_summary")
    assert note.tensor_proto.string_val == [b"samples/step-2/1-a.mp4"]
    start = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"loss.gamma" in start and b"run.trackers" in start


def test_without_tensorboard_one_line_says_what_is_there_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="talkvid")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert open_trackers(["tensorboard"], tmp_path, run_name="r", settings={}) == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert "talkvid[train]" in line and "losses.csv" in line and "losses.png" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_missing_is_an_error_before_anything_is_built(
    name: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(training_run, "starting_model", lambda *_, **__: pytest.fail("a model was built"))
    with pytest.raises(ImportError, match=rf"pip install 'talkvid\[{name}\]'"):
        run_training(settings(1, f"run.trackers=[tensorboard,{name}]"))
    assert not (tmp_path / "exp").exists()
    check_trackers(["tensorboard"])


def test_an_unknown_tracker_is_named(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(
        ValueError, match=r"run\.trackers must be one of tensorboard, mlflow, wandb, got 'aim'"
    ):
        settings(1, "run.trackers=[aim]")


class FakeWandb(ModuleType):
    """Keeps what a run is told."""

    class Error(Exception):
        """As wandb's own."""

    def __init__(self, *, failure: str = "") -> None:
        super().__init__("wandb")
        self.failure = failure
        self.opened: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.metrics: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.finished = 0

    def init(self, **told: Any) -> Any:
        if self.failure:
            raise self.Error(self.failure)
        self.opened.append(told)
        return SimpleNamespace(
            id=told["id"] or "new1",
            log=self.logged.append,
            define_metric=lambda *args, **named: self.metrics.append((args, named)),
            finish=self.finish,
        )

    def finish(self) -> None:
        self.finished += 1

    def Image(self, path: str) -> tuple[str, str]:
        return "image", path

    def Video(self, path: str, *, format: str) -> tuple[str, str]:
        return format, path


def test_wandb_gets_the_steps_as_they_are_and_continues_its_run(
    tmp_path: Path, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    folder, video = tmp_path / "run", sheet.with_name("1-a.mp4")
    with tracking(["wandb"], folder, run_name="TalkVid-stage_1", settings=SETTINGS) as (tracker,):
        tracker.log(1, {"loss": 0.5})
        tracker.picture(2, "samples", sheet)
        tracker.video(2, "samples/1-a", video)
    with tracking(["wandb"], folder, run_name="TalkVid-stage_1", settings=SETTINGS):
        pass
    first, second = fake.opened
    assert (first["project"], first["name"], first["dir"]) == ("talkvid", "TalkVid-stage_1", str(folder))
    assert first["config"] == flat_settings(SETTINGS) and first["id"] is None
    assert second["id"] == "new1" and second["resume"] == "allow"
    assert fake.logged == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "samples": ("image", str(sheet))},
        {"step": 2, "samples/1-a": ("mp4", str(video))},
    ]
    assert (("*",), {"step_metric": "step"}) in fake.metrics
    assert fake.finished == 2


def test_wandb_that_cannot_start_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb(failure="no API key"))
    with pytest.raises(ValueError, match=r"wandb cannot start \(no API key\): .*WANDB_MODE=offline"):
        open_trackers(["wandb"], tmp_path, run_name="r", settings={})


class FakeMlflow(ModuleType):
    """A store in memory with the calls of a client."""

    class MlflowException(Exception):
        """As mlflow's own."""

    def __init__(self) -> None:
        super().__init__("mlflow")
        self.exceptions = SimpleNamespace(MlflowException=self.MlflowException)
        self.entities = SimpleNamespace(Param=lambda *told: told, Metric=lambda *told: told)
        self.uris: list[str] = []
        self.experiments: dict[str, str | None] = {}
        self.statuses: list[str] = []
        self.params: list[Any] = []
        self.metrics: list[Any] = []
        self.artifacts: list[tuple[str, str]] = []
        self.down = False

    def MlflowClient(self, tracking_uri: str) -> "FakeMlflow":
        self.uris.append(tracking_uri)
        return self

    def _answer(self) -> None:
        if self.down:
            raise self.MlflowException("the server\nis away")

    def get_experiment_by_name(self, name: str) -> Any:
        self._answer()
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name: str, artifact_location: str | None) -> str:
        self.experiments[name] = artifact_location
        return name

    def create_run(self, experiment: str, run_name: str) -> Any:
        assert experiment in self.experiments
        self.statuses.append(f"new {run_name}")
        return SimpleNamespace(info=SimpleNamespace(run_id="run1"))

    def update_run(self, run_id: str, status: str) -> None:
        self.statuses.append(f"{run_id} {status}")

    def set_terminated(self, run_id: str) -> None:
        self._answer()
        self.statuses.append(f"{run_id} FINISHED")

    def log_batch(self, run_id: str, params: Any = (), metrics: Any = ()) -> None:
        self._answer()
        assert run_id == "run1" and len(params) <= 100
        self.params += params
        self.metrics += metrics

    def log_artifact(self, run_id: str, path: str, folder: str) -> None:
        self._answer()
        self.artifacts.append((path, folder))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return fake


def test_mlflow_keeps_a_run_below_the_run_folder_and_continues_it(
    tmp_path: Path, sheet: Path, mlflow: FakeMlflow
) -> None:
    folder = tmp_path / "run"
    with tracking(["mlflow"], folder, run_name="r", settings=asdict(TrainConfig())) as (tracker,):
        tracker.log(7, {"loss": 0.5})
        tracker.picture(2, "samples", sheet)
    with tracking(["mlflow"], folder, run_name="r", settings=asdict(TrainConfig())):
        pass
    assert mlflow.uris == [f"sqlite:///{folder}/mlflow/mlflow.db"] * 2
    assert mlflow.experiments == {"talkvid": (folder / "mlflow" / "files").as_uri()}
    assert mlflow.statuses == ["new r", "run1 FINISHED", "run1 RUNNING", "run1 FINISHED"]
    # Once, though the run was opened twice: mlflow refuses a setting that changes.
    assert dict(mlflow.params) == {
        name: str(value) for name, value in flat_settings(asdict(TrainConfig())).items()
    }
    assert len(mlflow.params) == len(dict(mlflow.params))
    ((name, value, milliseconds, step),) = mlflow.metrics
    assert (name, value, step) == ("loss", 0.5, 7) and milliseconds > 1.6e12
    assert mlflow.artifacts == [(str(sheet), "samples/step-2")]


def test_mlflow_goes_where_its_environment_says(
    tmp_path: Path, mlflow: FakeMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "heads")
    open_trackers(["mlflow"], tmp_path, run_name="r", settings={})
    assert mlflow.uris == ["http://tracking:5000"] and mlflow.experiments == {"heads": None}
    assert not (tmp_path / "mlflow").exists()


def test_a_server_that_is_lost_ends_the_tracking_and_not_the_training(
    tmp_path: Path, sheet: Path, mlflow: FakeMlflow, caplog: pytest.LogCaptureFixture
) -> None:
    with tracking(["mlflow"], tmp_path, run_name="r", settings={}) as (tracker,):
        tracker.log(1, {"loss": 0.5})
        mlflow.down = True
        tracker.log(2, {"loss": 0.5})
        tracker.video(2, "samples/1-a", sheet)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["mlflow takes no more (the server is away); losses.csv goes on"]
    assert len(mlflow.metrics) == 1


def test_a_server_that_does_not_answer_at_the_start_is_an_error(tmp_path: Path, mlflow: FakeMlflow) -> None:
    mlflow.down = True
    with pytest.raises(ValueError, match=r"mlflow cannot start \(the server is away\): .*run\.trackers"):
        open_trackers(["mlflow"], tmp_path, run_name="r", settings={})
