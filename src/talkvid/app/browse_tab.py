"""The second tab: look through a curated data set."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.app.curated import PER_PAGE, CuratedSet, ScoreRange, counted
from talkvid.app.sentences import sentence
from talkvid.app.status_view import problem
from talkvid.app.style import INTO_VIEW
from talkvid.curation.report_table import STATUSES
from talkvid.page.marks import Html, join, plural, tag

ANY = "any"
NONE_GIVEN = tag(
    "p",
    "No data set is shown. Make one with ",
    tag("code", "talkvid curate run VIDEOS -o DIR"),
    " and start the page with ",
    tag("code", "talkvid app --curated DIR"),
    ".",
)
CUTTING = tag("p", "Cutting the clip.", class_="soft", role="status")


def build_browse_tab(gr: Any, folder: Path, scratch: Path) -> None:
    """Put the tab's parts into the page; FileNotFoundError when the folder is not a finished run."""
    chosen = CuratedSet(folder, scratch)
    gr.HTML(tag("p", f"{folder.resolve().name}: {counted(chosen)}."))
    with gr.Row():
        statuses = gr.CheckboxGroup(list(STATUSES), value=list(STATUSES), label="Show", min_width=300)
        code = gr.Dropdown([ANY, *chosen.codes], value=ANY, label="Reason", min_width=200)
    sliders = _sliders(gr, chosen.ranges)
    filters = Filters(chosen, tuple(sliders))
    found = gr.HTML(elem_id="found")
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=320):
            gallery = gr.Gallery(
                label="Clips", columns=4, height=640, allow_preview=False, buttons=[], elem_id="clips",
                interactive=False, object_fit="contain",
            )  # fmt: skip
            with gr.Row(elem_classes="turning"):
                back = gr.Button("Previous", min_width=80, elem_id="back")
                page = gr.Number(1, precision=0, minimum=1, show_label=False, min_width=60, elem_id="page")
                on = gr.Button("Next", min_width=80, elem_id="on")
        with gr.Column(scale=2, min_width=320):
            player = gr.Video(label="Clip", interactive=False, height=320, buttons=[], elem_id="clip")
            why = gr.HTML(
                tag("p", "Choose a clip to play it and to see why it is what it is.", class_="soft")
            )
    shown, pages = gr.State([]), gr.State(1)
    inputs, outputs = [statuses, code, page, *sliders.values()], [gallery, found, shown, pages]
    plain: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    gr.on(
        [part.change for part in inputs], filters.look, inputs, outputs, trigger_mode="always_last", **plain
    )
    gr.context.Context.root_block.load(filters.look, inputs, outputs, **plain)
    back.click(lambda page, pages: max(1, min(page or 1, pages) - 1), [page, pages], page, **plain)
    on.click(lambda page, pages: min(pages, (page or 0) + 1), [page, pages], page, **plain)
    _connect_gallery(gr, chosen, gallery, shown, outputs=[player, why])


@dataclass(frozen=True)
class Filters:
    """What the visitor chose, applied to the data set."""

    chosen: CuratedSet
    keys: tuple[tuple[str, str], ...]
    """Stage and score of each slider, in their order on the page."""

    def look(
        self, statuses: list[str], code: str, page: float | None, *bounds: float
    ) -> tuple[list[tuple[str, str]], Html, list[int], int]:
        """Return pictures with captions, how many there are in words, the rows shown, and the pages."""
        chosen = self.chosen
        rows = chosen.select(
            statuses=statuses or ["none"],
            code="" if code == ANY else code,
            bounds=dict(zip(self.keys, bounds, strict=True)),
        ).tolist()
        pages = max(1, -(-len(rows) // PER_PAGE))
        number = min(max(1, int(page or 1)), pages)
        visible = rows[(number - 1) * PER_PAGE : number * PER_PAGE]
        pictures, blank = chosen.pictures(visible), chosen.blank()
        items = [(str(pictures.get(row, blank)), chosen.caption(row)) for row in visible]
        return items, tag("p", f"{plural(len(rows), 'clip')}, page {number} of {pages}"), visible, pages


def _sliders(gr: Any, ranges: tuple[ScoreRange, ...]) -> dict[tuple[str, str], Any]:
    """Return a slider for each score: those a rule of the run decides on first, the rest apart."""
    found: dict[tuple[str, str], Any] = {}
    for title, name, group in (
        ("Scores with a rule", "scores", [one for one in ranges if one.threshold is not None]),
        ("Other scores", "other-scores", [one for one in ranges if one.threshold is None]),
    ):
        if group:
            with (
                gr.Accordion(f"{title} ({len(group)})", open=False, elem_id=name),
                gr.Row(elem_classes="sliders"),
            ):
                found |= {one.key: _slider(gr, one) for one in group}
    return found


def _slider(gr: Any, one: ScoreRange) -> Any:
    side = "at least" if one.at_least else "at most"
    rule = "no rule" if one.threshold is None else f"the rule of the run: {one.threshold:g}"
    return gr.Slider(
        one.low,
        one.high,
        value=one.open_end,
        step=one.step,
        label=f"{one.stage}.{one.score} {side}",
        info=rule,
        min_width=240,
    )


def _connect_gallery(gr: Any, chosen: CuratedSet, gallery: Any, shown: Any, *, outputs: list[Any]) -> None:
    async def choose(rows: list[int], event: Any) -> AsyncIterator[tuple[str | None, Html]]:
        row = rows[event.index]
        told = chosen.why(row)
        # The reason is there at once; the clip may have to be cut first.
        yield None, join((told, CUTTING))
        try:
            clip = await asyncio.to_thread(chosen.clip, row)
        except Exception as error:  # a clip that cannot be played is still explained
            yield None, join((problem(sentence(error)), told))
        else:
            yield str(clip), told

    choose.__annotations__ = {"event": gr.SelectData}
    gallery.select(
        choose,
        shown,
        outputs,
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
    )
    gallery.select(None, js=INTO_VIEW % "#clip")
