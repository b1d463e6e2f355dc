"""The folder of one stage of one training: what is in it, what is complete, what comes next."""

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from talkvid.files import atomic_path
from talkvid.model.checkpoints import exported_modules

logger = logging.getLogger(__name__)

STATE_FILE = "state.json"
SETTINGS_FILE = "settings.yaml"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
EMA_FOLDER = "ema"
ROUNDS_FOLDER = "rounds"
"""Folder of the students that a distillation made on its way."""
DESCRIPTION = ("config.json", "vae.safetensors")
"""What makes exported networks a whole checkpoint."""
_PARTIAL = ".partial-"
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.\w+|\.tmp\w{6}")
"""What `atomic_path`, and safetensors inside it, leave behind when their process is killed."""


def stage_folder(output_root: Path | str, train: str, stage: int) -> Path:
    """Return where a stage of a training lives: <output_root>/<train>/stage_<stage>."""
    return Path(output_root) / train / f"stage_{stage}"


class RunFolder:
    """A stage's folder; complete checkpoints in it have their final name, everything else is ignored."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, *, resume: bool) -> Path | None:
        """Make the folder and return the checkpoint to continue from, if any.

        A folder with content is refused (ValueError) unless `resume`; resuming an empty one starts afresh.
        """
        if self.path.is_dir() and any(self.path.iterdir()) and not resume:
            raise ValueError(
                f"{self.path} is not empty: continue it with run.resume=true, or choose another run.train"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        latest = self.latest_checkpoint()
        for folder in (self.path, self.path / EMA_FOLDER, *self.path.glob(f"{ROUNDS_FOLDER}/*")):
            _clear(folder, behind=None if latest is None else max(self.checkpoints()))
        if resume and latest is None:
            logger.info("%s holds no complete checkpoint: starting at step 0", self.path)
        return latest

    def checkpoints(self) -> dict[int, Path]:
        """Return the complete checkpoints by step, oldest first."""
        found = {}
        for entry in self.path.glob("checkpoint-*") if self.path.is_dir() else ():
            match = _CHECKPOINT.fullmatch(entry.name)
            if match and (entry / STATE_FILE).is_file():
                found[int(match[1])] = entry
        return dict(sorted(found.items()))

    def latest_checkpoint(self) -> Path | None:
        """Return the complete checkpoint with the highest step."""
        found = self.checkpoints()
        return found[max(found)] if found else None

    @contextmanager
    def new_checkpoint(
        self,
        step: int,
        state: dict[str, Any],
        *,
        is_main: bool = True,
        wait: Callable[[], None] = lambda: None,
    ) -> Iterator[Path]:
        """Yield a temporary folder that becomes `checkpoint-<step>` when everything was written.

        With several processes all enter together: the main one makes and renames the folder, all may write
        into it, and `wait` lets them wait for each other.
        """
        temporary = self.path / f"{_PARTIAL}{step}"
        if is_main:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        wait()
        try:
            yield temporary
            wait()
            if is_main:
                self._complete(temporary, step, state)
        except BaseException:
            if is_main:
                shutil.rmtree(temporary, ignore_errors=True)
            raise
        wait()

    def _complete(self, temporary: Path, step: int, state: dict[str, Any]) -> None:
        (temporary / STATE_FILE).write_text(json.dumps({"step": step, **state}, indent=1) + "\n")
        for entry in [*(path for path in temporary.rglob("*") if path.is_file()), temporary]:
            _flush(entry)
        final = self.path / f"checkpoint-{step}"
        replaced = self.path / f"{_PARTIAL}replaced-{step}"
        if final.exists():
            final.rename(replaced)
        temporary.rename(final)
        _flush(self.path)
        shutil.rmtree(replaced, ignore_errors=True)

    def companion(self, name: str) -> "RunFolder":
        """Return a folder inside this one that is a checkpoint once networks are put there."""
        companion = RunFolder(self.path / name)
        for file in DESCRIPTION:
            source = self.path / file
            if source.is_file():
                with atomic_path(companion.path / file) as temporary:
                    shutil.copyfile(source, temporary)
        return companion

    def drop_old_checkpoints(self, keep: int) -> None:
        """Remove all but the newest `keep` checkpoints; 0 keeps all."""
        for step in list(self.checkpoints())[:-keep] if keep else ():
            shutil.rmtree(self.path / f"checkpoint-{step}")


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Return what a complete checkpoint says about itself."""
    try:
        state: dict[str, Any] = json.loads((checkpoint / STATE_FILE).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{checkpoint}: not a complete checkpoint ({error})") from error
    return state


def _clear(folder: Path, *, behind: int | None) -> None:
    """Remove half-written files, and exports of steps behind the one that is continued from.

    Such steps are done again; until then nothing may start from them.
    """
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_file() and _UNFINISHED.fullmatch(entry.name):
            entry.unlink()
    for step, files in exported_modules(folder).items() if behind is not None else ():
        if behind is not None and step > behind:
            logger.info("%s: removing the networks of step %d, which comes again", folder, step)
            for path in files.values():
                path.unlink()


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk: a power cut keeps what was renamed."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
