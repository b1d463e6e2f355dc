"""A run's summary in Markdown: the table, what the controls say, what is missing and how it was measured."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.groups import Group, GroupTable
from talkvid.evaluation.suite.markdown import (
    DASH,
    FEW,
    MARKS,
    OTHER_CLIPS,
    CellOf,
    cell_tables,
    chunks,
    counted,
    heading,
    number,
    plain,
    table,
)
from talkvid.evaluation.suite.method_table import method_table
from talkvid.evaluation.suite.pair import TRUTH
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.separation import LOWEST_AUC
from talkvid.evaluation.suite.summary import Summary, SummaryRow
from talkvid.evaluation.suite.told_facts import facts_of, told_facts, told_value

MOST_REASONS = 3


def summary_markdown(
    evaluation: Evaluation,
    summary: Summary,
    *,
    title: str = "Evaluation",
    intervals: bool = True,
    user_scores: Mapping[str, UserScore] | None = None,
) -> str:
    """Return the whole summary but for subgroups, which have `groups_markdown`."""
    parts = [
        f"# {plain(title)}\n",
        _bullets([plain(line) for line in summary.warnings], "## Warnings\n\n"),
        f"## Methods\n\n{method_table(summary, user_scores=user_scores)}",
        _main_table(summary, intervals=intervals),
        _shared_table(summary, intervals=intervals),
        _controls(summary),
        _bullets(_missing(summary), "## Missing numbers\n\n"),
        _bullets([f"{plain(one.name)}: {plain(one.reason)}" for one in summary.left_out], "## Left out\n\n"),
        _bullets(_protocol(evaluation, summary), "## How it was measured\n\n"),
        _bullets(list(_settings(evaluation)), "## Settings\n\n"),
    ]
    return "\n".join(part for part in parts if part)


def groups_markdown(
    summary: Summary, groups: Sequence[GroupTable], *, title: str = "Subgroups", intervals: bool = True
) -> str:
    """Return, for every dimension and row of systems and truth, its numbers in each subgroup."""
    parts = [f"# {plain(title)}\n\n{MARKS}\n"]
    main = [row for row in summary.rows if _is_main(row)]
    for one in groups:
        told = (
            f"Not told of {counted(one.num_unstated, 'clip')}, in no group here.\n"
            if one.num_unstated
            else ""
        )
        parts.append(f"## {plain(one.dimension)}\n\n{told}")
        shown = {
            f"{place} {row.name}": (group, row.name)
            for place, group in enumerate(one.groups)
            for row in main
            if any(name == row.name for name, _, _ in group.cells)
        }
        names = [(key, _told_group(group, row), group.num_clips) for key, (group, row) in shown.items()]
        find = _finder(shown)
        parts.append(
            cell_tables(names, summary.columns, find, intervals=intervals, first=plain(one.dimension))
        )
    return "\n".join(parts)


def _told_group(group: Group, row: str) -> str:
    return f"{plain(group.value)}: {plain(row)} ({group.num_clips}{FEW if group.few else ''})"


def _finder(shown: Mapping[str, tuple[Group, str]]) -> CellOf:
    def find(key: str, column: MetricColumn) -> Cell:
        group, row = shown[key]
        return group.cell(row, *column.id)

    return find


def _is_main(row: SummaryRow) -> bool:
    return not row.control or row.control == TRUTH


def _main_table(summary: Summary, *, intervals: bool) -> str:
    names = [
        (row.name, f"{plain(row.name)} ({len(row.clips)}){_mark(row)}", len(row.clips))
        for row in summary.rows
    ]
    text = cell_tables(
        names,
        summary.columns,
        lambda row, one: summary.cell(row, *one.id),
        intervals=intervals,
        droppable=[row.name for row in summary.rows if not _is_main(row)],
    )
    other = [row for row in summary.rows if row.lacks and _is_main(row)]
    marks = f"{MARKS} Behind a name: its videos. " + _told_median(summary)
    if other:
        marks += f" \\{OTHER_CLIPS}: a row of other clips than the rest, not to be compared here."
    return f"## Table\n\n{text}\n{marks.strip()}\n"


def _mark(row: SummaryRow) -> str:
    return f"\\{OTHER_CLIPS}" if row.lacks and _is_main(row) else ""


def _told_median(summary: Summary) -> str:
    medians = [plain(one.column.heading) for one in summary.columns if one.column.better == "zero"]
    return f"Means over clips, but medians of {', '.join(medians)}." if medians else "Means over clips."


def _shared_table(summary: Summary, *, intervals: bool) -> str:
    """Return the comparison on shared clips, or nothing where it is the table itself."""
    if all(summary.cells[name] == cell for name, cell in summary.shared.items()):
        return ""
    names = [(row.name, plain(row.name), -1) for row in summary.rows if _is_main(row)]
    text = cell_tables(
        names, summary.columns, lambda row, one: summary.cell(row, *one.id, shared=True), intervals=intervals
    )
    return (
        f"## On the clips that all have\n\n{text}\nColumn by column, over the clips for which every row with "
        "any number has one; their count in brackets. A distance of sets stands here only if its rows are of "
        "the same clips.\n"
    )


def _controls(summary: Summary) -> str:
    if not summary.separations:
        return ""
    auc = {(one.control, one.metric, one.key): one for one in summary.separations}
    controls = list(dict.fromkeys(one.control for one in summary.separations))
    ranked = [one for one in summary.columns if any((row, *one.id) in auc for row in controls)]

    def told(row: str, one: MetricColumn) -> str:
        found = auc.get((row, *one.id))
        if found is None:
            return DASH
        text = f"{number(found.auc, 2)} ({found.num_clips})"
        return {True: text, None: text + FEW, False: f"**{text}**"}[found.told]

    text = "\n".join(
        table(
            ["", *(heading(one.column) for one in portion)],
            [
                [plain(row), *(told(row, one) for one in portion)]
                for row in controls
                if any((row, *one.id) in auc for one in portion)
            ],
        )
        for portion in chunks(ranked)
    )
    return (
        f"## Controls\n\n{text}\nAUC: how often a clip of the original, truth or system, has a better "
        f"number than one of the control, ties half; clips in brackets. Below {LOWEST_AUC:g}, in bold, the "
        "number does not tell them apart.\n"
    )


def _missing(summary: Summary) -> list[str]:
    """Return one line for the columns of a row that miss their numbers for the same reasons."""
    alike: dict[tuple[str, str], list[str]] = {}
    for (row, metric, key), cell in summary.cells.items():
        if cell.num_missing:
            reasons = [f"{plain(reason)} ({count})" for reason, count in cell.reasons.items()]
            more = len(reasons) - MOST_REASONS
            told = "; ".join([*reasons[:MOST_REASONS], *([f"{more} other reasons"] if more > 0 else [])])
            clips = counted(cell.num_missing, "clip")
            name = plain(summary.column(metric, key).column.heading)
            alike.setdefault((row, f"{clips}: {told}"), []).append(name)
    return [f"{plain(row)}: {', '.join(names)}: {told}" for (row, told), names in alike.items()]


def _protocol(evaluation: Evaluation, summary: Summary) -> list[str]:
    lines = []
    for metric, columns in evaluation.columns.items():
        facts = facts_of(evaluation, metric)
        told = "; ".join(f"{plain(name)}: {plain(text)}" for name, text in told_facts(facts).items())
        lines.append(f"**{plain(metric)}** ({len(facts)} measured): {told or 'nothing measured'}")
        lines += [f"{plain(column.heading)}: {plain(column.meaning)}" for column in columns]
    sure = (
        f"Intervals: 95 % percentile bootstrap over clips, {summary.resamples} resamples, seed {summary.seed}"
    )
    return [*lines, f"{sure}."]


def _settings(evaluation: Evaluation) -> Iterator[str]:
    for name, value in evaluation.settings.items():
        words = name == "command" and isinstance(value, list | tuple)
        told = shlex.join(str(word) for word in value) if words else told_value(value)
        yield f"{plain(name)}: {plain(told)}"


def _bullets(lines: Sequence[str], title: str) -> str:
    return title + "".join(f"- {line}\n" for line in lines) if lines else ""
