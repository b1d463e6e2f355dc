"""The sections of a report about the run itself: what it cost, what went wrong, settings and versions."""

from collections.abc import Mapping

from talkvid.curation.records import CODES
from talkvid.curation.report_events import Work
from talkvid.curation.report_marks import clock, stacked
from talkvid.page.marks import Html, count, join, name, share, table, tag

MOST_SLOW = 15


def cost_tables(work: Work) -> Html:
    """Return seconds per stage and the slowest files; a sentence where the run noted no times."""
    if not work.items:
        return tag("p", "The run has noted no times (events.jsonl).")
    total = sum(work.by_stage.values())
    rows = [
        [
            stage,
            count(work.items[stage]),
            _seconds(seconds),
            _seconds(seconds / work.items[stage]),
            share(seconds, total),
        ]
        for stage, seconds in sorted(work.by_stage.items(), key=lambda item: -item[1])
    ]
    parts = [
        table(["stage", "pieces", "time", "mean", "share"], rows, numbers=(1, 2, 3, 4)),
        tag("h3", "Slowest files"),
        _slowest(work),
    ]
    if work.hosts:
        told = ", ".join(f"{host} {count(number)}" for host, number in work.hosts.items())
        parts.append(tag("p", f"Pieces of work by machine: {told}.", class_="soft"))
    return join(parts)


def _slowest(work: Work) -> Html:
    slowest = work.slowest(MOST_SLOW)
    longest = slowest[0][1].seconds if slowest else 0.0
    lines = [
        tag(
            "div",
            name(video_id),
            stacked([("all", found.seconds)], longest),
            tag("span", _seconds(found.seconds), class_="amount"),
            class_="line",
            title=", ".join(f"{stage} {_seconds(seconds)}" for stage, seconds in found.by_stage.items()),
        )
        for video_id, found in slowest
    ]
    return tag("div", *lines, class_="slow")


def error_table(work: Work) -> Html:
    """Return the attempts that failed, the most frequent kind first, whatever became of them later."""
    repeated = f"Tried more than once: {count(len(work.repeated))} files or clips."
    damaged = (
        f" {count(work.damaged_lines)} lines of events.jsonl could not be read." if work.damaged_lines else ""
    )
    if not work.errors:
        return tag(
            "p", f"No attempt broke off; files that cannot be used are under What failed. {repeated}{damaged}"
        )
    rows = [
        [stage, tag("code", code), count(fault.times), fault.example or CODES.get(code, "")]
        for (stage, code), fault in work.errors.items()
    ]
    parts = [table(["stage", "code", "times", "the first report"], rows, numbers=(2,))]
    return join([*parts, tag("p", f"All are in events.jsonl. {repeated}{damaged}", class_="soft")])


def versions_table(versions: Mapping[str, str]) -> Html:
    """Return the versions of the packages that scores depend on."""
    return table(["package", "version"], [[package, version] for package, version in versions.items()])


def _seconds(seconds: float) -> str:
    return (
        clock(seconds)
        if seconds >= 60
        else f"{seconds:.1f} s"
        if seconds >= 1
        else f"{1000 * seconds:.0f} ms"
    )
