"""The first tab: portrait and speech become a video."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.app import status_view
from talkvid.app.inputs import Inputs, build_inputs
from talkvid.app.limits import Limits
from talkvid.app.line import DONE, FairLine
from talkvid.app.orders import make_order
from talkvid.app.results import settings_file
from talkvid.app.sentences import sentence
from talkvid.app.style import INTO_VIEW
from talkvid.model.bundle_config import BundleConfig
from talkvid.page.marks import tag

LOOK_EVERY_S = 0.25
TELL_EVERY_S = 2.0
"""Something is sent at least so often: only then is it noticed that the visitor has left."""
CONSENT = "Make videos only of people who agreed to it, and say that they are synthetic."


@dataclass(frozen=True)
class Service:
    """What the tab stands on."""

    line: FairLine
    limits: Limits
    config: BundleConfig
    folder: Path
    """Where videos are made."""


def build_generate_tab(gr: Any, service: Service, samples: list[list[str]]) -> None:
    """Put the tab's parts into the page that is being built."""
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            inputs = build_inputs(gr, service.config, service.limits, samples)
        with gr.Column(min_width=320, elem_id="making"):
            with gr.Row():
                go = gr.Button("Generate", variant="primary", min_width=120, elem_id="go")
                stop = gr.Button("Stop", variant="stop", min_width=120, interactive=False, elem_id="stop")
            status = gr.HTML(status_view.EMPTY, elem_id="status")
            video = gr.Video(
                label="Video", interactive=False, elem_id="result", buttons=[], height=420, autoplay=True
            )
            with gr.Row():
                take_video, take_settings = (
                    gr.DownloadButton(
                        f"Download {what}", interactive=False, min_width=120, elem_id=f"take-{what}"
                    )
                    for what in ("video", "settings")
                )
            kept = f"{service.limits.keep_minutes:g} minutes"
            gr.HTML(tag("p", f"{CONSENT} Uploads and videos are removed after {kept}.", class_="soft"))
    _connect(
        gr, service, inputs, go=go, stop=stop, outputs=[status, video, take_video, take_settings, go, stop]
    )


def _connect(gr: Any, service: Service, inputs: Inputs, *, go: Any, stop: Any, outputs: list[Any]) -> None:
    async def generate(request: Any, *values: Any) -> AsyncIterator[list[Any]]:
        wishes = dict(zip(inputs.names, values, strict=True))
        # The place in the line is given back when the visitor stops or leaves: then this iterator is closed.
        async with aclosing(follow(service, wishes, user_of(request))) as views:
            async for view in views:
                yield updates(gr, view)

    def leave(request: Any) -> None:
        service.line.leave_all(user_of(request))

    for handler in (generate, leave):
        # By this gradio knows to hand the request over; it cannot be named before gradio is imported.
        handler.__annotations__ = {"request": gr.Request}
    go.click(
        generate,
        inputs=inputs.components,
        outputs=outputs,
        api_name="generate",
        concurrency_limit=None,
        show_progress="hidden",
        trigger_mode="once",
    )
    go.click(None, js=INTO_VIEW % "#making")
    stop.click(leave, api_name="stop", concurrency_limit=None, show_progress="hidden")


@dataclass(frozen=True)
class View:
    """What the tab shows at one moment."""

    status: str
    busy: bool = True
    video: Path | None = None
    settings: Path | None = None


async def follow(service: Service, wishes: dict[str, Any], user: str) -> AsyncGenerator[View, None]:
    """Yield what the visitor sees, from the click to the end; when it is closed early, the job is stopped."""
    portrait, sound = wishes.pop("portrait"), wishes.pop("sound")
    files = (portrait, sound, wishes.get("driving_video"))
    yield View(status_view.READING)
    try:
        order = await asyncio.to_thread(
            make_order,
            portrait,
            sound,
            wishes,
            limits=service.limits,
            config=service.config,
            folder=service.folder,
        )
        job = service.line.join(user, order)
    except Exception as error:  # whatever it is, the visitor gets one sentence
        yield View(status_view.problem(sentence(error, files=files)), busy=False)
        return
    try:
        shown, told_at = "", 0.0
        while not job.is_over:
            status = status_view.status(job, service.line)
            if status != shown or time.monotonic() - told_at > TELL_EVERY_S:
                yield View(status)
                shown, told_at = status, time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)
        status = status_view.status(job, service.line)
        if job.state == DONE:
            yield View(status, busy=False, video=order.output, settings=settings_file(order.output))
        else:
            yield View(status, busy=False)
    finally:
        service.line.leave(job)


def updates(gr: Any, view: View) -> list[Any]:
    """Return the new state of status, video, both downloads and both buttons."""
    found = view.video is not None
    return [
        view.status,
        gr.update(value=view.video) if found or not view.busy else gr.skip(),
        gr.update(value=view.video, interactive=found),
        gr.update(value=view.settings, interactive=found),
        gr.update(interactive=not view.busy),
        gr.update(interactive=view.busy),
    ]


def user_of(request: Any) -> str:
    """Return who asks: one name for each opened page."""
    return str(request.session_hash)
