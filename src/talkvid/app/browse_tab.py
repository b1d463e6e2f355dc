"""The second tab: look through a curated data set."""

from pathlib import Path
from typing import Any

from talkvid.app.curated import PER_PAGE, CuratedSet, ScoreRange, counted
from talkvid.app.sentences import sentence
from talkvid.app.status_view import problem
from talkvid.curation.report_table import STATUSES
from talkvid.page.marks import Html, plural, tag

ANY = "any"


def build_browse_tab(gr: Any, folder: Path, scratch: Path) -> None:
    """Put the tab's parts into the page; FileNotFoundError when the folder is not a finished run."""
    chosen = CuratedSet(folder, scratch)
    gr.HTML(tag("p", f"{folder.resolve().name}: {counted(chosen)}."))
    with gr.Row():
        statuses = gr.CheckboxGroup(list(STATUSES), value=list(STATUSES), label="Show", min_width=300)
        code = gr.Dropdown([ANY, *chosen.codes], value=ANY, label="Reason", min_width=200)
    with gr.Accordion("Scores", open=False, elem_id="scores"), gr.Row():
        sliders = [_slider(gr, one) for one in chosen.ranges]
    found = gr.HTML(elem_id="found")
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=320):
            gallery = gr.Gallery(
                label="Clips", columns=4, height=640, allow_preview=False, buttons=[], elem_id="clips",
                interactive=False, object_fit="contain",
            )  # fmt: skip
            page = gr.Number(1, precision=0, minimum=1, label="Page", elem_id="page")
        with gr.Column(scale=2, min_width=320):
            player = gr.Video(label="Clip", interactive=False, height=320, buttons=[], elem_id="clip")
            why = gr.HTML(
                tag("p", "Choose a clip to play it and to see why it is what it is.", class_="soft")
            )
    _connect(
        gr, chosen, [statuses, code, page, *sliders], gallery=gallery, found=found, player=player, why=why
    )


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


def _connect(
    gr: Any, chosen: CuratedSet, filters: list[Any], *, gallery: Any, found: Any, player: Any, why: Any
) -> None:
    shown = gr.State([])

    def look(
        statuses: list[str], code: str, page: float, *bounds: float
    ) -> tuple[list[Any], Html, list[int]]:
        ranges = {one.key: bound for one, bound in zip(chosen.ranges, bounds, strict=True)}
        rows = chosen.select(
            statuses=statuses or ["none"], code="" if code == ANY else code, bounds=ranges
        ).tolist()
        pages = max(1, -(-len(rows) // PER_PAGE))
        number = min(max(1, int(page or 1)), pages)
        visible = rows[(number - 1) * PER_PAGE : number * PER_PAGE]
        pictures = chosen.pictures(visible)
        blank = chosen.blank()
        items = [(str(pictures.get(row, blank)), chosen.caption(row)) for row in visible]
        return items, tag("p", f"{plural(len(rows), 'clip')}, page {number} of {pages}"), visible

    def choose(rows: list[int], event: Any) -> tuple[str | None, Html]:
        row = rows[event.index]
        told = chosen.why(row)
        try:
            return str(chosen.clip(row)), told
        except Exception as error:  # a clip that cannot be played is still explained
            return None, Html(told + problem(sentence(error)))

    choose.__annotations__ = {"event": gr.SelectData}
    outputs = [gallery, found, shown]
    plain: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    gr.on([part.change for part in filters], look, filters, outputs, trigger_mode="always_last", **plain)
    gr.context.Context.root_block.load(look, filters, outputs, **plain)
    gallery.select(choose, shown, [player, why], **plain)
