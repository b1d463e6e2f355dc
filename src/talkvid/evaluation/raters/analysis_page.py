"""An analysis as one page: a plot with intervals for each question, the tables, and who was left out."""

from collections.abc import Iterable, Sequence
from html import escape

from talkvid.evaluation.raters.analysis import Analysis
from talkvid.evaluation.raters.opinion import OpinionTable
from talkvid.evaluation.raters.preference import PreferenceTable
from talkvid.evaluation.raters.questions import SCALE
from talkvid.evaluation.raters.resampling import Interval
from talkvid.evaluation.raters.screening import RaterReport

SPAN = "95 %"
STYLE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f5f6f8;--ink:#1b2026;--soft:#5a646e;--line:#d9dee4;
--one:#1c5fb8;--tie:#a9b2bc;--two:#c98310;--warn:#b3261e}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2227;--ink:#e7eaed;--soft:#a3adb8;
--line:#343b43;--one:#7db4ff;--tie:#5d6771;--two:#e0a33a;--warn:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;
overflow-wrap:anywhere}
main{max-width:980px;margin:0 auto;padding:20px 20px 60px}
h1{font-size:1.6rem;margin:0 0 .2em}
h2{font-size:1.25rem;margin:2em 0 .2em;border-top:1px solid var(--line);padding-top:.6em}
h3{font-size:1rem;margin:1.3em 0 .3em}
.soft{color:var(--soft)}
.warn{border-left:4px solid var(--warn);background:var(--card);padding:6px 12px;margin:.4em 0}
.row{display:grid;grid-template-columns:minmax(6em,13em) minmax(90px,1fr) minmax(11em,auto);gap:2px 14px;
align-items:center;margin:5px 0;font-variant-numeric:tabular-nums}
.row .said{white-space:nowrap}
.plot{position:relative;height:20px;background:var(--card);border-radius:4px}
.plot i{position:absolute;top:0;bottom:0;width:1px;background:var(--line)}
.plot b{position:absolute;top:8.5px;height:3px;background:var(--one);border-radius:2px}
.plot u{position:absolute;top:4px;width:12px;height:12px;margin-left:-6px;border-radius:50%;
background:var(--one)}
.ticks{position:relative;height:1.4em;color:var(--soft);font-size:.85em}
.ticks span{position:absolute;white-space:nowrap;transform:translateX(-50%)}
.ticks span:first-child{transform:none}.ticks span:last-child{transform:translateX(-100%)}
.bar{display:flex;height:20px;border-radius:4px;overflow:hidden;background:var(--card)}
.bar i.one{background:var(--one)}.bar i.tie{background:var(--tie)}.bar i.two{background:var(--two)}
.bar i.g1{background:#b3452c}.bar i.g2{background:#d98b4a}.bar i.g3{background:#b9b06a}
.bar i.g4{background:#6fa86b}.bar i.g5{background:#2f7f56}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 .9em}
.key i:first-child{margin-left:0}
.key .one{background:var(--one)}.key .tie{background:var(--tie)}.key .two{background:var(--two)}
.key .g1{background:#b3452c}.key .g2{background:#d98b4a}.key .g3{background:#b9b06a}
.key .g4{background:#6fa86b}.key .g5{background:#2f7f56}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--soft);font-size:.88em}
td.why{min-width:12em}
td.span{white-space:nowrap}
@media (max-width:640px){main{padding:14px 12px 40px}
.row{grid-template-columns:minmax(0,1fr) auto}.row .plot,.row .bar,.row .ticks{grid-column:1/-1;grid-row:2}
.row .ticks{grid-row:1}.row{margin:10px 0}}
""".strip()


def page_text(analysis: Analysis) -> str:
    """Return the page; nothing in it is loaded from anywhere and no script is in it."""
    kind = "two videos side by side" if analysis.kind == "ab" else "one video on a five-point scale"
    excluded = len(analysis.raters) - analysis.kept
    body = [
        "<h1>User study</h1>",
        f'<p class="soft">{kind} · study {escape(analysis.study)} · talkvid {escape(analysis.version)}</p>',
        f"<p>{analysis.kept} raters count, {excluded} excluded, {len(analysis.missing)} handed in nothing; "
        f"{analysis.answers} answers on {analysis.clips} clips. Lines are 95 % intervals "
        f"({analysis.draws} bootstrap draws).</p>",
        *(f'<p class="warn">{escape(warning)}</p>' for warning in analysis.warnings),
    ]
    for table in analysis.tables:
        body += _opinions(table) if isinstance(table, OpinionTable) else _preferences(table)
    body += _raters(analysis)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>User study</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _opinions(table: OpinionTable) -> list[str]:
    best_first = sorted(table.opinions, key=lambda one: -(one.mean or 0))
    parts = [
        f"<h2>{escape(table.question.heading)}</h2><p>{escape(table.question.rate)}</p>",
        "<h3>Mean opinion score</h3>",
        *(
            _dot(one.system, one.mean, one.interval, f"{one.answers} answers", (1, 5), range(1, 6))
            for one in best_first
        ),
        _ticks([str(grade) for grade in range(1, len(SCALE) + 1)]),
        "<h3>Answers given</h3>",
        _legend([(f"g{grade}", f"{grade} {label}") for grade, label in enumerate(SCALE, start=1)]),
    ]
    for one in best_first:
        shares = [(f"g{grade}", count) for grade, count in enumerate(one.counts, start=1)]
        parts.append(_bar(one.system, shares, f"{one.raters} raters, {one.clips} clips"))
    if table.differences:
        rows = [
            [f"{one.first} less {one.second}", _number(one.mean), _span(one.interval)]
            for one in table.differences
        ]
        parts += ["<h3>Differences</h3>", _table(["Of", "Mean", SPAN], rows)]
    return [*parts, _agreement("ordinal", table.alpha, table.alpha_units)]


def _preferences(table: PreferenceTable) -> list[str]:
    best_first = sorted(table.systems, key=lambda one: -(one.score or 0))
    parts = [
        f"<h2>{escape(table.question.heading)}</h2><p>{escape(table.question.compare)}</p>",
        "<h3>Share of comparisons won, a tie half</h3>",
        *(
            _dot(
                one.system, one.score, one.interval, f"{one.answers} answers", (0, 1), (0, 0.25, 0.5, 0.75, 1)
            )
            for one in best_first
        ),
        _ticks(["0", "0.25", "0.5", "0.75", "1"]),
        "<h3>Pairs</h3>",
        _legend([("one", "the first is better"), ("tie", "no difference"), ("two", "the second is better")]),
    ]
    for pair in table.pairs:
        shares = [
            ("one", pair.first_better.number),
            ("tie", pair.same.number),
            ("two", pair.second_better.number),
        ]
        told = f"{_number(pair.score, 2)} {_span(pair.interval, 2)}"
        parts.append(_bar(f"{pair.first} against {pair.second}", shares, told))
    rows = [[one.system, _number(one.strength), _span(one.strength_interval)] for one in best_first]
    parts += ["<h3>Bradley-Terry log strength</h3>", _table(["System", "Strength", SPAN], rows)]
    left = table.left
    parts.append(
        f"<p>The left video was chosen in {_number(left.share, 2)} {_span(left.interval, 2)} of the decided "
        "answers.</p>"
    )
    return [*parts, _agreement("nominal", table.alpha, table.alpha_units)]


def _agreement(level: str, alpha: float | None, units: int) -> str:
    return (
        f"<p>Krippendorff's alpha ({level}): {_number(alpha, 2)}, over {units} judged by several raters.</p>"
    )


def _dot(
    name: str,
    value: float | None,
    interval: Interval,
    told: str,
    span: tuple[float, float],
    grid: Iterable[float],
) -> str:
    def at(number: float) -> float:
        return 100 * (number - span[0]) / (span[1] - span[0])

    marks = "".join(f'<i style="left:{at(line):.1f}%"></i>' for line in grid)
    if interval.low is not None and interval.high is not None:
        width = at(interval.high) - at(interval.low)
        marks += f'<b style="left:{at(interval.low):.2f}%;width:{width:.2f}%"></b>'
    if value is not None:
        marks += f'<u style="left:{at(value):.2f}%"></u>'
    said = f"{_number(value, 2)} {_span(interval, 2)}"
    return (
        f'<div class="row"><span>{escape(name)}</span><div class="plot">{marks}</div>'
        f'<span class="said" title="{told}">{said}</span></div>'
    )


def _ticks(labels: Sequence[str]) -> str:
    last = max(1, len(labels) - 1)
    spans = "".join(
        f'<span style="left:{100 * number / last:.1f}%">{escape(label)}</span>'
        for number, label in enumerate(labels)
    )
    return f'<div class="row"><span></span><div class="ticks">{spans}</div><span></span></div>'


def _bar(name: str, shares: Sequence[tuple[str, int]], told: str) -> str:
    parts = "".join(
        f'<i class="{kind}" style="flex:{number}" title="{number}"></i>' for kind, number in shares if number
    )
    return (
        f'<div class="row"><span>{escape(name)}</span><div class="bar">{parts}</div>'
        f'<span class="said">{escape(told)}</span></div>'
    )


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    parts = "".join(f'<i class="{kind}"></i>{escape(label)}' for kind, label in entries)
    return f'<p class="key soft">{parts}</p>'


def _raters(analysis: Analysis) -> list[str]:
    parts = ["<h2>Raters</h2>"]
    for one in analysis.raters:
        if not one.kept:
            parts.append(f"<p>Excluded: {escape(one.rater)}, who {escape('; '.join(one.reasons))}.</p>")
    parts.append(
        _table(
            ["Rater", "Counts", "Answered", "Catch failed", "Median s", "Why, notes"],
            [_rater(one) for one in analysis.raters],
        )
    )
    if analysis.missing:
        parts.append(f"<p>Nothing came from {escape(', '.join(analysis.missing))}.</p>")
    if analysis.refused:
        rows = [[one.name, one.reason] for one in analysis.refused]
        parts += ["<h3>Files not used</h3>", _table(["File", "Why"], rows)]
    return parts


def _rater(one: RaterReport) -> list[str]:
    told = [*one.reasons, *one.notes, *(f"{number} {why}" for why, number in one.dropped.items())]
    return [
        one.rater,
        "yes" if one.kept else "no",
        f"{one.answered}/{one.trials}",
        f"{one.failed}/{one.catches}",
        _number(one.median_seconds, 1),
        "; ".join(told),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td{_why(text, head)}>{escape(cell)}</td>" for text, cell in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


def _why(text: str, head: Sequence[str]) -> str:
    if text == SPAN:
        return ' class="span"'
    return ' class="why"' if text.startswith("Why") and len(head) > 2 else ""


def _number(value: float | None, digits: int = 3) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.{digits}f}"


def _span(interval: Interval, digits: int = 3) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
