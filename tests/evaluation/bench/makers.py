"""Things that make videos for tests; a module of its own because worker processes import it by name."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from talkvid.evaluation.bench.clips import BenchClip
from tests.evaluation.bench.bench_made_up import write_video


@dataclass(frozen=True)
class Maker:
    """Draws the clip's video with a known error; misbehaves where told."""

    calls: Path
    """Gets a line `clip process` for every call."""
    error: float = 0.1
    raises: str = ""
    dies: str = ""
    hangs: str = ""
    writes_nothing: str = ""

    def __call__(self, clip: BenchClip, target: Path) -> None:
        with self.calls.open("a") as file:
            file.write(f"{clip.id} {os.getpid()}\n")
        assert clip.portrait is not None and clip.portrait.is_file() and clip.sound.is_file()
        if clip.id == self.hangs:
            time.sleep(3600)
        if clip.id == self.raises:
            raise ValueError(f"{clip.portrait}: no face in this picture")
        if clip.id == self.dies:
            os._exit(3)
        if clip.id != self.writes_nothing:
            write_video(target, int(clip.id[-4:]), error=self.error)


def maker(settings: Maker) -> Callable[[BenchClip, Path], None]:
    """As the set-up of a worker does: load once, then be called for every clip."""
    with settings.calls.open("a") as file:
        file.write(f"loaded {os.getpid()}\n")
    return settings
