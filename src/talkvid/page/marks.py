"""The small parts every page is made of: escaped text, tags, tables, sections, whole documents."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

DASH = "\N{EN DASH}"
_TAGS = re.compile(r"<[^>]*>")


class Html(str):
    """Text that is HTML already; every other text is escaped before it enters the page."""

    __slots__ = ()


Cell = str | Html


def safe(text: Cell) -> Html:
    """Return text fit for the page; names keep their own writing direction and cannot turn what follows."""
    if isinstance(text, Html):
        return text
    visible = "".join(
        mark if mark.isprintable() or mark == "\n" else "\N{REPLACEMENT CHARACTER}" for mark in text
    )
    return Html(escape(visible, quote=True))


def plain(text: Cell) -> str:
    """Return text fit for an attribute; of what is HTML already only the words stay."""
    return _TAGS.sub("", text).replace('"', "&quot;") if isinstance(text, Html) else safe(text)


def name(text: str) -> Html:
    """Return a file or clip name, set apart and free to break anywhere."""
    return Html(f'<bdi class="name">{safe(text)}</bdi>')


def join(parts: Iterable[Cell], between: str = "") -> Html:
    """Return the parts, each safe, one after the other."""
    return Html(between.join(safe(part) for part in parts))


def tag(element: str, *content: Cell, **attributes: str) -> Html:
    """Return an element with safe content; `class_` stands for `class`."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{plain(value)}"' for key, value in attributes.items()
    )
    return Html(f"<{element}{told}>{join(content)}</{element}>")


def table(heads: Sequence[Cell], rows: Iterable[Sequence[Cell]], *, numbers: Sequence[int] = ()) -> Html:
    """Return a table whose columns `numbers` stand to the right; it scrolls by itself when it is wide.

    Each cell bears its column's head as `data-head`, for narrow pages that set the cells below each other.
    """
    side = ['class="n"' if column in numbers else "" for column in range(len(heads))]
    head = "".join(f"<th {kind}>{safe(text)}</th>" for kind, text in zip(side, heads, strict=True))
    told = [
        f'{kind} data-head="{plain(text)}"' if text else kind for kind, text in zip(side, heads, strict=True)
    ]
    body = "".join(
        f"<tr>{''.join(f'<td {kind}>{safe(text)}</td>' for kind, text in zip(told, row, strict=True))}</tr>"
        for row in rows
    )
    return Html(
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def contents(sections: Sequence[tuple[str, str]]) -> Html:
    """Return links to the sections, each (anchor, title)."""
    return tag("nav", *(tag("a", title, href=f"#{anchor}") for anchor, title in sections))


def section(anchor: str, title: str, *content: Html) -> Html:
    """Return a section with its heading."""
    return Html(f'<section id="{safe(anchor)}">{tag("h2", title)}{join(content)}</section>')


def document(heading: str, style: str, body: Html) -> str:
    """Return a whole page; nothing in it is loaded from anywhere, and no script is in it."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{safe(heading)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


def share(part: float, whole: float) -> str:
    """Return a part in per cent; what is neither none nor all is never shown as such."""
    if whole <= 0:
        return DASH
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{min(percent, 99.9):.1f} %" if 0 < part < whole else f"{percent:.0f} %"


def plural(number: int, word: str) -> str:
    """Return a number with its word: 1 rule, 2 rules."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers within a range, the fewest that are at least three."""
    power = 10.0 ** math.floor(math.log10(high - low))
    for step in (power, power / 2, power / 5, power / 10):
        first = math.ceil(low / step - 1e-9)
        found = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
        if len(found) >= 3:
            break
    return found
