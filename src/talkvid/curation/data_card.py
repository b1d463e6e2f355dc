"""The data-set card as Hugging Face shows it: what the clips are, how they were chosen, what is not known."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from talkvid.curation.comparison import Described, comparison_markdown
from talkvid.curation.licences import backend
from talkvid.curation.records import CODES, KEPT, UNSCORED
from talkvid.curation.report_marks import hours
from talkvid.curation.report_numbers import (
    Amount,
    Distribution,
    RuleCount,
    distributions,
    rule_counts,
    totals,
)
from talkvid.curation.report_table import UNKNOWN, RunTable, rule_text
from talkvid.page.marks import plural, share

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST_SIZE = "1M<n<10M"
CODE_OF_LANGUAGE = {
    "arabic": "ar", "cantonese": "yue", "chinese": "zh", "english": "en", "french": "fr", "german": "de",
    "hindi": "hi", "italian": "it", "japanese": "ja", "korean": "ko", "mandarin": "zh", "polish": "pl",
    "portuguese": "pt", "russian": "ru", "spanish": "es", "thai": "th", "vietnamese": "vi",
}  # fmt: skip
"""Names under which lists tell languages -> ISO 639 codes."""


def data_card(
    table: RunTable,
    *,
    name: str,
    totals: Mapping[str, Amount],
    spreads: Sequence[Distribution],
    rules: Sequence[RuleCount],
    comparison: Sequence[Described],
    sheet: bool,
) -> str:
    """Return the card in Markdown with YAML front matter; the licence is left for the owner to fill in."""
    parts = [
        *_front_matter(name, totals[KEPT], spreads),
        f"# {_line(name)}",
        "",
        "> Before publishing, the owner of the videos fills in: the licence, where the videos come from, the "
        "consent of the persons shown, a contact for removal.",
        "",
        *_size(totals),
        *(["![pictures of kept clips](diversity.png)", ""] if sheet else []),
        "![what the clips are](data_distribution.png)",
        "",
        *_filters(table, totals, rules),
        *_spreads(spreads),
        "## Beside other data sets",
        "",
        "Rows marked *as published* repeat what their source states; only this run's row was measured here.",
        "",
        comparison_markdown(comparison),
        *_limits(table, totals, spreads),
    ]
    return "\n".join(parts) + "\n"


def card_body(table: RunTable) -> list[str]:
    """Return how the clips of a run were chosen, what they are and what is not known, without figures."""
    whole, spreads = totals(table), distributions(table)
    lines = [*_filters(table, whole, rule_counts(table)), *_spreads(spreads), *_limits(table, whole, spreads)]
    return [line for line in lines if not line.startswith("![")]


def _front_matter(name: str, kept: Amount, spreads: Sequence[Distribution]) -> Iterator[str]:
    codes = language_codes(spreads)
    yield "---"
    yield f"pretty_name: {json.dumps(' '.join(name.split()), ensure_ascii=False)}"
    yield "license: unknown  # to be filled in by the owner of the videos, such as cc-by-4.0"
    if codes:
        yield "language:"
        yield from (f"- {code}" for code in codes)
    yield "size_categories:"
    yield f"- {next((size for most, size in SIZES if kept.clips < most), LARGEST_SIZE)}"
    yield "task_categories:"
    yield "- image-to-video"
    yield "tags:"
    yield from ("- talking-head", "- audio-driven", "- video")
    yield from ("---", "")


def language_codes(spreads: Sequence[Distribution]) -> list[str]:
    """Return the ISO 639 codes of the kept clips' languages, as far as their names are known."""
    codes = set()
    for spread in spreads:
        for group in spread.groups if spread.name == "language" else ():
            told = group.name.strip().lower()
            code = CODE_OF_LANGUAGE.get(told) or (told if re.fullmatch("[a-z]{2,3}", told) else "")
            if code and group.kept.clips:
                codes.add(code)
    return sorted(codes)


def _size(totals: Mapping[str, Amount]) -> Iterator[str]:
    kept, whole = totals[KEPT], totals["in"]
    yield "## Size"
    yield ""
    part = share(kept.seconds, whole.seconds)
    yield (
        f"{plural(kept.clips, 'clip')}, {hours(kept.seconds)} hours, chosen by talkvid {version('talkvid')} "
        f"from {hours(whole.seconds)} hours ({part} of the length)."
    )
    yield ""


def _filters(table: RunTable, totals: Mapping[str, Amount], rules: Sequence[RuleCount]) -> Iterator[str]:
    yield from ("## How the clips were chosen", "", "![what each stage let pass](data_filter.png)", "")
    parts = " + ".join(f"{amount.clips:,} {status}" for status, amount in totals.items() if status != "in")
    yield f"{totals['in'].clips:,} in = {parts}. A clip is kept when all of this holds:"
    yield from ("", "| rule | code otherwise | meaning | pass | fail |", "|---|---|---|---:|---:|")
    for rule, found in zip(table.rules, rules, strict=True):
        meaning = CODES.get(rule.code, "")
        yield f"| `{rule_text(rule)}` | {rule.code} | {meaning} | {found.passed:,} | {found.failed:,} |"
    yield from ("", "| stage | scored by | licence of the models | clips |", "|---|---|---|---:|")
    for stage, names in table.by_stage("backend").items():
        for name, clips in names.items():
            what = backend(stage, name)
            yield f"| {stage} | `{name}`: {what.title} | {what.licence} | {clips:,} |"
    yield ""


def _spreads(spreads: Sequence[Distribution]) -> Iterator[str]:
    yield from ("## What the clips are", "")
    for spread in spreads:
        yield from (f"| {spread.name} | kept clips | kept hours |", "|---|---:|---:|")
        for group in spread.groups:
            if group.kept.clips:
                yield f"| {_line(group.name)} | {group.kept.clips:,} | {hours(group.kept.seconds)} |"
        yield ""


def _limits(table: RunTable, totals: Mapping[str, Amount], spreads: Sequence[Distribution]) -> Iterator[str]:
    yield from ("## Known limits", "")
    yield (
        "* The filters measure pictures and sound. They know nothing of consent, truth, origin or offence, "
        "and they do not balance languages, ages or looks."
    )
    yield "* *Completeness* cannot see a hand in front of the face; *consistency* is not identity."
    used = [(stage, name) for stage, names in table.by_stage("backend").items() for name in names]
    if ("quality", "embedded") in used:
        yield "* Picture quality comes from a classical measure, not from DOVER; its values are not DOVER's."
    if ("motion", "embedded") in used:
        yield "* Point tracks come from OpenCV, not from CoTracker; their ratio is not CoTracker's."
    if totals[UNSCORED].clips:
        yield f"* {plural(totals[UNSCORED].clips, 'clip')} were not judged because a score is missing."
    told = {spread.name: spread for spread in spreads}
    for kind in ("language", "person", "age", "gender"):
        if kind not in told:
            yield f"* Nobody has told the {kind} of the clips."
            continue
        unknown = sum(group.kept.clips for group in told[kind].groups if group.name == UNKNOWN)
        who = ", ".join(told[kind].who)
        yield f"* The {kind} is as told by {_line(who)}; not known for {plural(unknown, 'kept clip')}."


def _line(text: str) -> str:
    """Return text that cannot break a table or a heading."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
