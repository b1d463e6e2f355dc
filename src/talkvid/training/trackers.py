"""Where a run's numbers and samples go besides its own folder: tensorboard, mlflow, wandb."""

import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from talkvid.extras import require
from talkvid.files import atomic_path
from talkvid.media.image import load_image

logger = logging.getLogger(__name__)

PROJECT = "talkvid"
"""Name of the project in wandb and of the experiment in mlflow."""
MLFLOW_PARAMETERS_PER_CALL = 100


class Tracker(Protocol):
    """Takes what a run shows of itself."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of a step."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """Take a PNG of a step."""

    def video(self, step: int, name: str, path: Path) -> None:
        """Take an mp4 of a step."""

    def close(self) -> None:
        """Send what is left and end."""


def check_trackers(names: Sequence[str]) -> None:
    """Raise ImportError naming the extra when a tracker was asked for whose package is not installed.

    Tensorboard may be missing: it is the default, and losses.csv and losses.png are there without it.
    """
    for name in names:
        if name != "tensorboard":
            require(name, extra=name)


def open_trackers(
    names: Sequence[str],
    folder: Path,
    *,
    run_name: str,
    settings: Mapping[str, Any],
    first_step: int = 0,
) -> list[Tracker]:
    """Return the trackers, each told the settings (nested mappings) once, for the run in `folder`.

    `first_step` is the step the run continues from: what a tracker knows of later steps is superseded.
    """
    check_trackers(names)
    flat = flat_settings(settings)
    trackers: list[Tracker] = []
    for name in dict.fromkeys(names):
        if name == "tensorboard":
            if importlib.util.find_spec("tensorboard") is None:
                logger.info(
                    "tensorboard is not installed (pip install 'talkvid[train]'); losses.csv and losses.png "
                    "are written without it"
                )
                continue
            trackers.append(TensorboardTracker(folder, settings=flat, first_step=first_step))
        elif name == "wandb":
            trackers.append(WandbTracker(folder, run_name=run_name, settings=flat))
        elif name == "mlflow":
            trackers.append(MlflowTracker(folder, run_name=run_name, settings=flat))
        else:
            raise ValueError(f"run.trackers: {name!r} is not known; use tensorboard, mlflow or wandb")
    return trackers


@contextmanager
def tracking(names: Sequence[str], folder: Path, **told: Any) -> Iterator[list[Tracker]]:
    """Have the trackers of `open_trackers` inside the block and close them behind it."""
    trackers = open_trackers(names, folder, **told)
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.close()


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as `section.key` -> value; lists become text."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.update(flat_settings(value, f"{key}."))
        elif value is None or isinstance(value, str | int | float):
            flat[key] = value
        else:
            flat[key] = ", ".join(map(str, value)) if isinstance(value, Sequence) else str(value)
    return flat


class TensorboardTracker:
    """Event files in `<run folder>/tensorboard`: curves, settings, sheets; videos by their path."""

    def __init__(self, folder: Path, *, settings: Mapping[str, Any], first_step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self.folder = folder
        purge = first_step + 1 if first_step else None
        self.writer: Any = SummaryWriter(log_dir=str(folder / "tensorboard"), purge_step=purge)
        known = {name: "" if value is None else value for name, value in settings.items()}
        events: Any = self.writer.file_writer
        for summary in hparams(known, {"loss": 0.0, "validation_loss": 0.0}):
            events.add_summary(summary)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """Add the picture."""
        self.writer.add_image(name, load_image(path), step, dataformats="HWC")
        self.writer.flush()

    def video(self, step: int, name: str, path: Path) -> None:
        """Note where the video lies: tensorboard plays no mp4."""
        self.writer.add_text(name, os.path.relpath(path, self.folder), step)

    def close(self) -> None:
        """Close the event file."""
        self.writer.close()


class WandbTracker:
    """A wandb run, continued when the run folder is; its own environment variables say where it goes.

    `WANDB_MODE=offline` keeps everything in `<run folder>/wandb` until `wandb sync`; WANDB_PROJECT,
    WANDB_ENTITY and the rest act as wandb documents them.
    """

    def __init__(self, folder: Path, *, run_name: str, settings: Mapping[str, Any]) -> None:
        self.wandb: Any = require("wandb", extra="wandb")
        identity = folder / "wandb_run_id.txt"
        try:
            self.run: Any = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=run_name,
                dir=str(folder),
                config=dict(settings),
                id=identity.read_text().strip() if identity.is_file() else None,
                resume="allow",
            )
        except self.wandb.Error as error:
            raise ValueError(
                f"wandb cannot start ({' '.join(str(error).split())}): run `wandb login`, set "
                "WANDB_MODE=offline, or leave wandb out of run.trackers"
            ) from error
        _note(identity, self.run.id)
        # Steps of our own: a continued run may come by a step again, which wandb's own counter refuses.
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        self.run.log({"step": step, **values})

    def picture(self, step: int, name: str, path: Path) -> None:
        """Add the picture."""
        self.run.log({"step": step, name: self.wandb.Image(str(path))})

    def video(self, step: int, name: str, path: Path) -> None:
        """Add the mp4 as it is."""
        self.run.log({"step": step, name: self.wandb.Video(str(path), format="mp4")})

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


class MlflowTracker:
    """An mlflow run, continued when the run folder is; kept in `<run folder>/mlflow` unless told otherwise.

    MLFLOW_TRACKING_URI names another store or a server, MLFLOW_EXPERIMENT_NAME another experiment. A server
    that stops answering ends the tracking with a warning, not the training.
    """

    def __init__(self, folder: Path, *, run_name: str, settings: Mapping[str, Any]) -> None:
        self.mlflow: Any = require("mlflow", extra="mlflow")
        self.lost = False
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        local = folder.absolute() / "mlflow"
        if not uri:
            local.mkdir(exist_ok=True)
        self.client: Any = self.mlflow.MlflowClient(tracking_uri=uri or f"sqlite:///{local / 'mlflow.db'}")
        try:
            self.run_id = self._continue_or_create(
                folder / "mlflow_run_id.txt",
                run_name,
                settings=settings,
                artifacts=None if uri else (local / "files").as_uri(),
            )
        except self.mlflow.exceptions.MlflowException as error:
            raise ValueError(
                f"mlflow cannot start ({' '.join(str(error).split())}): check MLFLOW_TRACKING_URI, or leave "
                "mlflow out of run.trackers"
            ) from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        now = int(time.time() * 1000)
        metrics = [self.mlflow.entities.Metric(name, value, now, step) for name, value in values.items()]
        self._send(lambda: self.client.log_batch(self.run_id, metrics=metrics))

    def picture(self, step: int, name: str, path: Path) -> None:
        """Add the picture as a file of the run."""
        self._send(lambda: self.client.log_artifact(self.run_id, str(path), f"samples/step-{step}"))

    def video(self, step: int, name: str, path: Path) -> None:
        """Add the mp4 as a file of the run."""
        self.picture(step, name, path)

    def close(self) -> None:
        """Mark the run as finished."""
        self._send(lambda: self.client.set_terminated(self.run_id))

    def _continue_or_create(
        self, identity: Path, run_name: str, *, settings: Mapping[str, Any], artifacts: str | None
    ) -> str:
        if identity.is_file():
            known_run = identity.read_text().strip()
            self.client.update_run(known_run, status="RUNNING")
            return known_run
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self.client.get_experiment_by_name(name)
        if known is not None:
            experiment = known.experiment_id
        else:
            experiment = self.client.create_experiment(name, artifact_location=artifacts)
        run_id = str(self.client.create_run(experiment, run_name=run_name).info.run_id)
        parameters = [self.mlflow.entities.Param(name, str(value)) for name, value in settings.items()]
        for first in range(0, len(parameters), MLFLOW_PARAMETERS_PER_CALL):
            self.client.log_batch(run_id, params=parameters[first : first + MLFLOW_PARAMETERS_PER_CALL])
        _note(identity, run_id)
        return run_id

    def _send(self, call: Callable[[], object]) -> None:
        if self.lost:
            return
        try:
            call()
        except self.mlflow.exceptions.MlflowException as error:
            self.lost = True
            logger.warning("mlflow takes no more (%s); losses.csv goes on", " ".join(str(error).split()))


def _note(path: Path, identity: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(f"{identity}\n", encoding="utf-8")
