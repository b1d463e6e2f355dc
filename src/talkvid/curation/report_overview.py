"""The first sections of a report: what came in and what became of it, the funnel, the distributions."""

from collections.abc import Mapping, Sequence

from talkvid.curation.records import CODES, FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.report_marks import Unit, stacked
from talkvid.curation.report_numbers import Amount, Distribution, Step
from talkvid.curation.report_table import STATUSES, UNKNOWN
from talkvid.page.marks import Html, count, join, plural, share, table, tag

STAGE_WORDS = {
    "scan": "the file opens; cuts, length and speech",
    "head": "one face, near, turned to the camera and calm",
    "quality": "picture quality",
    "motion": "points can be followed: no shake, hidden cut or still picture",
    "annotate": "no second clip of the same pictures, where that was asked for",
}
STATUS_WORDS = {
    KEPT: "passed every rule",
    REJECTED: "broke a rule",
    FAILED: "could not be judged: damaged, late or missing",
    UNSCORED: "a score that the verdict needs is not there yet",
}
WHO_WORDS = "as told by"


def status_mark(status: str) -> Html:
    """Return a status as a word in its colour."""
    return tag("span", status, class_=f"mark {status}")


def headline(totals: Mapping[str, Amount], *, num_files: int, num_whole: int, unit: Unit) -> Html:
    """Return the cards of the totals, one bar in clips and one in length, and the sum they make."""
    whole = totals["in"]
    source = f"{count(num_whole)} of them gave no clip" if num_whole else "each gave at least one clip"
    told = f"{plural(whole.clips - num_whole, 'clip')}, {unit.text(whole.seconds)}"
    cards = [
        _card("", "source files", count(num_files), source),
        _card(
            "",
            "in",
            count(whole.clips),
            f"{told}; {plural(num_whole, 'file')} without" if num_whole else told,
        ),
    ]
    for status in STATUSES:
        found = totals[status]
        if found.clips or status != UNSCORED:
            length = unit.text(found.seconds) if found.seconds or not found.clips else "length not known"
            below = f"{length} \N{MIDDLE DOT} {share(found.clips, whole.clips)} of all"
            cards.append(_card(status, status, count(found.clips), below))
    parts = " + ".join(f"{count(totals[status].clips)} {status}" for status in STATUSES)
    note = " A file that gave no clip counts as one, without a length." if num_whole else ""
    clips = [(status, totals[status].clips) for status in STATUSES]
    seconds = [(status, totals[status].seconds) for status in STATUSES]
    bars = [
        _bar("clips", clips, whole.clips, count(whole.clips)),
        _bar("length", seconds, whole.seconds, unit.text(whole.seconds)),
    ]
    return join(
        [
            tag("div", *cards, class_="cards"),
            tag("div", *bars, class_="whole"),
            legend([status for status in STATUSES if totals[status].clips]),
            tag("p", f"{count(whole.clips)} in = {parts}.{note}", class_="soft"),
        ]
    )


def summary(totals: Mapping[str, Amount], codes: Mapping[str, Amount], *, num_whole: int, unit: Unit) -> Html:
    """Return the result in one or two sentences."""
    whole, kept = totals["in"], totals[KEPT]
    if not whole.clips:
        return tag("p", "The run holds no clips.")
    clips, part = plural(whole.clips - num_whole, "clip"), share(kept.seconds, whole.seconds)
    told = (
        f"{clips} ({unit.text(whole.seconds)}) came in, {count(kept.clips)} ({unit.text(kept.seconds)}) were "
        f"kept: {part} of the length."
    )
    if codes:
        code, most = next(iter(codes.items()))
        meaning = CODES.get(code, "an unknown code")
        told += f" The commonest reason to reject: {code}, {meaning} ({count(most.clips)})."
    return tag("p", told)


def legend(statuses: Sequence[str]) -> Html:
    """Return what the colours mean."""
    marks = [
        tag("span", Html(f'<i class="dot {status}"></i>'), tag("b", status), f" {STATUS_WORDS[status]}")
        for status in statuses
    ]
    return tag("div", *marks, class_="legend soft")


