"""Starts the web page and keeps it running: one line, its workers, its own folder, its guard."""

import functools
import logging
import os
import shutil
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.app.folder import OwnFolder, has_room
from talkvid.app.generate_tab import Service
from talkvid.app.guard import Guard
from talkvid.app.inputs import find_samples
from talkvid.app.limits import Limits
from talkvid.app.line import FairLine
from talkvid.app.page import build_page
from talkvid.app.report_view import report_page
from talkvid.app.style import STYLE, theme
from talkvid.app.worker import Maker, Worker
from talkvid.extras import require
from talkvid.inference.api import TalkVidInference
from talkvid.inference.settings import LoadOptions

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SAMPLES = Path(__file__).resolve().parents[3] / "test_samples" / "short_case"
OPENING_VARIABLES = ("GRADIO_SHARE", "GRADIO_ALLOWED_PATHS", "GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH")
"""Variables by which gradio would open the server without being asked by a flag."""
QUIET_VARIABLES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_NUM_PORTS": "1",
}


@dataclass(frozen=True)
class AppSettings:
    """How the page is served."""

    options: LoadOptions = field(default_factory=LoadOptions)
    limits: Limits = field(default_factory=Limits)
    host: str = "127.0.0.1"
    port: int = 7860
    """0 takes any free one."""
    share: bool = False
    """Let gradio open a public address that leads here."""
    workers: int = 1
    """Videos made at the same time, each by a process with the model of its own."""
    curated: Path | None = None
    report: Path | None = None
    samples: Path = SAMPLES

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError(f"port: must be from 0 to 65535, got {self.port}")
        if not 1 <= self.workers <= 64:
            raise ValueError(f"workers: must be from 1 to 64, got {self.workers}")


class AppServer:
    """The running page; `close` ends everything it began and removes what visitors left."""

    def __init__(self, settings: AppSettings, *, workers: Sequence[Maker] | None = None) -> None:
        """Begin to serve; `workers` stand in for the processes that make videos.

        ValueError, FileNotFoundError or ImportError for whatever stands in the way.
        """
        refuse_opening_variables()
        gr = begin_quietly()
        report = None if settings.report is None else report_page(settings.report)
        config = TalkVidInference.from_options(settings.options).config
        self.settings = settings
        self.line = FairLine(settings.limits)
        self.workers = workers or [Worker(settings.options) for _ in range(settings.workers)]
        self._folder = OwnFolder(keep_s=60 * settings.limits.keep_minutes, in_use=self.line.files)
        self._page: Any = None
        self._threads = [
            threading.Thread(target=self.line.work, args=(worker.make,), name="talkvid-line", daemon=True)
            for worker in self.workers
        ]
        try:
            self.url = self._launch(gr, config, report)
        except BaseException:
            self.close()
            raise
        for thread in self._threads:
            thread.start()

    @property
    def folder(self) -> Path:
        """Return the folder that holds all that is uploaded or made."""
        return self._folder.path

    def close(self) -> None:
        """End the line, the processes and the server, and remove the folder."""
        self.line.close()
        for worker in self.workers:
            worker.end()
        if self._page is not None:
            self._page.close(verbose=False)
        self._folder.close()

    def wait(self) -> None:
        """Return when the server has ended; KeyboardInterrupt passes through."""
        self._page.block_thread()

    def _launch(self, gr: Any, config: Any, report: Path | None) -> str:
        settings, folder = self.settings, self._folder.path
        # Gradio keeps uploads and what it serves below this folder, and serves from nowhere else.
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        service = Service(self.line, settings.limits, config, folder / "made")
        self._page = build_page(
            gr,
            service,
            samples=copied_samples(settings.samples, folder / "samples"),
            scratch=new_folder(folder / "clips"),
            curated=settings.curated,
            report=settings.report,
        )
        guard: dict[str, Any] = {"upload_bytes": settings.limits.upload_bytes, "report": report}
        guard["has_room"] = functools.partial(has_room, folder)
        if settings.host in LOOPBACK and not settings.share:
            guard["hosts"] = frozenset({*LOOPBACK, "[::1]"})
        middleware = require("starlette.middleware", extra="app").Middleware(Guard, **guard)
        self._page.queue(default_concurrency_limit=4, max_size=4 * settings.limits.waiting)
        try:
            _, url, public = self._page.launch(
                server_name=settings.host,
                server_port=settings.port or free_port(settings.host),
                share=settings.share,
                prevent_thread_lock=True,
                quiet=True,
                show_error=False,
                inbrowser=False,
                allowed_paths=[],
                max_file_size=settings.limits.upload_bytes,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                run_history=False,
                footer_links=[],
                app_kwargs={"middleware": [middleware]},
                theme=theme(gr),
                css=STYLE,
            )
        except OSError as error:
            raise ValueError(
                f"port {settings.port} of {settings.host} cannot be used ({error}); choose another --port"
            ) from error
        self._folder.begin()
        return str(public or url)


def refuse_opening_variables() -> None:
    """Raise ValueError when a variable of the environment would open the server wider than its flags say."""
    for name in OPENING_VARIABLES:
        if os.environ.get(name, "").lower() not in ("", "false", "0"):
            raise ValueError(f"{name} is set; only the flags --share and --host open the server: unset it")


def begin_quietly() -> Any:
    """Return gradio, told beforehand to report nothing to anybody."""
    os.environ.update(QUIET_VARIABLES)
    return require("gradio", extra="app")


def copied_samples(source: Path, target: Path) -> list[list[str]]:
    """Return portrait and speech of every sample, copied to where files may be served from."""
    found = []
    for files in find_samples(source):
        folder = new_folder(target / Path(files[0]).parent.name)
        found.append([str(shutil.copy(file, folder)) for file in files])
    return found


def new_folder(path: Path) -> Path:
    """Return the folder, made where it is missing."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def free_port(host: str) -> int:
    """Return a port that nobody uses at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
