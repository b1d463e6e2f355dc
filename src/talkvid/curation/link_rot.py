"""The link-rot table: of the videos a list asks for, how many are still there, per host and per reason."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from talkvid.fetching.errors import CLASSES

COLUMNS = ("host", "class", "videos", "share", "example", "reason")


def link_rot(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per host and class (`ok` first), and the same for all hosts together.

    `share` is of that host's videos; `example` and `reason` are those of the first video of the class.
    """
    counts: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    examples: dict[tuple[str, str], Mapping[str, Any]] = {}
    for result in results:
        kind = "ok" if result["status"] == "ok" else str(result["kind"])
        for host in ("all", str(result["host"])):
            counts[host, kind] += 1
            totals[host] += 1
            examples.setdefault((host, kind), result)
    order = ["ok", *CLASSES]
    hosts = sorted(totals, key=lambda host: (host != "all", -totals[host], host))
    return [
        {
            "host": host,
            "class": kind,
            "videos": counts[host, kind],
            "share": round(counts[host, kind] / totals[host], 4),
            "example": examples[host, kind]["address"] or examples[host, kind]["id"],
            "reason": examples[host, kind].get("reason", ""),
        }
        for host in hosts
        for kind in order
        if counts[host, kind]
    ]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown: all hosts by class, then each host by class."""
    kinds = [row["class"] for row in rows if row["host"] == "all"]
    lines = ["# Link rot", "", "| class | meaning | videos | share | example |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['class']} | {_meaning(row['class'])} | {row['videos']} | {row['share']:.1%} "
        f"| {_cell(row['example'])} |"
        for row in rows
        if row["host"] == "all"
    ]
    lines += ["", "| host | videos | " + " | ".join(kinds) + " |", "|---|---|" + "---|" * len(kinds)]
    hosts = list(dict.fromkeys(row["host"] for row in rows if row["host"] != "all"))
    for host in hosts:
        own = {row["class"]: row["videos"] for row in rows if row["host"] == host}
        lines.append(
            f"| {host} | {sum(own.values())} | " + " | ".join(str(own.get(k, 0)) for k in kinds) + " |"
        )
    return "\n".join(lines) + "\n"


def _meaning(kind: str) -> str:
    return "fetched" if kind == "ok" else CLASSES[kind]


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