def funnel_list(steps: Sequence[Step], unit: Unit) -> Html:
    """Return every stage with what passed and what left there, in clips and in length."""
    if not steps:
        return tag("p", "No stage has run.")
    first = steps[0].entered
    items = [_step(number, step, first, unit) for number, step in enumerate(steps, 1)]
    return tag("ol", *items, class_="funnel")


def _step(number: int, step: Step, first: Amount, unit: Unit) -> Html:
    title = tag(
        "h3", f"{number}. {step.stage} ", tag("small", STAGE_WORDS.get(step.stage, ""), class_="soft")
    )
    clips: list[tuple[str, float]] = [(KEPT, step.passed.clips)]
    seconds: list[tuple[str, float]] = [(KEPT, step.passed.seconds)]
    clips += [(status, left.clips) for status, left in step.left.items()]
    seconds += [(status, left.seconds) for status, left in step.left.items()]
    lines = [
        _bar("clips", clips, first.clips, f"{count(step.passed.clips)} of {count(step.entered.clips)} pass"),
        _bar(
            "length",
            seconds,
            first.seconds,
            f"{unit.text(step.passed.seconds)} of {unit.text(step.entered.seconds)}",
        ),
    ]
    gone = [f"{count(left.clips)} {status}" for status, left in step.left.items() if left.clips]
    codes = ", ".join(f"{code} {count(found.clips)}" for code, found in step.codes.items() if code)
    told = f"Left here: {', '.join(gone)} ({codes})" if gone else "Nothing left here."
    return tag("li", title, *lines, tag("small", told, class_="soft"))


def _bar(label: str, parts: Sequence[tuple[str, float]], total: float, told: str) -> Html:
    return tag(
        "div", tag("span", label, class_="soft"), stacked(parts, total), tag("span", told, class_="amount"),
        class_="line",
    )  # fmt: skip


def _card(kind: str, title: str, number: str, below: str) -> Html:
    return tag(
        "div", title, tag("b", number), tag("small", below, class_="soft"), class_=f"card {kind}".strip()
    )


def distribution_cards(found: Sequence[Distribution], unit: Unit) -> Html:
    """Return a card of bars for every dimension: all clips, and over them those kept."""
    return tag("div", *(_distribution(spread, unit) for spread in found), class_="plots wide")


def _distribution(spread: Distribution, unit: Unit) -> Html:
    most = max((group.all.clips for group in spread.groups), default=0)
    lines = [
        tag(
            "div",
            tag("span", group.name, class_="soft name" if group.name == UNKNOWN else "name"),
            stacked([(KEPT, group.kept.clips), ("all", group.all.clips - group.kept.clips)], most),
            tag("span", f"{count(group.kept.clips)} of {count(group.all.clips)}", class_="amount"),
            class_="line",
            title=f"kept {unit.text(group.kept.seconds)} of {unit.text(group.all.seconds)}",
        )
        for group in spread.groups
    ]
    several = f" ({count(spread.num_values)} different)" if spread.num_values > len(spread.groups) else ""
    notes = []
    if spread.who:
        told = ", ".join(f"{by}: {count(number)}" for by, number in spread.who.items())
        notes = [tag("small", f"{WHO_WORDS} {told}", class_="soft")]
    return tag("div", tag("h3", f"{spread.name}{several}"), *lines, *notes, class_="plotcard")


def rejected_codes(codes: Mapping[str, Amount], total: Amount, unit: Unit) -> Html:
    """Return the table of codes with what they mean and how much they took."""
    rows = [
        [
            join([tag("code", code), " ", tag("small", CODES.get(code, "an unknown code"), class_="soft")]),
            count(found.clips),
            share(found.clips, total.clips),
            unit.text(found.seconds),
        ]
        for code, found in codes.items()
    ]
    return table(["code", "clips", "of all", "length"], rows, numbers=(1, 2, 3))
