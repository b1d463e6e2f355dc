"""The folder of one stage of one training: what is in it, what is complete, what comes next."""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

STATE_FILE = "state.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_PARTIAL = ".partial-"


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
    def new_checkpoint(self, step: int, state: dict[str, Any]) -> Iterator[Path]:
        """Yield a temporary folder that becomes `checkpoint-<step>` when everything was written."""
        temporary = self.path / f"{_PARTIAL}{step}"
        final = self.path / f"checkpoint-{step}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            (temporary / STATE_FILE).write_text(json.dumps({"step": step, **state}, indent=1) + "\n")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        replaced = self.path / f"{_PARTIAL}replaced-{step}"
        if final.exists():
            final.rename(replaced)
        temporary.rename(final)
        shutil.rmtree(replaced, ignore_errors=True)

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
