"""The sections of a report that show single clips: close calls, rejects by code, failed files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from talkvid.curation.records import CODES
from talkvid.curation.report_marks import clock, readable, with_margin
from talkvid.curation.report_overview import status_mark
from talkvid.curation.report_picks import CloseCalls, Pick
from talkvid.curation.report_table import RunTable, rule_text
from talkvid.curation.thumbnails import Thumbnail
from talkvid.page.marks import Html, count, join, name, plural, safe, table, tag

AT_ONCE = 8
"""Rejected clips of a code that are seen without unfolding."""


class Pictures:
    """The thumbnails of a page: each is in the page once, however often it is shown."""

    def __init__(self, thumbnails: Mapping[str, Thumbnail]) -> None:
        self._numbers = {clip_id: number for number, clip_id in enumerate(thumbnails)}
        self._thumbnails = thumbnails

    def style(self) -> str:
        """Return the style rules that hold the pictures."""
        return "\n".join(
            f".t{number}{{background-image:url({self._thumbnails[clip_id].data_url})}}"
            for clip_id, number in self._numbers.items()
        )

    def show(self, clip_id: str, label: str) -> Html:
        """Return the picture of a clip, or a box that says there is none."""
        number = self._numbers.get(clip_id)
        if number is None:
            return tag("span", "no picture", class_="thumb nothumb")
        return tag("span", class_=f"thumb t{number}", role="img", aria_label=f"picture of {label}")


def close_call_cards(table_: RunTable, calls: Sequence[CloseCalls], pictures: Pictures) -> Html:
    """Return for every rule the clips nearest to its threshold; rules that rejected nothing are folded up."""
    open_ones: list[Html] = []
    folded: list[Html] = []
    for call in calls:
        if not (call.kept or call.rejected):
            continue
        meaning = f" else {call.rule.code}: {CODES.get(call.rule.code, '')}"
        parts = [tag("h3", tag("code", rule_text(call.rule)), tag("small", meaning, class_="soft"))]
        if call.rejected:
            parts += [tag("small", "rejected by the smallest margin", class_="soft")]
            parts += [_strip(table_, call.rejected, pictures)]
        if call.kept:
            parts += [tag("small", "kept by the smallest margin", class_="soft")]
            parts += [_strip(table_, call.kept, pictures)]
        (open_ones if call.rejected else folded).append(join(parts))
    rest = []
    if folded:
        told = f"{plural(len(folded), 'rule')} that rejected no clip, and what came nearest"
        rest = [tag("details", tag("summary", told), *folded)]
    return join([*open_ones, *rest])


def _strip(table_: RunTable, picks: Sequence[Pick], pictures: Pictures) -> Html:
    return tag("div", *(_card(table_, pick, pictures) for pick in picks), class_="strip")


def _card(table_: RunTable, pick: Pick, pictures: Pictures) -> Html:
    place = table_.place(pick.row)
    told = "{} ({})".format(*with_margin(pick.value, pick.margin))
    return tag(
        "div",
        pictures.show(place["clip_id"], place["name"]),
        status_mark(place["status"]),
        " ",
        tag("span", told, class_="figure"),
        Html("<br>"),
        name(place["name"]),
        class_="clip",
    )


def reject_tables(
    table_: RunTable,
    by_code: Mapping[str, Sequence[Pick]],
    pictures: Pictures,
    *,
    num_by_code: Mapping[str, int],
) -> Html:
    """Return for every code its clips with place, sentence, value, threshold and margin."""
    parts = []
    for code, picks in by_code.items():
        hidden = num_by_code[code] - len(picks)
        told = f" {CODES.get(code, 'an unknown code')}, {plural(num_by_code[code], 'clip')}"
        title = tag("h3", code, tag("small", told, class_="soft"))
        parts += [title, _reject_table(table_, picks[:AT_ONCE], pictures)]
        if picks[AT_ONCE:]:
            summary = tag("summary", f"{plural(len(picks) - AT_ONCE, 'further clip')}")
            parts.append(tag("details", summary, _reject_table(table_, picks[AT_ONCE:], pictures)))
        if hidden:
            told = f"{count(hidden)} more, further from the threshold: exports/rejected.jsonl, clips.parquet."
            parts.append(tag("p", told, class_="soft"))
    return join(parts)


def _reject_table(table_: RunTable, picks: Sequence[Pick], pictures: Pictures) -> Html:
    rows = []
    for pick in picks:
        place = table_.place(pick.row)
        span = f"{clock(place['start_s'])} \N{EN DASH} {clock(place['end_s'])} of {Path(place['path']).name}"
        rule = f"{readable(pick.rule.op)} {pick.rule.threshold:g}" if pick.rule else ""
        figure, margin = with_margin(pick.value, pick.margin) if pick.rule else ("", "")
        where = f"whole file {Path(place['path']).name}" if table_.whole_file[pick.row] else span
        rows.append(
            [
                pictures.show(place["clip_id"], place["name"]),
                join([name(place["name"]), Html("<br>"), tag("small", name(where), class_="soft")]),
                place["reason"],
                figure,
                rule,
                margin,
            ]
        )
    heads = ["", "clip and place", "why", "value", "wanted", "margin"]
    return tag("div", table(heads, rows, numbers=(3, 4, 5)), class_="rows rejects")


def failed_table(table_: RunTable, rows: Sequence[int], *, num_failed: int) -> Html:
    """Return the failed files and clips with code and sentence."""
    if not rows:
        return tag("p", "Nothing failed.")
    lines = []
    for row in rows:
        place = table_.place(row)
        path = Path(place["path"])
        what = f"in {path.parent}" if table_.whole_file[row] else f"clip {place['name']}, in {path.parent}"
        reason = str(place["reason"]).removeprefix(f"{place['path']}: ")
        code = tag("span", tag("code", place["code"]), title=CODES.get(place["code"], ""))
        lines.append(
            [
                code,
                join([name(path.name), Html("<br>"), tag("small", name(what), class_="soft")]),
                reason,
            ]
        )
    parts = [tag("div", table(["code", "file", "what happened"], lines), class_="rows failures")]
    if num_failed > len(rows):
        told = f"{count(num_failed - len(rows))} more are in exports/failed.jsonl and clips.parquet."
        parts.append(tag("p", told, class_="soft"))
    return join(parts)


def preformatted(text: str) -> Html:
    """Return text as it is, line for line."""
    return Html(f"<pre>{safe(text)}</pre>")
